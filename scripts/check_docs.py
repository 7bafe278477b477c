#!/usr/bin/env python3
"""Checks the Markdown files of the repository. Usage: scripts/check_docs.py [ROOT]

- A link inside the repository leads to a file that exists and, where it names one, to a heading of it.
- A path in backticks that begins with a folder of the repository, such as `src/onion/relay.h`, exists.
- Prose is at most 100 columns wide. Tables, code, headings and lines without a space to break at may be wider.
- The README has at most 150 lines.
- The picture of the network is what scripts/draw_network.py draws.

Each fault is a line; exit status 1 where there is one.
"""

import re
import subprocess
import sys
from pathlib import Path

WIDTH = 100
README_LINES = 150
PATH = re.compile(r"`((?:src|eval|bench|tests|simulator|scripts|configs|docs|cmake|packaging)/[\w./*-]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(text):
    """(line number, line) of what is no code, fenced or indented after a blank line."""
    fenced = code = False
    blank = True
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if fenced:
            continue
        if line.strip():
            indented = line.startswith("    ")
            code = indented and (code or (blank and not re.match(r"\s*([-*]|\d+\.)\s", line)))
            blank = False
        else:
            blank = True
            continue
        if not code:
            yield number, line


def anchors(text):
    """The names that a site gives to headings."""
    found = set()
    for _, line in prose(text):
        if line.startswith("#"):
            title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line.lstrip("#").strip())
            found.add(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"))
    return found


def path_of_a_template(path):
    """Names such as bench/NAME.cpp, and what a build or a run leaves."""
    return re.search(r"[A-Z]{4,}", Path(path).name) is not None


def check_file(root, file, problems):
    text = file.read_text(encoding="utf-8")
    name = file.relative_to(root)
    for number, line in prose(text):
        wide = len(line) > WIDTH and " " in line.strip()[: WIDTH - 2]
        if wide and not line.lstrip().startswith(("|", "#", "![")):
            problems.append(f"{name}:{number}: {len(line)} columns; prose has at most {WIDTH}")
        for path in PATH.findall(line):
            if not any(root.glob(path.rstrip("/"))) and not path_of_a_template(path):
                problems.append(f"{name}:{number}: there is no {path}")
        for link in LINK.findall(line):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            if not target.exists():
                problems.append(f"{name}:{number}: the link {link} leads nowhere")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
                problems.append(f"{name}:{number}: {path or name} has no heading #{anchor}")


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "*.md"], capture_output=True, text=True, check=True).stdout
    files = [root / name for name in listed.split("\0") if name and (root / name).is_file()]
    problems = []
    for file in files:
        check_file(root, file, problems)
    lines = len((root / "README.md").read_text(encoding="utf-8").splitlines())
    if lines > README_LINES:
        problems.append(f"README.md: {lines} lines; at most {README_LINES}")
    drawn = subprocess.run([sys.executable, root / "scripts/draw_network.py", "--check"], capture_output=True, text=True, check=False)
    if drawn.returncode != 0:
        problems.append(drawn.stdout.strip() or drawn.stderr.strip())
    print("\n".join(problems) if problems else f"{len(files)} pages, links and widths as they should be")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
