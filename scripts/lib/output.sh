# Messages, progress and running long steps. Everything here writes to standard error, so that a
# verb's own output can be piped.

if [[ -t 2 && "${TERM:-dumb}" != dumb ]]; then OUTPUT_IS_TERMINAL=1; else OUTPUT_IS_TERMINAL=0; fi
if [[ $OUTPUT_IS_TERMINAL == 1 && -z "${NO_COLOR:-}" ]]; then
    STYLE_DIM=$'\e[2m' STYLE_RED=$'\e[31m' STYLE_GREEN=$'\e[32m' STYLE_END=$'\e[0m'
else
    STYLE_DIM='' STYLE_RED='' STYLE_GREEN='' STYLE_END=''
fi

# Seconds between progress lines where the line cannot be redrawn.
PROGRESS_INTERVAL=10

say() { printf '%s\n' "$*" >&2; }

fail() {
    printf '%splanetserve: %s%s\n' "$STYLE_RED" "$*" "$STYLE_END" >&2
    exit 1
}

# elapsed SECONDS: "7s" or "3m05s".
elapsed() {
    if (($1 < 60)); then printf '%ds' "$1"; else printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); fi
}

# The process groups of the step now running, and of what runs beside it, ended when the script is interrupted.
STEP_GROUP=''
BESIDE_GROUP=''
FETCH_GROUP=''
# Where this is 1, run_step only runs: no progress, no process group of its own.
RUN_STEP_PLAINLY=0

end_step_group() {
    local group
    for group in $STEP_GROUP $BESIDE_GROUP $FETCH_GROUP; do
        kill -TERM -- "-$group" 2>/dev/null || true
        wait "$group" 2>/dev/null || true
    done
    STEP_GROUP='' BESIDE_GROUP='' FETCH_GROUP=''
}

trap 'end_step_group; say ""; exit 130' INT
trap 'end_step_group; exit 143' TERM
trap 'end_step_group; exit 129' HUP
trap end_step_group EXIT

clear_progress() { if [[ $OUTPUT_IS_TERMINAL == 1 ]]; then printf '\r\e[K' >&2; fi; }

# run_step LABEL LOG PROGRESS COMMAND...
#
# Runs COMMAND with its output in LOG and shows how far it is: a line redrawn on a terminal, a line
# every ten seconds elsewhere. PROGRESS is a command (words split) that prints a short text such as
# "[12/310]", or "-" for none. A step of under a second that succeeds leaves no line. A step that
# fails shows the end of its log; run_step then returns its status.
run_step() {
    local label=$1 log=$2 progress=$3
    shift 3
    local begun=$SECONDS shown=$SECONDS pause=0.02 status=0 text
    mkdir -p "$(dirname "$log")"
    if ((RUN_STEP_PLAINLY)); then
        "$@" >"$log" 2>&1 </dev/null || { status=$?; say "$label: failed; see $log"; }
        return "$status"
    fi
    set -m # a process group of its own, so that an interrupt ends all of it
    "$@" >"$log" 2>&1 </dev/null &
    STEP_GROUP=$!
    set +m
    while kill -0 "$STEP_GROUP" 2>/dev/null; do
        sleep "$pause"
        if ((SECONDS - begun < 1)); then continue; fi
        pause=0.5
        if [[ $OUTPUT_IS_TERMINAL == 0 ]] && ((SECONDS - shown < PROGRESS_INTERVAL)); then continue; fi
        text=''
        if [[ $progress != - ]]; then text=$($progress 2>/dev/null || true); fi
        if [[ $OUTPUT_IS_TERMINAL == 1 ]]; then
            printf '\r\e[K%s %s%s %s%s' "$label" "$STYLE_DIM" "$(elapsed $((SECONDS - begun)))" "$text" "$STYLE_END" >&2
        else
            say "$label ... $(elapsed $((SECONDS - begun))) $text"
        fi
        shown=$SECONDS
    done
    wait "$STEP_GROUP" || status=$?
    STEP_GROUP=''
    clear_progress
    if ((status != 0)); then
        say "$label: ${STYLE_RED}failed${STYLE_END} after $(elapsed $((SECONDS - begun))); the end of $log:"
        tail -n 25 "$log" | sed 's/^/    /' >&2
    elif ((SECONDS - begun >= 1)); then
        say "$label: ${STYLE_GREEN}done${STYLE_END} in $(elapsed $((SECONDS - begun)))"
    fi
    return "$status"
}

# begin_fetching FUNCTION: downloads beside what follows, without a word. Whoever needs the files calls wait_fetching, and
# then fetches what is missing still, so that failures are told there.
begin_fetching() {
    mkdir -p "$ROOT/build/logs"
    set -m
    fetch_plainly "$1" >"$ROOT/build/logs/fetching.log" 2>&1 </dev/null &
    FETCH_GROUP=$!
    set +m
}

fetch_plainly() {
    set +m # one process group for all
    RUN_STEP_PLAINLY=1
    "$1"
}

wait_fetching() {
    [[ -n $FETCH_GROUP ]] || return 0
    run_step "downloads begun earlier" "$ROOT/build/logs/fetching-wait.log" - tail --pid="$FETCH_GROUP" -f /dev/null || true
    FETCH_GROUP=''
}

# ninja_progress LOG: the last "[done/all]" ninja printed.
ninja_progress() { tail -c 8192 "$1" | grep -oE '^\[[0-9]+/[0-9]+\]' | tail -n 1; }

# bytes_progress FOLDER TOTAL_BYTES: how much of a download lies in FOLDER.
bytes_progress() {
    local have
    have=$(du -sb "$1" 2>/dev/null | cut -f1)
    printf '%d of %d MB' $((have / 1000000)) $(($2 / 1000000))
}

# hold_lock NAME / release_lock: one bootstrap step at a time on this machine. The lock is a file
# descriptor, so it goes when the script ends, however it ends.
hold_lock() {
    mkdir -p "$CACHE/locks"
    exec 9>"$CACHE/locks/$1"
    if ! flock -n 9; then
        say "waiting for another planetserve that works on: $1"
        flock 9
    fi
}

release_lock() { exec 9>&-; }

# sha256_is FILE SUM: whether FILE exists and has that checksum.
sha256_is() { [[ -f $1 ]] && [[ $(sha256sum <"$1") == "$2  -" ]]; }
