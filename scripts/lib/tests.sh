# `planetserve test [SECTION...]`: everything that can be checked on one machine. A section that fails does not stop the
# next; the last line counts them all.

TEST_SECTIONS=(lint functional unit asan fuzz tsan tidy)
# What a developer runs before a commit: the sections, and the functional tests among them.
QUICK_SECTIONS=(lint unit functional)
QUICK_FUNCTIONAL=(test_commands.py test_node.py)
LOGS="$ROOT/build/logs"
# Seconds for each fuzz target: twenty in continuous integration, a taste of it elsewhere, days where somebody asks for them.
if [[ -n ${CI:-} ]]; then FUZZ_SECONDS=${FUZZ_SECONDS:-20}; else FUZZ_SECONDS=${FUZZ_SECONDS:-10}; fi

TESTS_PASSED=0
TESTS_FAILED=0
TEST_SUMMARY=()
TEST_QUICK=0
FUNCTIONAL_FILES=() # of tests/functional; empty: all
# Most tests wait. The tests of a file share a network. Files in the order of tests/functional/conftest.py.
TWO_AT_ONCE=(--numprocesses 2 --dist loadfile --no-loadscope-reorder)
CORES=$(nproc)

test_verb() {
    local section chosen=() argument begun passed failed
    for argument in "$@"; do
        case $argument in
            -h | --help) test_help; return ;;
            quick) TEST_QUICK=1; FUNCTIONAL_FILES=("${QUICK_FUNCTIONAL[@]}"); chosen=("${QUICK_SECTIONS[@]}") ;;
            coverage) test_coverage; return ;;
            build) build_sections "${@:2}"; return ;;
            alone | soak) chosen+=("$argument") ;;
            *)
                [[ " ${TEST_SECTIONS[*]} " == *" $argument "* ]] ||
                    fail "no test section \"$argument\"; there are: ${TEST_SECTIONS[*]}, and quick, soak, alone, coverage"
                chosen+=("$argument")
                ;;
        esac
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
    if ((TEST_QUICK)); then
        printf 'quick: left out are asan, fuzz, tsan, tidy, and the functional tests but %s\n' "${QUICK_FUNCTIONAL[*]}"
    fi
    printf '\n%d passed, %d failed\n' "$TESTS_PASSED" "$TESTS_FAILED"
    ((TESTS_FAILED == 0 && TESTS_PASSED > 0))
}

test_help() {
    cat <<HELP
Runs the tests. Without a name, all sections but "soak" and "alone".

    lint         formatting, one-way includes, names and lengths, documents, shell scripts
    functional   a network of real processes, driven from outside
    unit         unit and simulation tests, optimised, built by g++
    asan         unit tests under AddressSanitizer and UBSan, built by clang
    fuzz         every fuzz target for FUZZ_SECONDS (20 where CI is set, else 10), with the build of asan
    tsan         the tests of what has threads, under ThreadSanitizer
    tidy         clang-tidy over what nodes run and the simulator
    soak         half an hour of mixed load among hostile members; only where it is named. PLANETSERVE_SOAK_SECONDS=N
    alone        each file read by itself, which shows an include that is missing; only where it is named

    ./planetserve test                      everything
    ./planetserve test lint unit            some
    ./planetserve test quick                before a commit: lint, unit, and some functional tests; six minutes at most
                                            once it is built
    ./planetserve test build asan tsan      what those sections run, without running it
    ./planetserve test coverage             lines and branches that the unit tests reach, by folder

    GTEST_FILTER='Paths*' ./planetserve test unit             some unit tests (CTEST_ARGS: arguments for ctest)
    PYTEST_ARGS="-k stream" ./planetserve test functional     some functional tests
    FUZZ_SECONDS=86400 ./planetserve test fuzz                each fuzz target for a day

Logs lie in build/logs. The last line is "N passed, M failed".
HELP
}

# prepare_tests SECTION...: what the sections need of the machine. In a run of everything, the builds of later sections
# and the fuzzers run beside the functional tests, which mostly wait.
prepare_tests() {
    local section
    ensure_packages "$PACKAGES" "$PACKAGES_TEST"
    locate_engine
    if [[ " $* " == *" functional "* || " $* " == *" soak "* ]]; then
        begin_fetching fetch_for_functional
        ensure_engine
        locate_cometbft
        if [[ -x $PLANETSERVE_COMETBFT ]] || find_go >/dev/null; then
            ensure_cometbft
        else
            say "tests: no Go $COMETBFT_GO or later here, so the committee's functional tests are left out"
        fi
    fi
    BESIDE_FUNCTIONAL=()
    if [[ " $* " == *" functional "* ]]; then
        for section in unit asan fuzz tsan tidy; do
            if [[ " $* " == *" functional "*"$section "* ]]; then BESIDE_FUNCTIONAL+=("$section"); fi
        done
    fi
}

fetch_for_functional() {
    ensure_default_models
    ensure_venv "$ROOT/tests/functional/requirements.txt"
    ensure_node_modules "$ROOT/tests/functional/node"
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
    lint_check shape python3 "$ROOT/scripts/check_shape.py" "$ROOT"
    lint_check spelling check_spelling
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
    local wrong
    cd "$ROOT" || return
    mapfile -t wrong < <(git ls-files -z '*.cpp' '*.h' |
        xargs -0 -n 20 -P "$CORES" clang-format-19 --dry-run -Werror 2>&1 |
        sed -nE 's/^([^:]+):[0-9]+:[0-9]+: error: .*/\1/p' | sort -u)
    ((${#wrong[@]} == 0)) && return
    printf 'not formatted: %s\n' "${wrong[@]}"
    printf 'to format them: clang-format-19 -i %s\n' "${wrong[*]}"
    return 1
}

# Words that are right here though codespell knows better: names, abbreviations, and mistakes that tests make on purpose.
SPELLING_KNOWN=crate,fo,hel,hieght,inflight,nd,nmae,pahts,promt,te

check_spelling() {
    (cd "$ROOT" && git ls-files -z ':!tests/fuzz/corpus' ':!*.lock' ':!*package-lock.json' ':!*.svg' |
        xargs -0 codespell --ignore-words-list "$SPELLING_KNOWN")
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

# build_preset PRESET|fuzz: all that its section runs; the fuzzers run here too, since they wait for nothing.
build_preset() {
    case $1 in
        test) configure_preset test release && build_targets release all planetserve_lab hostile_verifier ;;
        asan) configure_preset asan asan && build_targets asan all ;;
        tsan) configure_preset tsan tsan && build_targets tsan planetserve_tests ;;
        fuzz) build_preset asan && run_fuzzers ;;
        tidy) check_units tidy ;;
    esac
}

# run_ctest SECTION PRESET FOLDER
run_ctest() {
    local section=$1 folder="$ROOT/build/$3" log="$LOGS/ctest-$1.log" report="$LOGS/ctest-$1.xml"
    local passed='' failed='' skipped='' failures='' wrapper=() arguments=()
    wait_beside "$section"
    if ! build_preset "$2"; then
        count_fail 1 "$section: the build failed"
        return 0
    fi
    wait_fetching # some tests score with the models
    # Older sanitizer runtimes cannot place their shadow memory where addresses are very random.
    if [[ $section != unit ]] && setarch -R true 2>/dev/null; then wrapper=(setarch -R); fi
    read -ra arguments <<<"${CTEST_ARGS:-}"
    rm -rf "$folder/test-results" "$report"
    run_step "  running ($section)" "$log" "ctest_progress $log" "${wrapper[@]}" \
        ctest --test-dir "$folder" --parallel "$CORES" --no-tests=error --output-on-failure --output-junit "$report" \
        "${arguments[@]}" || true
    { read -r passed failed skipped && failures=$(cat); } < <(python3 "$ROOT/scripts/count_gtest.py" "$report" "$folder/test-results") || true
    if [[ -z $passed ]]; then
        count_fail 1 "$section: ctest ran no test; see $log"
        return 0
    fi
    count_pass "$passed"
    if ((skipped > 0)); then say "  $skipped skipped: what they need is not here"; fi
    if ((failed > 0)); then count_fail "$failed" "$section: $failed failed; see $log:"$'\n'"$failures"; fi
}

ctest_progress() { tail -c 4096 "$1" | grep -oE '^ *[0-9]+/[0-9]+ Test' | tail -n 1 | grep -oE '[0-9]+/[0-9]+'; }

# --- builds beside the functional tests ---

# begin_beside: builds in the background what later sections need, and runs the fuzzers. The functional tests run against clocks, so the builds
# get only the time that nothing else wants: SCHED_IDLE, and where the kernel shares its time among sessions (autogroup) a
# session of their own with the least share.
begin_beside() {
    ((${#BESIDE_FUNCTIONAL[@]} > 0)) || return 0
    rm -rf "$LOGS"/beside-*.ended "$LOGS/fuzz"
    say "  beside: building for ${BESIDE_FUNCTIONAL[*]}; see $LOGS/beside.log"
    # shellcheck disable=SC2016 # the inner shell expands
    setsid bash -c 'if [[ -w /proc/self/autogroup ]]; then echo 19 >/proc/self/autogroup; fi; exec chrt --idle 0 nice -n 19 "$@"' \
        beside "$ROOT/planetserve" test build "${BESIDE_FUNCTIONAL[@]}" >"$LOGS/beside.log" 2>&1 </dev/null &
    BESIDE_GROUP=$! # setsid becomes the leader of its session and group
}

# build_sections SECTION...: what the sections run, without running it.
build_sections() {
    local what
    ensure_packages "$PACKAGES" "$PACKAGES_TEST"
    locate_engine
    mkdir -p "$LOGS"
    # shellcheck disable=SC2034 # run_step reads it
    RUN_STEP_PLAINLY=1
    for what in "$@"; do
        build_preset "${what/#unit/test}" || say "$what: failed"
        touch "$LOGS/beside-$what.ended"
    done
}

# wait_beside SECTION: until its build has ended, where it was begun; what failed in it is built, and told, by the section.
wait_beside() {
    [[ -n $BESIDE_GROUP && " ${BESIDE_FUNCTIONAL[*]} " == *" $1 "* ]] || return 0
    run_step "  build begun beside the functional tests" "$LOGS/beside-wait.log" - beside_ended "$1" "$BESIDE_GROUP" || true
}

# beside_ended SECTION PROCESS: waits until that process is done with the section, or gone.
beside_ended() {
    while [[ ! -f $LOGS/beside-$1.ended ]] && kill -0 "$2" 2>/dev/null; do sleep 0.5; done
}

# --- clang-tidy ---

test_tidy() {
    wait_beside tidy
    if check_units tidy; then count_pass; else count_fail 1; fi
}

# test_alone: not part of a run of everything, for its time.
test_alone() { if check_units alone; then count_pass; else count_fail 1; fi; }

# check_units tidy|alone: clang-tidy over the unity sources, or each file read by itself. Neither builds anything. What had
# no findings is remembered, in continuous integration for this run alone.
check_units() {
    local kept="$CACHE/units"
    if [[ -n ${CI:-} ]]; then kept="$ROOT/build/units"; fi
    configure_preset "$1" "$1" &&
        run_step "  checking all code ($1)" "$LOGS/$1.log" "units_progress $LOGS/$1.log" \
            python3 "$ROOT/scripts/check_units.py" "$1" "$ROOT/build/$1" "$kept"
}

units_progress() { tail -c 4096 "$1" | grep -oE '^\[[0-9]+/[0-9]+\]' | tail -n 1; }

# --- coverage ---

# test_coverage: which lines and branches the unit tests reach. Not part of the other tests: it is a figure, not a check.
test_coverage() {
    ensure_packages "$PACKAGES" "$PACKAGES_TEST"
    locate_engine
    mkdir -p "$LOGS"
    configure_preset coverage coverage && build_targets coverage planetserve_tests || exit 1
    rm -rf "$ROOT/build/coverage/profiles"
    LLVM_PROFILE_FILE="$ROOT/build/coverage/profiles/%p.profraw" run_step "  running (coverage)" "$LOGS/ctest-coverage.log" \
        "ctest_progress $LOGS/ctest-coverage.log" ctest --test-dir "$ROOT/build/coverage" --parallel "$CORES" || true
    python3 "$ROOT/scripts/coverage.py" "$ROOT" "$ROOT/build/coverage"
}

# --- fuzzing ---

test_fuzz() {
    local targets=() target results="$LOGS/fuzz"
    wait_beside fuzz
    # What ran beside the functional tests is not run again.
    if [[ -z $BESIDE_GROUP || ! -f $results/complete ]]; then
        if ! build_preset fuzz; then
            count_fail 1 "fuzz: the build failed"
            return 0
        fi
    fi
    find_fuzz_targets
    if ((${#targets[@]} == 0)); then
        count_fail 1 "fuzz: there are no fuzz targets"
        return 0
    fi
    for target in "${targets[@]}"; do
        if [[ -f $results/$target.passed ]]; then
            count_pass
        else
            count_fail 1 "fuzz: $target failed; the input is in $results, the report:"
            tail -n 30 "$results/$target.log" | sed 's/^/    /' >&2 || true
        fi
    done
}

# find_fuzz_targets: sets targets.
find_fuzz_targets() {
    local file
    for file in "$ROOT"/build/asan/bin/fuzz_*; do
        if [[ -x $file ]]; then targets+=("${file##*/fuzz_}"); fi
    done
}

run_fuzzers() {
    local targets=() results="$LOGS/fuzz"
    find_fuzz_targets
    rm -rf "$results"
    mkdir -p "$results"
    run_step "  fuzzing ${#targets[@]} targets, $FUZZ_SECONDS s each" "$results/run.log" "fuzz_progress $results ${#targets[@]}" \
        fuzz_all "$results" "${targets[@]}" || true
    touch "$results/complete"
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

# fuzz_one RESULTS TARGET: inputs that reach new code are kept from run to run in build/corpus; the seeds are only read.
# The time for one input allows for a machine that has little to give.
fuzz_one() {
    local results=$1 name=$2 grown="$ROOT/build/corpus/$2" seeds="$ROOT/tests/fuzz/corpus/$2" corpora=()
    mkdir -p "$grown"
    corpora=("$grown")
    if [[ -d $seeds ]]; then corpora+=("$seeds"); fi
    if "$ROOT/build/asan/bin/fuzz_$name" -max_total_time="$FUZZ_SECONDS" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$results/$name-" "${corpora[@]}" >"$results/$name.log" 2>&1; then
        touch "$results/$name.passed"
    fi
}

# --- functional tests: a network of real processes ---

test_functional() {
    local folder="$ROOT/tests/functional"
    # Where the unit tests are built beside these, the program must not be linked anew.
    if [[ " ${BESIDE_FUNCTIONAL[*]} " == *" unit "* ]]; then configure_preset test release; fi
    if ! ensure_program_or_say; then
        count_fail 1 "functional: the build failed"
        return 0
    fi
    if [[ ! -f $folder/requirements.txt ]]; then
        count_fail 1 "functional: tests/functional has no tests"
        return 0
    fi
    wait_fetching
    ensure_default_models
    ensure_node_modules "$folder/node" || { count_fail 1 "functional: npm packages could not be installed"; return 0; }
    ensure_venv "$folder/requirements.txt" || { count_fail 1 "functional: Python packages could not be installed"; return 0; }
    begin_beside
    if ((${#FUNCTIONAL_FILES[@]} == 0)); then
        run_pytest "${TWO_AT_ONCE[@]}" "$folder"
    elif ((${#FUNCTIONAL_FILES[@]} == 1)); then
        run_pytest "$folder/${FUNCTIONAL_FILES[0]}"
    else
        run_pytest "${TWO_AT_ONCE[@]}" "${FUNCTIONAL_FILES[@]/#/$folder/}"
    fi
    if ((${#FUNCTIONAL_FILES[@]} == 0 || TEST_QUICK)); then run_node_tests "$folder/node"; fi
}

# test_soak: the functional test of that name, for longer than a run of everything has it.
test_soak() {
    export PLANETSERVE_SOAK_SECONDS=${PLANETSERVE_SOAK_SECONDS:-1800}
    FUNCTIONAL_FILES=(test_soak.py)
    test_functional
}

ensure_program_or_say() { configure_preset release release && build_targets release planetserve planetserve_lab hostile_verifier planetserve_eval; }

# run_pytest ARGUMENT...
run_pytest() {
    local log="$LOGS/pytest.log" report="$LOGS/pytest.xml" arguments=() passed failed
    read -ra arguments <<<"${PYTEST_ARGS:-}"
    rm -f "$report"
    run_step "  running (functional)" "$log" "pytest_progress $log" \
        timeout -k 10 3300 "$VENV/bin/python" -m pytest -v --color=no --junit-xml="$report" -o cache_dir="$ROOT/build/pytest-cache" \
        --durations=0 "$@" "${arguments[@]}" || true
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
    [[ -f $VENV/.complete ]] && { release_lock; return; }
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
