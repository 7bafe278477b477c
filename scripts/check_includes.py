#!/usr/bin/env python3
"""Checks that dependencies between folders run one way.

docs/architecture.md lists the permitted dependencies, in a block fenced as ```dependencies, one line for each folder:

    onion: wire dispersal crypto base
    adapters/links: base crypto wire

A folder may use itself and the folders its line names, nothing else. Where the table names folders inside a folder,
such as adapters/links, each of them is a folder of its own. Tests and their fixtures may also use the simulator.

The script checks the #include lines of a folder's sources, the planetserve_* targets that its CMakeLists.txt files link,
and that an outside library is used by its owners alone (LIBRARIES below). It prints each violation as
"file:line: message" and then exits with status 1.
"""

import re
import sys
from pathlib import Path

TABLE_FILE = "docs/architecture.md"
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
TARGET = re.compile(r"\bplanetserve_([a-z0-9_]+)")
DEFINITION = re.compile(r"\b(?:planetserve_library\s*\(\s*|add_library\s*\(\s*planetserve_)([a-z0-9_]+)")
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(([^()]*)\)", re.DOTALL)
# Targets that belong to no folder.
SHARED_TARGETS = {"flags"}
# Folders outside src that tests, and only tests, may use.
TEST_FOLDERS = {"simulator"}
# How the names of files that only tests are built from end.
TEST_ENDINGS = ("_test", "_fixture")

# (headers, folders that may include them, how to say so). "adapters" stands for every adapter.
LIBRARIES = [
    (
        re.compile(r"(thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|latch|barrier|stop_token)"),
        {"adapters", "apps", "local", "roles"},
        "threads stay in src/adapters, src/roles, src/local and src/apps; ThreadSanitizer runs the tests of these alone",
    ),
    (re.compile(r"sodium(\.h|/.*)"), {"crypto"}, "libsodium is used by src/crypto alone"),
    (
        re.compile(r"openssl/(ssl|err|x509|x509v3|x509_vfy|bio|pem|tls1)\.h"),
        {"crypto", "adapters"},
        "OpenSSL's TLS is used by src/crypto and src/adapters alone",
    ),
    (re.compile(r"openssl/.*"), {"crypto"}, "OpenSSL's ciphers and keys are used by src/crypto alone"),
    (re.compile(r"(isa-l(\.h|/.*)|erasure_code\.h|gf_vect_mul\.h)"), {"dispersal"}, "ISA-L is used by src/dispersal alone"),
    (
        re.compile(r"boost/(asio|beast)(\.hpp|/.*)"),
        {"adapters", "roles"},
        "sockets, threads and clocks (Boost.Asio, Boost.Beast) stay in src/adapters and src/roles",
    ),
    (re.compile(r"sqlite3\.h"), {"adapters/storage"}, "SQLite is used by src/adapters/storage alone"),
    (re.compile(r"zmq\.(h|hpp)"), {"adapters/vllm"}, "ZeroMQ is used by src/adapters/vllm alone"),
    (
        re.compile(r"yaml-cpp/.*"),
        {"config", "adapters/llama"},
        "yaml-cpp is used by src/config and src/adapters/llama (the catalogue) alone",
    ),
    (
        re.compile(r"curl/.*"),
        {"adapters/http", "adapters/llama", "apps"},
        "libcurl is used by src/adapters/http, src/adapters/llama (downloads) and main alone",
    ),
]


def read_table(root):
    """folder -> the folders it may use."""
    path = root / TABLE_FILE
    if not path.is_file():
        sys.exit(f"{TABLE_FILE}: missing; it holds the table of permitted dependencies")
    block = re.search(r"^```dependencies\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if block is None:
        sys.exit(f"{TABLE_FILE}: no block fenced as ```dependencies")
    table = {}
    for line in block.group(1).splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, colon, used = line.partition(":")
        if not colon:
            sys.exit(f'{TABLE_FILE}: expected "folder: folders it may use", not "{line}"')
        table[folder.strip()] = set(used.split())
    for folder, used in table.items():
        for name in sorted(used - table.keys()):
            sys.exit(f"{TABLE_FILE}: {folder} may use {name}, which has no line of its own")
    check_one_way(table)
    return table


def check_one_way(table):
    """The table itself must have no cycle."""
    state = {}

    def visit(folder, trail):
        if state.get(folder) == "done":
            return
        if state.get(folder) == "open":
            sys.exit(f"{TABLE_FILE}: a cycle: {' -> '.join(trail + [folder])}")
        state[folder] = "open"
        for name in sorted(table[folder]):
            visit(name, trail + [folder])
        state[folder] = "done"

    for folder in table:
        visit(folder, [])


def divided(table):
    """Folders whose own folders have lines of their own: {"adapters"}."""
    return {name.split("/")[0] for name in table if "/" in name}


def folder_of(header, table):
    """The folder an #include path leads to: "adapters/links" of "adapters/links/link.h"."""
    parts = header.split("/")
    return "/".join(parts[:2]) if parts[0] in divided(table) else parts[0]


def folders_of(root, table):
    """(name, path) of each folder to check: those of src, and others at the root that the table names."""
    for path in sorted((root / "src").iterdir()):
        if path.is_dir() and path.name in divided(table):
            for inner in sorted(path.iterdir()):
                if inner.is_dir():
                    yield f"{path.name}/{inner.name}", inner
        elif path.is_dir():
            yield path.name, path
    for name in sorted(table.keys() | TEST_FOLDERS):
        if not (root / "src" / name).is_dir() and (root / name).is_dir():
            yield name, root / name


def without_comments(text):
    """The text with comments blanked, lines kept. Good enough for #include lines."""
    return re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group().count("\n"), text, flags=re.DOTALL)


def check_sources(root, name, path, table, folders):
    for source in sorted(path.rglob("*")):
        if source.suffix not in (".h", ".cpp", ".cc", ".hpp"):
            continue
        text = without_comments(source.read_text(encoding="utf-8"))
        allowed = table[name] | {name} | (TEST_FOLDERS if source.stem.endswith(TEST_ENDINGS) else set())
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            where = f"{source.relative_to(root)}:{number}"
            header = match.group(1) or match.group(2)
            used = folder_of(header, table)
            if match.group(1) and "/" in header and used in folders and used not in allowed:
                yield f'{where}: {name} may not include "{header}" ({TABLE_FILE} permits: {permitted(table[name])})'
            for pattern, owners, rule in LIBRARIES:
                if pattern.fullmatch(header):
                    # Programs outside src (simulator, bench) are no part of the stairs.
                    if (root / "src") in source.parents and not {name, name.split("/")[0]} & owners:
                        yield f"{where}: <{header}> in {name}: {rule}"
                    break


def check_targets(root, name, path, table, target_folder):
    for lists in sorted(path.rglob("CMakeLists.txt")):
        text = re.sub(r"#.*", "", lists.read_text(encoding="utf-8"))
        for call in CALL.finditer(text):
            command, arguments = call.groups()
            test = command == "planetserve_test" or re.match(r"\s*\w+_test\b", arguments)
            allowed = table[name] | {name} | (TEST_FOLDERS if test else set())
            for match in TARGET.finditer(arguments):
                target = match.group(1)
                used = target_folder.get(target)
                if target in SHARED_TARGETS or used in allowed:
                    continue
                where = f"{lists.relative_to(root)}:{text.count(chr(10), 0, call.start(2) + match.start()) + 1}"
                if used is None:
                    yield f"{where}: planetserve_{target} is defined in no folder"
                else:
                    yield f"{where}: {name} may not link planetserve_{target} ({TABLE_FILE} permits: {permitted(table[name])})"


def permitted(folders):
    return " ".join(sorted(folders)) or "nothing"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    table = read_table(root)
    folders = dict(folders_of(root, table))
    problems = [
        f"src/{name}: no line in the table of {TABLE_FILE}" for name in folders if name not in table and name not in TEST_FOLDERS
    ]
    known = {name: path for name, path in folders.items() if name in table}
    # Which folder defines which target; a folder's own name stands for it before it has a CMakeLists.txt.
    target_folder = {name.replace("/", "_"): name for name in table.keys() | TEST_FOLDERS}
    for name, path in folders.items():
        for lists in path.rglob("CMakeLists.txt"):
            for target in DEFINITION.findall(lists.read_text(encoding="utf-8")):
                target_folder[target] = name
    for name, path in known.items():
        problems += check_sources(root, name, path, table, folders)
        problems += check_targets(root, name, path, table, target_folder)
    print("\n".join(problems) if problems else f"{len(known)} folders, dependencies as permitted")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
