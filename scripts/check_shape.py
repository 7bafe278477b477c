#!/usr/bin/env python3
"""Checks names and lengths in the C++ sources: check_shape.py [ROOT].

- A function has at most 70 lines, so that it is seen at once.
- A file has at most 500 lines, so that it is read in one sitting; tests too.
- No two headers of src and simulator have one name, or "store.h" does not tell which.
- No two files define types of one name in one namespace: a program that links both has undefined behaviour.
- Within a target no two files give one name to different things in anonymous namespaces: a unity build compiles them together.

Exceptions stand below, each with its reason; one that is needed no more is a fault as well. Each fault is a line; exit status 1
where there is one.
"""

import collections
import pathlib
import re
import sys

FUNCTION_LINES = 70
FILE_LINES = 500
FOLDERS = ("src", "simulator", "eval", "bench", "tests")
UNITY_BATCH = 10  # CMAKE_UNITY_BUILD_BATCH_SIZE in cmake/Targets.cmake

# file or file:function -> why it may be longer
A_SWITCH = "a switch over what the input's next byte asks for; its cases share the locals"
LONGER = {
    "tests/fuzz/clove.cpp:mutated": A_SWITCH,
    "tests/fuzz/model_side.cpp:LLVMFuzzerTestOneInput": A_SWITCH,
    "tests/fuzz/relay.cpp:LLVMFuzzerTestOneInput": A_SWITCH,
}
# header name -> why there may be several
SAME_NAME = {}

CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.DOTALL)
CONTROL = re.compile(r"\s*(?:else\b|if\b|for\b|while\b|switch\b|do\b|try\b|catch\b|return\b)")
SCOPE = re.compile(r"\b(?:namespace|struct|class|union|extern)\b[^()]*$")
NAME = re.compile(r"([\w:~]+|operator\s*\S+)\s*\(")


def blanked(text):
    """The text with comments and literals blanked, lines kept."""
    return CODE.sub(lambda match: " " + "\n" * match.group().count("\n"), text)


def functions(text):
    """(name, first line, lines) of each function that is defined in a file, class or namespace."""
    text, line, begun, statement = blanked(text), 1, 1, ""
    stack = []  # (is scope, name or None, first line)
    for character in text:
        if character == "\n":
            line += 1
        if character == "{":
            within_scope = all(scope for scope, _, _ in stack)
            scope = bool(SCOPE.search(statement))
            name = None
            if within_scope and not scope and not CONTROL.match(statement) and (match := NAME.search(statement)):
                name = match.group(1)
            stack.append((scope, name, begun))
            statement = ""
        elif character == "}":
            if stack:
                _, name, first = stack.pop()
                if name:
                    yield name, first, line - first + 1
            statement = ""
        elif character == ";":
            statement = ""
        else:
            if not statement.strip() and not character.isspace():
                begun = line
            statement += character


def anonymous_names(text):
    """name -> declaration, of what stands in anonymous namespaces and could clash. clang-format keeps these at column 0."""
    found, depth, within = {}, 0, 0  # within: the depth of what stands in the anonymous namespace; 0: outside of one
    for line in blanked(text).splitlines():
        begun, depth = depth, depth + line.count("{") - line.count("}")
        if line.rstrip() == "namespace {":
            within = depth
        elif depth < within:
            within = 0
        if not within or begun != within or not re.match(r"[a-z]", line) or re.match(r"namespace|using namespace|static_assert", line):
            continue
        match = re.match(r"(?:struct|class|enum class|enum|union) (\w+)", line) or re.match(r"using (\w+) =", line)
        if not match and "(" not in line.partition("=")[0].partition("{")[0]:
            match = re.match(r"[^={;]*?\b(\w+)(?:\[\w*\])*\s*[={;]", line)
        if not match:
            match = re.match(r"(?![^(]*=).*?\b(\w+)(\([^)]*\))", line)
        if match:
            found[match.group(1) + (types_of(match.group(2)) if match.lastindex == 2 else "")] = line.strip()
    return found


def types_of(parameters):
    """Parameters without their names: functions that differ in types may have one name."""
    return "(" + ", ".join(re.sub(r"\s*\b\w+(\s*=.*)?$", "", part.strip()) for part in parameters[1:-1].split(",")) + ")"


def targets(root):
    """(target, files) as the CMakeLists.txt files name them."""
    for lists in sorted(root.glob("**/CMakeLists.txt")):
        if lists.relative_to(root).parts[0] not in FOLDERS:
            continue
        text = re.sub(r"#.*", "", lists.read_text(encoding="utf-8"))
        for command, words in re.findall(r"(planetserve_library|planetserve_test|add_library|add_executable)\s*\(([^)]*)\)", text):
            files = [lists.parent / word for word in words.split() if word.endswith(".cpp")]
            yield f"{lists.parent.relative_to(root)}: {command}({words.split()[0]})", [file for file in files if file.exists()]


def check_lengths(root, sources):
    needed = set()
    for source in sources:
        where, text = str(source.relative_to(root)), source.read_text(encoding="utf-8")
        too_long = [(where, f"has {text.count(chr(10))} lines, {FILE_LINES} are permitted")] if text.count("\n") > FILE_LINES else []
        too_long += [(f"{where}:{name}", f"(line {first}) has {lines} lines, {FUNCTION_LINES} are permitted")
                     for name, first, lines in functions(text) if lines > FUNCTION_LINES]
        for what, fault in too_long:
            needed.add(what)
            if what not in LONGER:
                yield f"{what} {fault}"
    for what in sorted(LONGER.keys() - needed):
        yield f"scripts/check_shape.py: {what} needs no exception any more"


def check_header_names(root, sources):
    places = collections.defaultdict(list)
    for source in sources:
        if source.suffix == ".h" and source.relative_to(root).parts[0] in ("src", "simulator"):
            places[source.name].append(str(source.relative_to(root)))
    for name, paths in sorted(places.items()):
        if len(paths) > 1 and name not in SAME_NAME:
            yield f"{name} is the name of several headers: {', '.join(paths)}"
    for name in sorted(SAME_NAME):
        if len(places[name]) < 2:
            yield f"scripts/check_shape.py: {name} needs no exception any more"


def named_types(text):
    """namespace::name of each type that is defined outside of anonymous namespaces. clang-format keeps these at column 0."""
    namespace, anonymous = "", False
    for line in blanked(text).splitlines():
        if match := re.match(r"namespace ([\w:]+) \{", line):
            namespace = match.group(1)
        if line.rstrip() in ("namespace {", "}"):
            anonymous = line.startswith("namespace")
        match = re.match(r"(?:class|struct|union|enum class|enum) (\w+)(?![\w:])[^;]*$", line)
        if match and not anonymous:
            yield f"{namespace}::{match.group(1)}"


def check_type_names(root, sources):
    defined = collections.defaultdict(set)
    for path in sources:
        for type_name in named_types(path.read_text(encoding="utf-8")):
            defined[type_name].add(str(path.relative_to(root)))
    for type_name, files in sorted(defined.items()):
        if len(files) > 1:
            yield f"{type_name} is defined in {' and '.join(sorted(files))}"


def check_anonymous_names(root):
    for target, files in targets(root):
        for begin in range(0, len(files), UNITY_BATCH):
            places = collections.defaultdict(list)
            for file in files[begin:begin + UNITY_BATCH]:
                for name, declared in anonymous_names(file.read_text(encoding="utf-8")).items():
                    places[name].append((file.name, declared))
            # A function and a variable or type of one name clash too, whatever the function takes.
            for name in [name for name in places if "(" in name and name.partition("(")[0] in places]:
                places[name.partition("(")[0]] += places[name]
            for name, uses in sorted(places.items()):
                if len(uses) > 1 and not all(declared.startswith("using ") and declared == uses[0][1] for _, declared in uses):
                    yield f"{target}: {name} is declared in the anonymous namespaces of {' and '.join(file for file, _ in uses)}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    sources = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*")) if path.suffix in (".h", ".cpp")]
    problems = [*check_lengths(root, sources), *check_header_names(root, sources), *check_type_names(root, sources), *check_anonymous_names(root)]
    print("\n".join(problems) if problems else f"{len(sources)} files, lengths and names as permitted")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
