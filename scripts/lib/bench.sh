# `planetserve bench [NAME...] [--json FILE]`: each benchmark is a program build/release/bin/bench_NAME that prints a
# table and, with --json FILE, writes its rows {"name","value","unit","reference","ratio"} as an array.

bench_verb() {
    local names=() json='' name rows status=0
    while (($# > 0)); do
        case $1 in
            --json) json=${2:?--json needs a file}; shift ;;
            -h | --help) bench_help; return ;;
            -*) fail "bench: unknown option $1" ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    build_benchmarks
    if ((${#names[@]} == 0)); then mapfile -t names < <(benchmark_names); fi
    ((${#names[@]} > 0)) || fail "there are no benchmarks in this tree"
    if [[ " ${names[*]} " == *" routing "* ]]; then build_routing_peers; fi
    locate_cometbft
    if [[ " ${names[*]} " == *" committee "* ]] && find_go >/dev/null; then ensure_cometbft; fi
    rows=$(mktemp -d)
    for name in "${names[@]}"; do
        [[ -x $ROOT/build/release/bin/bench_$name ]] ||
            fail "no benchmark \"$name\"; there are: $(benchmark_names | tr '\n' ' ')"
        say "bench: $name"
        "$ROOT/build/release/bin/bench_$name" --json "$rows/$name.json" || { status=1; say "bench: $name failed"; }
    done
    if [[ -n $json ]]; then merge_rows "$json" "$rows"/*.json; fi
    rm -rf "$rows"
    return "$status"
}

bench_help() {
    cat <<HELP
Runs the benchmarks, each beside its reference in the same run.

    ./planetserve bench                     all of them
    ./planetserve bench NAME...             some of them
    ./planetserve bench --json FILE         also writes the rows as JSON
HELP
}

build_benchmarks() {
    local targets
    hold_lock "build-$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)"
    configure_preset test release || exit 1
    mapfile -t targets < <(benchmark_names | sed 's/^/bench_/')
    if ((${#targets[@]} > 0)); then build_targets release "${targets[@]}" || exit 1; fi
    release_lock
}

# build_routing_peers: the program with other routers' indexes for bench_routing, from crates that cargo fetches. Kept in
# the cache. Without it, or where it does not build, the benchmark has no rows of theirs.
build_routing_peers() {
    local folder="$CACHE/peers-routing"
    if ! command -v cargo >/dev/null; then
        say "bench: no cargo here, so routing is not compared with kv-index and dynamo-kv-router"
        return
    fi
    hold_lock peers-routing
    if RUSTFLAGS='-C target-cpu=native' run_step "bench: building the other routers' indexes (about 5 CPU minutes, once)" \
        "$ROOT/build/logs/peers-routing.log" - \
        cargo build --release --locked --manifest-path "$ROOT/bench/peers-routing/Cargo.toml" --target-dir "$folder"; then
        export PLANETSERVE_PEERS_ROUTING="$folder/release/peers-routing"
    else
        say "bench: routing is not compared with kv-index and dynamo-kv-router"
    fi
    release_lock
}

# benchmark_names: as the build knows them, built or not.
benchmark_names() { ninja -C "$ROOT/build/release" -t targets all | sed -nE 's/^bin\/bench_([a-z0-9_]+): .*/\1/p' | sort; }

# merge_rows FILE JSON...: one array of all rows, put in place by a rename.
merge_rows() {
    python3 - "$@" <<'PYTHON'
import json, os, sys

rows = []
for path in sys.argv[2:]:
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            rows += json.load(file)
with open(sys.argv[1] + ".part", "w", encoding="utf-8") as file:
    json.dump(rows, file, indent=2)
    file.write("\n")
os.replace(sys.argv[1] + ".part", sys.argv[1])
PYTHON
}
