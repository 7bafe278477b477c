# System packages, from the lists scripts/packages.txt and scripts/packages-test.txt.

# ensure_packages LIST...: installs what is missing. A stamp that names the lists and the state of
# the package database makes the second call cost milliseconds.
ensure_packages() {
    local stamp list missing=()
    [[ -f /var/lib/dpkg/status ]] || { check_other_system && return; }
    stamp="$CACHE/stamps/packages-$( (cat "$@" && stat -c %Y /var/lib/dpkg/status) | sha256sum | cut -c1-16)"
    [[ -f $stamp ]] && return
    for list in "$@"; do mapfile -t -O "${#missing[@]}" missing < <(missing_packages "$list"); done
    if ((${#missing[@]} > 0)); then
        hold_lock packages
        install_packages "${missing[@]}"
        release_lock
        stamp="$CACHE/stamps/packages-$( (cat "$@" && stat -c %Y /var/lib/dpkg/status) | sha256sum | cut -c1-16)"
    fi
    mkdir -p "$CACHE/stamps"
    touch "$stamp"
}

# missing_packages LIST: the packages of a list that are wanted here and not installed, one a line.
missing_packages() {
    local name condition
    while read -r name _ condition; do
        [[ -z $name || $name == \#* ]] && continue
        if [[ $condition == unless=* ]] && has_command "${condition#unless=}"; then continue; fi
        # shellcheck disable=SC2016 # the format is dpkg-query's, not the shell's
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || printf '%s\n' "$name"
    done <"$1"
}

# has_command NAME: NAME is a command, or one of Python's modules that Debian packages by themselves.
has_command() {
    case $1 in
        pip) python3 -m pip --version >/dev/null 2>&1 ;;
        venv) python3 -c 'import venv, ensurepip' >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

install_packages() {
    local log="$ROOT/build/logs/packages.log" as_root=()
    if ((EUID != 0)); then
        if sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        else
            fail "packages are missing and need root: sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
        fi
    fi
    # As a plain command line, so that sudo needs no environment of ours.
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
    run_step "packages: reading the lists" "$log" - "${apt[@]}" update || exit 1
    run_step "packages: installing $# of Debian's" "$log" "apt_progress $log $#" \
        "${apt[@]}" install -y --no-install-recommends "$@" || exit 1
}

apt_progress() {
    local fetched unpacked set_up
    fetched=$(grep -c '^Get:' "$1" || true)
    unpacked=$(grep -c '^Unpacking ' "$1" || true)
    set_up=$(grep -c '^Setting up ' "$1" || true)
    printf '%s fetched, %s unpacked, %s set up' "$fetched" "$unpacked" "$set_up"
}

# check_other_system: on a system that is not Debian's nothing is installed; this only says what is needed.
check_other_system() {
    local tool
    for tool in g++ cmake ninja pkg-config git npm node python3 protoc flock; do
        command -v "$tool" >/dev/null 2>&1 ||
            fail "no $tool here, and this is not a Debian system: install the equivalents of the packages in scripts/packages.txt"
    done
}
