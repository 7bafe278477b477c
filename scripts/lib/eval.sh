# `planetserve eval NAME --out DIR ...`: builds build/release/bin/planetserve_eval and hands over to it. The experiments
# that start servers themselves find the engine and the models by PLANETSERVE_ENGINE and PLANETSERVE_MODELS.

EVAL_PROGRAM="$ROOT/build/release/bin/planetserve_eval"

eval_verb() {
    local need engine_was_there=0
    locate_engine
    if [[ -d $PLANETSERVE_ENGINE ]]; then engine_was_there=1; fi
    build_eval
    for need in $("$EVAL_PROGRAM" needs "$@"); do ensure_need "$need"; done
    # Experiments that score answers are part of the program where the engine's libraries are at hand.
    if [[ $engine_was_there == 0 && -d $PLANETSERVE_ENGINE ]]; then build_eval; fi
    exec "$EVAL_PROGRAM" "$@"
}

# build_eval: the experiments; and the program, since some of them start networks of its nodes.
build_eval() {
    hold_lock "build-$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)"
    configure_preset release release || exit 1
    build_targets release planetserve_eval planetserve || exit 1
    release_lock
}

# ensure_routers: installs the routers that `eval peers` compares with, each in an environment of its own, since both
# have a command of the same name. A router that cannot be installed is left out of the comparison.
ensure_routers() {
    if [[ -z ${PLANETSERVE_SGLANG_ROUTER:-} ]] && ensure_venv "$ROOT/eval/peers/sglang-router.txt"; then
        export PLANETSERVE_SGLANG_ROUTER="$VENV/bin/python"
    fi
    if [[ -z ${PLANETSERVE_SMG:-} ]] && ensure_venv "$ROOT/eval/peers/smg.txt"; then
        export PLANETSERVE_SMG="$VENV/bin/python"
    fi
}

# eval_help: prints the program's own help where it is built.
eval_help() {
    if [[ -x $EVAL_PROGRAM ]]; then exec "$EVAL_PROGRAM" "$@"; fi
    cat <<HELP
Runs the experiments; each writes CSV files, figures and summary.json.

    ./planetserve eval list                                which there are
    ./planetserve eval NAME --out DIR [--seed N] [--quick] one of them
    ./planetserve eval all --quick --out DIR               those that need no servers
HELP
}
