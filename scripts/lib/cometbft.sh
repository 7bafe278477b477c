# CometBFT, the consensus engine of a committee of verification nodes. A single verification node does not need it, so it
# is built only for a committee.
#
# The hash of its tree, as Go computes it ("h1"), pins its module. The module holds the hashes of everything it is built
# from (go.sum). So the build does not depend on what a module proxy or checksum server says that day.

COMETBFT_VERSION=v0.38.25
COMETBFT_H1=h1:jtGSyssudmkjED2fk9wFGfd/fNyPKvLIinW62ELxZH4=
COMETBFT_MODULE=github.com/cometbft/cometbft
# The least version of Go that builds it, as its go.mod says.
COMETBFT_GO=1.22

# locate_cometbft: sets PLANETSERVE_COMETBFT to where the program is or will be. A caller may have set it to a program of
# the same version.
locate_cometbft() {
    [[ -n ${PLANETSERVE_COMETBFT:-} ]] && return
    PLANETSERVE_COMETBFT="$CACHE/cometbft/$COMETBFT_VERSION-$(uname -m)/cometbft"
    export PLANETSERVE_COMETBFT
}

# ensure_cometbft: builds it where this machine has none.
ensure_cometbft() {
    locate_cometbft
    [[ -x $PLANETSERVE_COMETBFT ]] && return
    hold_lock cometbft
    if [[ ! -x $PLANETSERVE_COMETBFT ]]; then build_cometbft; fi
    release_lock
}

# find_go: prints the path of a recent enough Go, from PATH or the usual folders.
find_go() {
    local go version
    for go in "$(command -v go || true)" /usr/local/go/bin/go "$HOME/go/bin/go" /usr/lib/go*/bin/go; do
        [[ -n $go && -x $go ]] || continue
        version=$("$go" env GOVERSION 2>/dev/null) || continue
        version=${version#go}
        if [[ $(printf '%s\n' "$COMETBFT_GO" "${version%%[!0-9.]*}" | sort -V | head -n 1) == "$COMETBFT_GO" ]]; then
            printf '%s' "$go"
            return
        fi
    done
    return 1
}

build_cometbft() {
    local go work installed
    go=$(find_go) ||
        fail "a committee needs CometBFT, which is built with Go $COMETBFT_GO or later; install it from https://go.dev/dl and put it in PATH, or start without --verifiers"
    installed=$(dirname "$PLANETSERVE_COMETBFT")
    work="$CACHE/cometbft/building-$(basename "$installed")"
    mkdir -p "$work"
    run_step "cometbft: downloading its source ($COMETBFT_VERSION)" "$work/download.log" - \
        fetch_cometbft_source "$go" "$work" || exit 1
    run_step "cometbft: building (about 1 to 3 CPU minutes, once)" "$work/build.log" - \
        compile_cometbft "$go" "$work" || exit 1
    [[ $("$work/installed/cometbft" version) == "${COMETBFT_VERSION#v}"* ]] ||
        fail "CometBFT was built but does not run; see $work"
    rm -rf "$installed"
    mv "$work/installed" "$installed"
    rm -rf "$work"
}

# in_go_work WORK COMMAND...: keeps modules and objects in the work folder, writable, so that it can be removed whole.
in_go_work() {
    local work=$1
    shift
    env GOPATH="$work/go" GOCACHE="$work/objects" GOFLAGS="-modcacherw -buildvcs=false -trimpath" GOWORK=off CGO_ENABLED=0 "$@"
}

fetch_cometbft_source() {
    local go=$1 work=$2 said
    [[ -d $work/source ]] && return
    mkdir -p "$work/empty"
    cd "$work/empty" || return
    in_go_work "$work" "$go" mod download -json "$COMETBFT_MODULE@$COMETBFT_VERSION" | tee "$work/module.json"
    said=$(sed -nE 's/^\s*"Sum": "([^"]+)".*/\1/p' "$work/module.json")
    if [[ $said != "$COMETBFT_H1" ]]; then
        rm -rf "$work/go"
        printf 'the source has the hash %s, not the pinned %s; try again, and if it stays so report it\n' "$said" "$COMETBFT_H1"
        return 1
    fi
    rm -rf "$work/source.part"
    cp -r "$work/go/pkg/mod/$COMETBFT_MODULE@$COMETBFT_VERSION" "$work/source.part" && mv "$work/source.part" "$work/source"
}

compile_cometbft() {
    local go=$1 work=$2
    cd "$work/source" || return
    rm -rf "$work/installed"
    mkdir -p "$work/installed"
    in_go_work "$work" "$go" build -ldflags "-s -w -X $COMETBFT_MODULE/version.TMGitCommitHash=" \
        -o "$work/installed/cometbft" ./cmd/cometbft &&
        cp LICENSE "$work/installed/LICENSE"
}
