#!/usr/bin/env python3
"""Checks docs/parameters.md and docs/metrics.md against the code. Usage: scripts/check_parameters.py [ROOT]

Parameters: a table row is "| key | default | allowed | code | test |". Of keys of a configuration (the headings "Keys of
ROLE") there must be a row for each key that configs/ROLE.example.yaml names, and for no other; its default must be the
one that the example shows; every key that the code reads must be named. Of every row, "code" has pairs
`folder`: `text`, and the text must stand in a file of src/folder; "test" names tests that must exist, as `Suite.Name`,
or `file.py::name` of tests/functional, or is "none".

Metrics: the names in docs/metrics.md must be those in the code.

Each fault is a line; exit status 1 where there is one.
"""

import re
import sys
from pathlib import Path

ROLES = ("user", "model", "verifier")
PARAMETERS = "docs/parameters.md"
METRICS = "docs/metrics.md"
EXAMPLE_KEY = re.compile(r"^(\s*)(#\s+)?(- )?([a-z][a-z0-9_]*):(?:\s+(.*?))?\s*$")
PAIR = re.compile(r"`([\w/]+)`: `([^`]+)`")
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)", re.MULTILINE)
# Where a key stands in the code that reads a configuration: {"key", ...} or keys["key"].
CODE_KEY = re.compile(r'(?:\{|\[)\s*"([a-z][a-z0-9_]*)"\s*(?:,|\])')


def example_keys(file):
    """Full name of each key, also of those commented out, to the value that the example shows."""
    keys, stack = {}, []
    for line in file.read_text(encoding="utf-8").splitlines():
        match = EXAMPLE_KEY.match(line)
        if not match:
            continue
        space, comment, item, key, value = match.groups()
        indent = len(space) + (len(comment) - 2 if comment else 0) + (2 if item else 0)
        while stack and stack[-1][0] >= indent:
            stack.pop()
        name = ".".join([parent for _, parent in stack] + [key])
        stack.append((indent, key))
        # A key may be shown twice: its default, commented out, and then a value that an operator would set.
        if name not in keys or (comment and keys[name][1] is False):
            keys[name] = (value or "", bool(comment))
    parents = {name.rsplit(".", 1)[0] for name in keys if "." in name}
    return {name: value for name, (value, commented) in keys.items() if name not in parents}


def tables(text):
    """(heading, cells) of each row of a table under a heading of level 2."""
    heading = ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
        elif line.startswith("|") and not re.match(r"^\|[\s|:-]+\|$", line):
            yield heading, [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def plain(cell):
    return cell.replace("`", "").strip()


def sources(folder):
    return [file for file in sorted(folder.rglob("*")) if file.suffix in (".h", ".cpp") and not file.stem.endswith(("_test", "_fixture"))]


def squeeze(text):
    return re.sub(r"\s+", " ", text)


class Code:
    def __init__(self, root):
        self.root = root
        self.texts = {}
        self.tests = set()
        for folder in ("src", "simulator", "eval", "tests"):
            for file in (root / folder).rglob("*_test.cpp"):
                self.tests.update(f"{suite}.{name}" for suite, name in TEST.findall(file.read_text(encoding="utf-8")))
        for file in (root / "tests/functional").glob("test_*.py"):
            names = re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
            self.tests.update(f"{file.name}::{name}" for name in names)

    def stands_in(self, folder, text):
        if folder not in self.texts:
            self.texts[folder] = [squeeze(file.read_text(encoding="utf-8")) for file in sources(self.root / "src" / folder)]
        return any(squeeze(text) in other for other in self.texts[folder])


def check_parameters(root, problems):
    text = (root / PARAMETERS).read_text(encoding="utf-8")
    code = Code(root)
    shown = {role: example_keys(root / f"configs/{role}.example.yaml") for role in ROLES}
    listed = {role: {} for role in ROLES}
    rows = untested = 0
    for heading, cells in tables(text):
        if len(cells) != 5 or cells[0] in ("key", "what"):
            continue
        rows += 1
        name, default, _, where, tests = plain(cells[0]), plain(cells[1]), cells[2], cells[3], cells[4]
        if heading.startswith("Keys of "):
            of = [role for role in ROLES if role in heading] or list(ROLES)
            for role in of:
                listed[role][name] = default
        pairs = PAIR.findall(where)
        if not pairs:
            problems.append(f"{PARAMETERS}: {name}: no `folder`: `text` in the column of the code")
        for folder, literal in pairs:
            if not code.stands_in(folder, literal):
                problems.append(f"{PARAMETERS}: {name}: `{literal}` stands in no file of src/{folder}")
        if tests == "none":
            untested += 1
        else:
            for test in re.findall(r"`([^`]+)`", tests):
                if test not in code.tests:
                    problems.append(f"{PARAMETERS}: {name}: there is no test {test}")
    for role in ROLES:
        example = f"configs/{role}.example.yaml"
        for name in sorted(shown[role].keys() - listed[role].keys()):
            problems.append(f"{PARAMETERS}: no row for {name} of {example}")
        for name in sorted(listed[role].keys() - shown[role].keys()):
            problems.append(f"{example}: does not name {name}, of which {PARAMETERS} has a row")
        for name, default in listed[role].items():
            value = shown[role].get(name)
            if value is not None and default not in ("required", "none", "") and value != default:
                problems.append(f"{PARAMETERS}: the default of {name} is {default}, and {example} shows {value}")
    names = [name.split(".") for role in ROLES for name in shown[role]]
    leaves = {parts[-1] for parts in names}
    named = set(re.findall(r"`([a-z][a-z0-9_]*)`", text)).union(*names)
    readers = [file for file in sources(root / "src") if "config" in file.name or file.parent.name == "config"]
    read = set()
    for file in readers:
        if "yaml-cpp" in file.read_text(encoding="utf-8") or file.parent.name == "config":
            read.update(CODE_KEY.findall(file.read_text(encoding="utf-8")))
    for key in sorted(read - named):
        problems.append(f"{PARAMETERS}: does not name {key}, which the code reads")
    for key in sorted(leaves - read):
        problems.append(f"configs: name {key}, which the code does not read")
    return rows, untested


def metrics_in_code(root):
    found = set()
    for file in sources(root / "src"):
        prefix = ""
        for name in re.findall(r'"(planetserve_[a-z_]+)"|\b(?:value|count|set)\("([a-z_]+)"', file.read_text(encoding="utf-8")):
            whole, part = name
            if part.startswith("planetserve_"):
                whole = part
            if whole.endswith("_"):
                prefix = whole
            elif whole:
                found.add(whole)
            elif prefix:
                found.add(prefix + part)
    return found


def check_metrics(root, problems):
    named = set()
    for _, cells in tables((root / METRICS).read_text(encoding="utf-8")):
        named.update(name for name in re.findall(r"`(planetserve_[a-z_]+)", cells[0]))
    there = metrics_in_code(root)
    problems += [f"{METRICS}: no row for {name}" for name in sorted(there - named)]
    problems += [f"{METRICS}: {name} is in no code" for name in sorted(named - there)]
    return len(there)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    problems = []
    rows, untested = check_parameters(root, problems)
    metrics = check_metrics(root, problems)
    print("\n".join(problems) if problems else f"{rows} parameters ({untested} without a test), {metrics} metrics, as documented")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
