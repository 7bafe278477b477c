# The inference engine: llama.cpp, built from the source that the npm package node-llama-cpp carries
# as a git bundle. Needs no network beyond that one package.
#
# The result lies in the cache under a key made of everything that shapes it: version, flags,
# compiler, and the processor's features (the build uses all that this machine has). It is put there
# by one rename, so that a folder with that name is always complete.

ENGINE_PACKAGE=node-llama-cpp
ENGINE_VERSION=3.22.1
ENGINE_SHA256=a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f
ENGINE_BYTES=35735663
ENGINE_TARGETS=(llama-server llama-quantize llama-bench)
# Release binaries without what the overlay does not use: the web page, downloads, TLS. Static, so
# that the cache folder can be moved and the scorer linked against the very same kernels.
ENGINE_FLAGS=(
    -DCMAKE_BUILD_TYPE=Release
    -DBUILD_SHARED_LIBS=OFF
    -DGGML_NATIVE=ON
    -DLLAMA_BUILD_TESTS=OFF
    -DLLAMA_BUILD_EXAMPLES=OFF
    -DLLAMA_BUILD_UI=OFF
    -DLLAMA_USE_PREBUILT_UI=OFF
    -DLLAMA_CURL=OFF
    -DLLAMA_OPENSSL=OFF
)

# g++ 12 believes that _tile_loadconfig reads 8 bytes of the 64 it is given, and leaves out writing the others: a processor
# with AMX then faults at the first prompt. This line makes it write all of them. It matters to no other processor.
AMX_FILE=ggml/src/ggml-cpu/amx/mmq.cpp
AMX_CALL='    _tile_loadconfig(&tc);'
AMX_FENCE='    asm volatile("" : : "r"(&tc) : "memory");'

engine_key() {
    local features compiler parts
    features=$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo | cut -d: -f2 | tr ' ' '\n' | sort -u)
    compiler=$(g++ -dumpfullversion)
    parts=("$ENGINE_SHA256" "${ENGINE_FLAGS[@]}" "${ENGINE_TARGETS[@]}" "$(uname -m)" "$compiler" "$features")
    if [[ $features == *amx_tile* ]]; then parts+=("$AMX_FENCE"); fi
    printf '%s-%s' "$ENGINE_VERSION" "$(printf '%s\n' "${parts[@]}" | sha256sum | cut -c1-12)"
}

# locate_engine: sets PLANETSERVE_ENGINE to where the engine is or will be. A caller may have set it, to an engine
# of its own in the same layout.
locate_engine() {
    [[ -n ${PLANETSERVE_ENGINE:-} ]] && return
    PLANETSERVE_ENGINE="$CACHE/engine/$(engine_key)"
    export PLANETSERVE_ENGINE
}

# ensure_engine: builds the engine if this machine has none.
ensure_engine() {
    locate_engine
    [[ -d $PLANETSERVE_ENGINE ]] && return
    hold_lock engine
    if [[ ! -d $PLANETSERVE_ENGINE ]]; then build_engine; fi
    release_lock
}

# build_engine: an interrupted build goes on where it was; the work folder is removed at the end.
build_engine() {
    local work
    work="$CACHE/engine/building-$(basename "$PLANETSERVE_ENGINE")"
    mkdir -p "$work"
    fetch_engine_source "$work"
    run_step "engine: configuring llama.cpp" "$work/configure.log" - \
        cmake -S "$work/source" -B "$work/build" -G Ninja "${ENGINE_FLAGS[@]}" || exit 1
    run_step "engine: building llama.cpp (about 10 CPU minutes, once)" "$work/build.log" "ninja_progress $work/build.log" \
        ninja -C "$work/build" "${ENGINE_TARGETS[@]}" || exit 1
    install_engine "$work"
    rm -rf "$work"
}

fetch_engine_source() {
    local work=$1 archive="$1/$ENGINE_PACKAGE-$ENGINE_VERSION.tgz"
    [[ -d $work/source ]] && return
    if ! sha256_is "$archive" "$ENGINE_SHA256"; then
        rm -rf "$archive" "$work/npm"
        mkdir -p "$work/npm"
        run_step "engine: downloading the source of llama.cpp" "$work/download.log" "bytes_progress $work/npm $ENGINE_BYTES" \
            npm pack --silent --cache "$work/npm" --pack-destination "$work" "$ENGINE_PACKAGE@$ENGINE_VERSION" || exit 1
        rm -rf "$work/npm"
        sha256_is "$archive" "$ENGINE_SHA256" ||
            fail "$ENGINE_PACKAGE-$ENGINE_VERSION.tgz does not have the pinned checksum; try again, and if it stays so report it"
    fi
    run_step "engine: unpacking the source" "$work/unpack.log" - unpack_engine_source "$work" "$archive" || exit 1
}

unpack_engine_source() {
    rm -rf "$1/source.part" "$1/package"
    tar -xzf "$2" -C "$1" package/llama/gitRelease.bundle &&
        git -c advice.detachedHead=false clone -q "$1/package/llama/gitRelease.bundle" "$1/source.part" &&
        fence_amx "$1/source.part/$AMX_FILE" &&
        rm -rf "$1/package" && mv "$1/source.part" "$1/source"
}

# fence_amx FILE: fails where the call is not there just once.
fence_amx() {
    [[ $(grep -cxF -- "$AMX_CALL" "$1") == 1 ]] || { echo "$1 is not as this script knows it"; return 1; }
    awk -v call="$AMX_CALL" -v fence="$AMX_FENCE" '$0 == call { print fence } { print }' "$1" >"$1.part" && mv "$1.part" "$1"
}

install_engine() {
    local work=$1 staged="$1/installed" target
    rm -rf "$staged"
    mkdir -p "$staged/bin" "$staged/lib" "$staged/include"
    for target in "${ENGINE_TARGETS[@]}"; do
        install -s "$work/build/bin/$target" "$staged/bin/$target"
    done
    find "$work/build/src" "$work/build/ggml" -name '*.a' -exec cp -t "$staged/lib" {} +
    cp "$work"/source/include/*.h "$work"/source/ggml/include/*.h "$staged/include/"
    cp "$work/source/LICENSE" "$staged/LICENSE"
    "$staged/bin/llama-server" --version >"$staged/VERSION" 2>&1 ||
        fail "the engine was built but does not run; see $staged/VERSION"
    mv "$staged" "$PLANETSERVE_ENGINE"
}

# asks_for_scoring VERB...: whether what is started is a `verifier` whose configuration names models to score by.
asks_for_scoring() {
    [[ $1 == verifier ]] || return 1
    local config=''
    while (($# > 0)); do
        case $1 in
            --config) config=${2:-} ;;
            --config=*) config=${1#*=} ;;
        esac
        shift
    done
    grep -q '^models:' "$config" 2>/dev/null
}
