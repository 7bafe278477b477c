# `planetserve test [SECTION...]`: everything that can be checked on one machine. A section that fails does not stop the
# next; the last line counts them all.

TEST_SECTIONS=(lint unit asan tsan fuzz functional)
LOGS="$ROOT/build/logs"
# Seconds for each fuzz target: forty in continuous integration, a taste of it elsewhere.
if [[ -n ${CI:-} ]]; then FUZZ_SECONDS=${FUZZ_SECONDS:-40}; else FUZZ_SECONDS=${FUZZ_SECONDS:-10}; fi

TESTS_PASSED=0
TESTS_FAILED=0
TEST_SUMMARY=()
CORES=$(nproc)

test_verb() {
    local section chosen=("$@") begun passed failed
    for section in "${chosen[@]}"; do
        case $section in
            -h | --help) test_help; return ;;
        esac
        [[ " ${TEST_SECTIONS[*]} " == *" $section "* ]] || fail "no test section \"$section\"; there are: ${TEST_SECTIONS[*]}"
    done
    if ((${#chosen[@]} == 0)); then chosen=("${TEST_SECTIONS[@]}"); fi
    mkdir -p "$LOGS"
    prepare_tests "${chosen[@]}"
    for section in "${chosen[@]}"; do
        begun=$SECONDS passed=$TESTS_PASSED failed=$TESTS_FAILED
        say "test: $section"
        "test_$section"
        TEST_SUMMARY+=("$(printf '%-12s %6d passed %4d failed %8s' "$section" $((TESTS_PASSED - passed)) \
            $((TESTS_FAILED - failed)) "$(elapsed $((SECONDS - begun)))")")
    done
    printf '\n'
    printf '%s\n' "${TEST_SUMMARY[@]}"
    printf '\n%d passed, %d failed\n' "$TESTS_PASSED" "$TESTS_FAILED"
    ((TESTS_FAILED == 0 && TESTS_PASSED > 0))
}

test_help() {
    cat <<HELP
Runs the tests. Sections: ${TEST_SECTIONS[*]}; without a name, all of them.

    lint         formatting, one-way includes, shell scripts, links and widths of docs, parameters and metrics
    unit         unit and simulation tests, optimised
    asan, tsan   the same under AddressSanitizer and UBSan, and under ThreadSanitizer
    fuzz         every fuzz target for FUZZ_SECONDS (40 where CI is set, else 10)
    functional   a network of real processes, driven from outside

    ./planetserve test                      everything
    ./planetserve test lint unit            some
    CTEST_ARGS="-R Onion" ./planetserve test unit      arguments for ctest (PYTEST_ARGS for pytest)

Logs lie in build/logs. The last line is "N passed, M failed".
HELP
}

# prepare_tests SECTION...: what the sections need of the machine.
prepare_tests() {
    ensure_packages "$PACKAGES" "$PACKAGES_TEST"
    locate_engine
    if [[ " $* " == *" functional "* ]]; then
        ensure_engine
        ensure_default_models
        locate_cometbft
        if [[ -x $PLANETSERVE_COMETBFT ]] || find_go >/dev/null; then
            ensure_cometbft
        else
            say "tests: no Go $COMETBFT_GO or later here, so the committee's functional tests are left out"
        fi
    fi
}

count_pass() { TESTS_PASSED=$((TESTS_PASSED + ${1:-1})); }

# count_fail NUMBER MESSAGE
count_fail() {
    TESTS_FAILED=$((TESTS_FAILED + $1))
    if [[ -n ${2:-} ]]; then say "  ${STYLE_RED}$2${STYLE_END}"; fi
}

# --- lint ---

test_lint() {
    lint_check formatting check_formatting
    lint_check includes python3 "$ROOT/scripts/check_includes.py" "$ROOT"
    lint_check scripts check_scripts
    lint_check docs python3 "$ROOT/scripts/check_docs.py" "$ROOT"
    lint_check parameters python3 "$ROOT/scripts/check_parameters.py" "$ROOT"
}

lint_check() {
    local name=$1
    shift
    if run_step "  $name" "$LOGS/lint-$name.log" - "$@"; then count_pass; else count_fail 1; fi
}

# check_formatting: a line a file that is not formatted, and how to format them.
check_formatting() {
    local file wrong=()
    cd "$ROOT" || return
    while IFS= read -r -d '' file; do
        if [[ -f $file ]] && ! clang-format-19 --dry-run -Werror "$file" >/dev/null 2>&1; then wrong+=("$file"); fi
    done < <(git ls-files -z '*.cpp' '*.h')
    ((${#wrong[@]} == 0)) && return
    printf 'not formatted: %s\n' "${wrong[@]}"
    printf 'to format them: clang-format-19 -i %s\n' "${wrong[*]}"
    return 1
}

check_scripts() {
    (cd "$ROOT" && shellcheck --shell=bash --external-sources planetserve scripts/lib/*.sh .ci/run)
}

# --- unit tests, plain and under sanitizers ---

test_unit() { run_ctest unit test release; }

test_asan() {
    ASAN_OPTIONS=detect_stack_use_after_return=1:check_initialization_order=1 \
        UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 run_ctest asan asan asan
}

test_tsan() {
    # Libraries are not instrumented: what libzmq's own threads share would look like races.
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1 run_ctest tsan tsan tsan
}

# run_ctest SECTION PRESET FOLDER
run_ctest() {
    local section=$1 log="$LOGS/ctest-$1.log" total='' failed='' wrapper=() arguments=()
    if ! { configure_preset "$2" "$3" && build_targets "$3" all; }; then
        count_fail 1 "$section: the build failed"
        return 0
    fi
    # Older sanitizer runtimes cannot place their shadow memory where addresses are very random.
    if [[ $section != unit ]] && setarch -R true 2>/dev/null; then wrapper=(setarch -R); fi
    read -ra arguments <<<"${CTEST_ARGS:-}"
    run_step "  running ($section)" "$log" "ctest_progress $log" "${wrapper[@]}" \
        ctest --test-dir "$ROOT/build/$3" --parallel "$CORES" --timeout 300 --no-tests=error --output-on-failure "${arguments[@]}" || true
    read -r failed total < <(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+).*/\1 \2/p' "$log" | tail -n 1) || true
    if [[ -z $total ]]; then
        count_fail 1 "$section: ctest ran no test; see $log"
        return 0
    fi
    count_pass $((total - failed))
    if ((failed > 0)); then count_fail "$failed" "$section: $failed of $total failed; see $log"; fi
}

ctest_progress() { tail -c 4096 "$1" | grep -oE '^ *[0-9]+/[0-9]+ Test' | tail -n 1 | grep -oE '[0-9]+/[0-9]+'; }

# --- fuzzing ---

test_fuzz() {
    local targets=() target results="$LOGS/fuzz"
    if ! { configure_preset fuzz fuzz && build_targets fuzz all; }; then
        count_fail 1 "fuzz: the build failed"
        return 0
    fi
    for target in "$ROOT"/build/fuzz/bin/fuzz_*; do
        if [[ -x $target ]]; then targets+=("${target##*/fuzz_}"); fi
    done
    if ((${#targets[@]} == 0)); then
        count_fail 1 "fuzz: there are no fuzz targets"
        return 0
    fi
    rm -rf "$results"
    mkdir -p "$results"
    run_step "  fuzzing ${#targets[@]} targets, $FUZZ_SECONDS s each" "$results/run.log" "fuzz_progress $results ${#targets[@]}" \
        fuzz_all "$results" "${targets[@]}" || true
    for target in "${targets[@]}"; do
        if [[ -f $results/$target.passed ]]; then
            count_pass
        else
            count_fail 1 "fuzz: $target failed; the input is in $results, the report:"
            tail -n 30 "$results/$target.log" | sed 's/^/    /' >&2 || true
        fi
    done
}

fuzz_progress() {
    local passed
    passed=$(find "$1" -name '*.passed' | wc -l)
    printf '[%d/%d]' "$passed" "$2"
}

# fuzz_all RESULTS TARGET...: as many at a time as there are cores, two at the least.
fuzz_all() {
    set +m # one process group for all, the step's
    local results=$1 jobs=$CORES target
    shift
    if ((jobs < 2)); then jobs=2; fi
    for target in "$@"; do
        while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
        fuzz_one "$results" "$target" &
    done
    wait
}

# fuzz_one RESULTS TARGET: what it finds goes on from run to run in build/fuzz/corpus; the seeds are only read.
fuzz_one() {
    local results=$1 name=$2 grown="$ROOT/build/fuzz/corpus/$2" seeds="$ROOT/tests/fuzz/corpus/$2" corpora=()
    mkdir -p "$grown"
    corpora=("$grown")
    if [[ -d $seeds ]]; then corpora+=("$seeds"); fi
    if "$ROOT/build/fuzz/bin/fuzz_$name" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$results/$name-" "${corpora[@]}" >"$results/$name.log" 2>&1; then
        touch "$results/$name.passed"
    fi
}

# --- functional tests: a network of real processes ---

test_functional() {
    local folder="$ROOT/tests/functional"
    if ! ensure_program_or_say; then
        count_fail 1 "functional: the build failed"
        return 0
    fi
    if [[ ! -f $folder/requirements.txt ]]; then
        count_fail 1 "functional: tests/functional has no tests"
        return 0
    fi
    ensure_node_modules "$folder/node" || { count_fail 1 "functional: npm packages could not be installed"; return 0; }
    run_pytest "$folder"
    run_node_tests "$folder/node"
}

ensure_program_or_say() { configure_preset release release && build_targets release planetserve planetserve_lab hostile_verifier planetserve_eval; }

run_pytest() {
    local folder=$1 log="$LOGS/pytest.log" report="$LOGS/pytest.xml" arguments=() passed failed
    ensure_venv "$folder/requirements.txt" || { count_fail 1 "functional: Python packages could not be installed"; return 0; }
    read -ra arguments <<<"${PYTEST_ARGS:-}"
    rm -f "$report"
    run_step "  running (functional)" "$log" "pytest_progress $log" \
        timeout -k 10 2700 "$VENV/bin/python" -m pytest -v --color=no --junit-xml="$report" -o cache_dir="$ROOT/build/pytest-cache" \
        "$folder" "${arguments[@]}" || true
    if ! read -r passed failed < <(python3 "$ROOT/scripts/count_junit.py" "$report"); then
        count_fail 1 "functional: pytest did not finish; see $log"
        return 0
    fi
    count_pass "$passed"
    if ((failed > 0)); then count_fail "$failed" "functional: $failed failed; see $log"; fi
}

pytest_progress() { tail -c 4096 "$1" | grep -oE '\[ *[0-9]+%\]' | tail -n 1; }

# ensure_venv REQUIREMENTS: a virtual environment in the cache, named after what it holds; sets VENV.
ensure_venv() {
    VENV="$CACHE/venv/$( (cat "$1" && python3 -VV && command -v python3) | sha256sum | cut -c1-12)"
    [[ -f $VENV/.complete ]] && return
    hold_lock venv
    rm -rf "$VENV"
    run_step "  python packages" "$LOGS/venv.log" - make_venv "$1" || { release_lock; return 1; }
    release_lock
}

make_venv() {
    python3 -m venv "$VENV" &&
        "$VENV/bin/python" -m pip install --disable-pip-version-check --require-virtualenv -r "$1" && touch "$VENV/.complete"
}

# ensure_node_modules FOLDER: the locked npm packages, kept in the cache and linked into FOLDER.
ensure_node_modules() {
    local folder=$1 kept
    [[ -f $folder/package-lock.json ]] || return 0
    kept="$CACHE/node/$( (cat "$folder/package-lock.json" && node --version) | sha256sum | cut -c1-12)"
    if [[ ! -d $kept ]]; then
        hold_lock node
        if [[ ! -d $kept ]]; then
            run_step "  npm packages" "$LOGS/npm.log" - install_node_modules "$folder" "$kept" || { release_lock; return 1; }
        fi
        release_lock
    fi
    # A real folder there is a developer's own; it is left alone.
    if [[ -L $folder/node_modules || ! -e $folder/node_modules ]]; then ln -sfn "$kept/node_modules" "$folder/node_modules"; fi
}

install_node_modules() {
    rm -rf "$2.part"
    mkdir -p "$2.part"
    cp "$1/package.json" "$1/package-lock.json" "$2.part/" &&
        npm ci --prefix "$2.part" --no-audit --no-fund && mv "$2.part" "$2"
}

# run_node_tests FOLDER: files named *.test.js or *.test.mjs, with node's own test runner.
run_node_tests() {
    local folder=$1 log="$LOGS/node.log" files=() passed failed
    mapfile -t files < <(find "$folder" -maxdepth 2 -path '*/node_modules' -prune -o \( -name '*.test.js' -o -name '*.test.mjs' \) -print 2>/dev/null)
    ((${#files[@]} > 0)) || return 0
    run_step "  running (node)" "$log" - timeout -k 10 600 node --test --test-reporter=tap "${files[@]}" || true
    passed=$(sed -nE 's/^# pass ([0-9]+)$/\1/p' "$log" | tail -n 1)
    failed=$(sed -nE 's/^# fail ([0-9]+)$/\1/p' "$log" | tail -n 1)
    if [[ -z $passed || -z $failed ]]; then
        count_fail 1 "functional: node's tests did not finish; see $log"
        return 0
    fi
    count_pass "$passed"
    if ((failed > 0)); then count_fail "$failed" "functional: $failed of node's tests failed; see $log"; fi
}
