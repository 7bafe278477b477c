# `planetserve eval NAME --out DIR ...`: builds build/release/bin/planetserve_eval and hands over to it. The experiments
# that start servers themselves find the engine and the models by PLANETSERVE_ENGINE and PLANETSERVE_MODELS.

EVAL_PROGRAM="$ROOT/build/release/bin/planetserve_eval"

eval_verb() {
    locate_engine
    if starts_engines "$@"; then
        ensure_engine
        ensure_default_models
    fi
    hold_lock "build-$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)"
    configure_preset release release || exit 1
    # Some of those that start engines start networks of the program's own nodes, too.
    build_targets release planetserve_eval planetserve || exit 1
    release_lock
    if [[ ${1:-} == peers ]] && ! asks_for_help "$@"; then ensure_routers; fi
    exec "$EVAL_PROGRAM" "$@"
}

# starts_engines NAME ...: whether this experiment runs llama-server.
starts_engines() {
    local argument
    if asks_for_help "$@"; then return 1; fi
    for argument in "$@"; do
        case $argument in
            peers | verification | --local | --live) return 0 ;;
        esac
    done
    return 1
}

# ensure_routers: the routers that `eval peers` compares with, each in an environment of its own, since both bring a
# command of the same name. One that cannot be had is left out of the comparison.
ensure_routers() {
    if [[ -z ${PLANETSERVE_SGLANG_ROUTER:-} ]] && ensure_venv "$ROOT/eval/peers/sglang-router.txt"; then
        export PLANETSERVE_SGLANG_ROUTER="$VENV/bin/python"
    fi
    if [[ -z ${PLANETSERVE_SMG:-} ]] && ensure_venv "$ROOT/eval/peers/smg.txt"; then
        export PLANETSERVE_SMG="$VENV/bin/python"
    fi
}

# eval_help: the program's own where it is built.
eval_help() {
    if [[ -x $EVAL_PROGRAM ]]; then exec "$EVAL_PROGRAM" "$@"; fi
    cat <<HELP
Runs the experiments; each writes CSV files, figures and summary.json.

    ./planetserve eval list                                which there are
    ./planetserve eval NAME --out DIR [--seed N] [--quick] one of them
    ./planetserve eval all --quick --out DIR               those that need no servers
HELP
}
