# Our own program, built from the presets of CMakePresets.json into build/.

# ensure_program: builds build/release/bin/planetserve where it is missing or older than its sources.
ensure_program() {
    hold_lock "build-$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)"
    configure_preset release release || exit 1
    build_targets release planetserve || exit 1
    release_lock
}

# configure_preset PRESET FOLDER: runs cmake where build/FOLDER was not configured by this preset as it now
# is. The preset "test" adds to "release" in the same folder, so a folder of "test" serves "release" too.
# Everything else that changes (CMakeLists.txt) ninja notices by itself.
configure_preset() {
    local preset=$1 folder="$ROOT/build/$2" stamp state arguments=()
    stamp="$folder/.configured"
    if [[ -d ${PLANETSERVE_ENGINE:-} ]]; then arguments=("-DPLANETSERVE_ENGINE=$PLANETSERVE_ENGINE"); fi
    state="$(sha256sum <"$ROOT/CMakePresets.json") ${arguments[*]}"
    if [[ -f $folder/build.ninja && -f $stamp ]]; then
        case $(<"$stamp") in
            "$preset $state") return ;;
            "test $state") [[ $preset == release ]] && return ;;
        esac
    fi
    run_step "build: configuring ($preset)" "$ROOT/build/logs/configure-$preset.log" - \
        cmake -S "$ROOT" --preset "$preset" "${arguments[@]}" || return
    printf '%s %s' "$preset" "$state" >"$stamp"
}

# build_targets FOLDER TARGET...: with all cores; shows the compiler's words when it fails.
build_targets() {
    local folder=$1 log="$ROOT/build/logs/build-$1.log"
    shift
    run_step "build: compiling ($folder)" "$log" "ninja_progress $log" \
        ninja -C "$ROOT/build/$folder" "$@"
}
