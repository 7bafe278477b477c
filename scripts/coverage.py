#!/usr/bin/env python3
"""Prints line and branch coverage by folder: coverage.py ROOT BUILD, after the test programs of BUILD ran."""

import collections
import json
import pathlib
import subprocess
import sys

LLVM = "19"


def folder_of(path):
    """src/onion, src/adapters/api, eval/churn: two names, three under src/adapters."""
    parts = path.parts[:-1]
    return "/".join(parts[:3 if parts[:2] == ("src", "adapters") else 2])


def main():
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    profiles = sorted(map(str, (build / "profiles").glob("*.profraw")))
    programs = sorted(map(str, (build / "bin").glob("*_test")))
    if not profiles or not programs:
        sys.exit("coverage: no test program has run")
    merged = build / "tests.profdata"
    (build / "profiles.list").write_text("\n".join(profiles))
    subprocess.run([f"llvm-profdata-{LLVM}", "merge", "-sparse", "-f", build / "profiles.list", "-o", merged], check=True)
    objects = [word for program in programs[1:] for word in ("-object", program)]
    told = subprocess.run([f"llvm-cov-{LLVM}", "export", "-summary-only", "-instr-profile", merged, programs[0], *objects],
                          capture_output=True, text=True, check=True).stdout
    folders = collections.defaultdict(collections.Counter)
    for file in json.loads(told)["data"][0]["files"]:
        path = pathlib.Path(file["filename"])
        if root not in path.parents or build in path.parents or path.stem.endswith("_test"):
            continue
        for name in (folder_of(path.relative_to(root)), "all"):
            for kind in ("lines", "branches"):
                folders[name][kind] += file["summary"][kind]["count"]
                folders[name][kind + " reached"] += file["summary"][kind]["covered"]
    print(f"{'folder':28}{'lines':>8}{'reached':>9}{'branches':>10}{'reached':>9}")
    for name in sorted(folders, key=lambda name: (name == "all", name)):
        row = folders[name]

        def share(kind):
            return f"{100 * row[kind + ' reached'] / row[kind]:.1f} %" if row[kind] else "-"

        print(f"{name:28}{row['lines']:8}{share('lines'):>9}{row['branches']:10}{share('branches'):>9}")


if __name__ == "__main__":
    main()
