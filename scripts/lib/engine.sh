# The inference engine: llama.cpp. Its source is a git bundle in the npm package node-llama-cpp. For common processors
# its libraries come compiled, in @node-llama-cpp/linux-x64 and -linux-arm64; then only llama-server and llama-quantize
# are compiled here. Nothing is downloaded but these packages of one version, each with a pinned checksum.
#
# The result lies in the cache under a key of everything that shapes it. The last step is one rename, so a folder with
# that name is always complete. Its layout:
#
#     bin       llama-server, llama-quantize; with prebuilt libraries also these: the programs find them there
#     lib       static libraries, of a build from source only
#     include   the libraries' headers, for the scorer
#     LICENSE, VERSION

ENGINE_VERSION=3.22.1
ENGINE_SOURCE_PACKAGE=node-llama-cpp
ENGINE_SOURCE_SHA256=a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f
ENGINE_SOURCE_BYTES=35735663
ENGINE_TARGETS=(llama-server llama-quantize)
# The project that links the programs with prebuilt libraries.
ENGINE_PROJECT="$ROOT/cmake/engine"
# The prebuilt libraries need this version of glibc, or a later one.
ENGINE_GLIBC=2.34

# Flags of a build from source: a release without what the overlay does not use (the web page, downloads, TLS). Static, so
# that the scorer's program needs nothing of the cache folder.
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

# g++ 12 believes that _tile_loadconfig reads 8 of the 64 bytes that it is given, and does not write the others. A
# processor with AMX then faults at the first prompt. This line makes g++ write all of them. Other processors do not
# need it.
AMX_FILE=ggml/src/ggml-cpu/amx/mmq.cpp
AMX_CALL='    _tile_loadconfig(&tc);'
AMX_FENCE='    asm volatile("" : : "r"(&tc) : "memory");'

# prebuilt_libraries: sets PREBUILT_PACKAGE, PREBUILT_SHA256 and PREBUILT_BYTES for this machine; fails where there are
# none for it.
prebuilt_libraries() {
    case $(uname -s)-$(uname -m) in
        Linux-x86_64)
            PREBUILT_PACKAGE=@node-llama-cpp/linux-x64
            PREBUILT_SHA256=0d953e1503d5ab4608d8ed5b739132308c81ac05ffeb760d2a7f30e08a9f90e0
            PREBUILT_BYTES=10824547
            ;;
        Linux-aarch64)
            PREBUILT_PACKAGE=@node-llama-cpp/linux-arm64
            PREBUILT_SHA256=39c76b998e35ed2f236c01472fc79eda0fc558b1c8b535023c2d7ded8c327cc4
            PREBUILT_BYTES=7340902
            ;;
        *) return 1 ;;
    esac
    has_glibc "$ENGINE_GLIBC"
}

# has_glibc VERSION: whether this system's C library is glibc, of that version or a later one.
has_glibc() {
    local version
    version=$(getconf GNU_LIBC_VERSION 2>/dev/null) || return 1
    [[ $(printf '%s\n' "$1" "${version#glibc }" | sort -V | head -n 1) == "$1" ]]
}

# choose_engine: sets ENGINE_FROM to prebuilt or source. PLANETSERVE_ENGINE_FROM decides where it is set; without it, the
# prebuilt libraries are taken wherever they run.
choose_engine() {
    case ${PLANETSERVE_ENGINE_FROM:-} in
        '') if prebuilt_libraries; then ENGINE_FROM=prebuilt; else ENGINE_FROM=source; fi ;;
        source) ENGINE_FROM=source ;;
        prebuilt)
            prebuilt_libraries || fail "no prebuilt engine runs on this system: unset PLANETSERVE_ENGINE_FROM to build it from source"
            ENGINE_FROM=prebuilt
            ;;
        *) fail "PLANETSERVE_ENGINE_FROM is \"$PLANETSERVE_ENGINE_FROM\"; it can be prebuilt or source" ;;
    esac
}

# engine_key: prints the name of the engine's folder. Call choose_engine first.
engine_key() {
    local features parts
    parts=("$ENGINE_SOURCE_SHA256" "${ENGINE_TARGETS[@]}" "$(uname -m)" "$(g++ -dumpfullversion)")
    if [[ $ENGINE_FROM == prebuilt ]]; then
        parts+=("$PREBUILT_SHA256" "$(<"$ENGINE_PROJECT/CMakeLists.txt")")
    else
        # The build uses every feature of the processor that builds it.
        features=$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo | cut -d: -f2 | tr ' ' '\n' | sort -u)
        parts+=("${ENGINE_FLAGS[@]}" "$features")
        if [[ $features == *amx_tile* ]]; then parts+=("$AMX_FENCE"); fi
    fi
    printf '%s-%s-%s' "$ENGINE_VERSION" "$ENGINE_FROM" "$(printf '%s\n' "${parts[@]}" | sha256sum | cut -c1-12)"
}

# locate_engine: sets PLANETSERVE_ENGINE to where the engine is or will be. The caller may have set it, to an engine
# of its own in the same layout.
locate_engine() {
    [[ -n ${PLANETSERVE_ENGINE:-} ]] && return
    choose_engine
    PLANETSERVE_ENGINE="$CACHE/engine/$(engine_key)"
    export PLANETSERVE_ENGINE
}

# ensure_engine: builds the engine if this machine has none.
ensure_engine() {
    locate_engine
    [[ -d $PLANETSERVE_ENGINE ]] && return
    [[ -n ${ENGINE_FROM:-} ]] || fail "there is no engine in PLANETSERVE_ENGINE ($PLANETSERVE_ENGINE); unset it to build one"
    hold_lock engine
    if [[ ! -d $PLANETSERVE_ENGINE ]]; then build_engine; fi
    release_lock
}

# build_engine: an interrupted build resumes. The work folder is removed at the end.
build_engine() {
    local work
    work="$CACHE/engine/building-$(basename "$PLANETSERVE_ENGINE")"
    mkdir -p "$work"
    fetch_engine_source "$work"
    if [[ $ENGINE_FROM == prebuilt ]]; then
        fetch_engine_libraries "$work"
        compile_engine "$work" "about 2 CPU minutes" "$ENGINE_PROJECT" \
            -DLLAMA_SOURCE="$work/source" -DLLAMA_LIBRARIES="$work/libraries"
    else
        compile_engine "$work" "about 10 CPU minutes" "$work/source" "${ENGINE_FLAGS[@]}"
    fi
    install_engine "$work"
    rm -rf "$work"
}

# compile_engine WORK HOW_LONG PROJECT FLAG...
compile_engine() {
    local work=$1 how_long=$2 project=$3
    shift 3
    run_step "engine: configuring llama.cpp" "$work/configure.log" - \
        cmake -S "$project" -B "$work/build" -G Ninja "$@" || exit 1
    run_step "engine: compiling llama.cpp ($how_long, once)" "$work/build.log" "ninja_progress $work/build.log" \
        ninja -C "$work/build" "${ENGINE_TARGETS[@]}" || exit 1
}

# fetch_npm_package WORK PACKAGE SHA256 BYTES LABEL: downloads the package of version ENGINE_VERSION and sets ARCHIVE to it.
fetch_npm_package() {
    local work=$1 package=$2 sum=$3 bytes=$4 label=$5 name
    name=${package#@}
    ARCHIVE="$work/${name//\//-}-$ENGINE_VERSION.tgz"
    if ! sha256_is "$ARCHIVE" "$sum"; then
        rm -rf "$ARCHIVE" "$work/npm"
        mkdir -p "$work/npm"
        run_step "engine: downloading $label" "$work/download.log" "bytes_progress $work/npm $bytes" \
            npm pack --silent --cache "$work/npm" --pack-destination "$work" "$package@$ENGINE_VERSION" || exit 1
        rm -rf "$work/npm"
        sha256_is "$ARCHIVE" "$sum" ||
            fail "$package $ENGINE_VERSION does not have the pinned checksum; try again, and report it if the error remains"
    fi
}

fetch_engine_source() {
    [[ -d $1/source ]] && return
    fetch_npm_package "$1" "$ENGINE_SOURCE_PACKAGE" "$ENGINE_SOURCE_SHA256" "$ENGINE_SOURCE_BYTES" "the source of llama.cpp"
    run_step "engine: unpacking the source" "$1/unpack.log" - unpack_engine_source "$1" "$ARCHIVE" || exit 1
}

unpack_engine_source() {
    rm -rf "$1/source.part" "$1/package"
    tar -xzf "$2" -C "$1" package/llama/gitRelease.bundle &&
        git -c advice.detachedHead=false clone -q "$1/package/llama/gitRelease.bundle" "$1/source.part" &&
        fence_amx "$1/source.part/$AMX_FILE" &&
        rm -rf "$1/package" && mv "$1/source.part" "$1/source"
}

# fence_amx FILE: adds the line AMX_FENCE. Fails unless the file has the call exactly once.
fence_amx() {
    [[ $(grep -cxF -- "$AMX_CALL" "$1") == 1 ]] || { echo "$1 is not as this script knows it"; return 1; }
    awk -v call="$AMX_CALL" -v fence="$AMX_FENCE" '$0 == call { print fence } { print }' "$1" >"$1.part" && mv "$1.part" "$1"
}

fetch_engine_libraries() {
    [[ -d $1/libraries ]] && return
    fetch_npm_package "$1" "$PREBUILT_PACKAGE" "$PREBUILT_SHA256" "$PREBUILT_BYTES" "llama.cpp's libraries"
    run_step "engine: unpacking the libraries" "$1/unpack-libraries.log" - unpack_engine_libraries "$1" "$ARCHIVE" || exit 1
}

unpack_engine_libraries() {
    rm -rf "$1/libraries.part" "$1/package"
    mkdir -p "$1/libraries.part"
    tar -xzf "$2" -C "$1" package/bins package/LICENSE &&
        mv "$1"/package/bins/*/lib*.so "$1/package/LICENSE" "$1/libraries.part/" &&
        rm -rf "$1/package" && mv "$1/libraries.part" "$1/libraries"
}

install_engine() {
    local work=$1 staged="$1/installed" target
    rm -rf "$staged"
    mkdir -p "$staged/bin" "$staged/include"
    for target in "${ENGINE_TARGETS[@]}"; do
        install -s "$work/build/bin/$target" "$staged/bin/$target"
    done
    if [[ $ENGINE_FROM == prebuilt ]]; then
        install -m 0644 "$work"/libraries/lib*.so "$staged/bin/"
        cp "$work/libraries/LICENSE" "$staged/LICENSE.$ENGINE_SOURCE_PACKAGE"
    else
        mkdir -p "$staged/lib"
        find "$work/build/src" "$work/build/ggml" -name '*.a' -exec cp -t "$staged/lib" {} +
    fi
    cp "$work"/source/include/*.h "$work"/source/ggml/include/*.h "$staged/include/"
    cp "$work/source/LICENSE" "$staged/LICENSE"
    "$staged/bin/llama-server" --version >"$staged/VERSION" 2>&1 ||
        fail "the engine was built but does not run; see $staged/VERSION"
    mv "$staged" "$PLANETSERVE_ENGINE"
}
