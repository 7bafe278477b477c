#!/usr/bin/env python3
"""Checks each unit of a build folder: check_units.py tidy|alone BUILD CACHE.

tidy   runs clang-tidy. BUILD was configured by the preset "tidy": its units are unity sources, so that each header is read
       once for ten files.
alone  has clang read each source by itself, which shows an #include that is missing and that another file of a unity source
       would bring. BUILD was configured by the preset "alone".

A unit without findings is remembered in CACHE under a hash of all that was seen of it (command, configuration, sources and
headers of this tree), and not read again before one of them changes. Findings go to standard output; exit status 1 where
there are any.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

CLANG_TIDY = "clang-tidy-19"


def generate_sources(build):
    """What the build itself writes, and nothing can be read without: headers of protobuf, the version."""
    listed = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], capture_output=True, text=True, check=True).stdout
    outputs = [line.split(":")[0] for line in listed.splitlines()]
    generated = [output for output in outputs if output.startswith("generated/") and output.endswith((".h", ".cpp"))]
    if generated:
        subprocess.run(["ninja", "-C", build, *generated], check=True, stdout=subprocess.DEVNULL)


# What clang-tidy reads: what nodes run, its unit tests, and the simulator. Experiments and benchmarks would double its time.
TIDY_FOLDERS = ("src", "simulator")


def units(build, tool):
    with open(build / "compile_commands.json", encoding="utf-8") as file:
        entries = json.load(file)
    entries = [entry for entry in entries if not entry["file"].endswith(".pb.cc")]
    if tool == "tidy":
        entries = [entry for entry in entries if os.path.relpath(entry["file"], build).split(os.sep)[0] in TIDY_FOLDERS]
    return entries


def compiler(entry):
    """The unit's command without its output."""
    command = shlex.split(entry["command"])
    del command[command.index("-o"):command.index("-o") + 2]
    return command


def content_key(tool, entry, root):
    """Of the command, the configuration, and every file of this tree that the unit includes."""
    command = compiler(entry)
    listed = subprocess.run([*command, "-MM", "-MT", "unit"], cwd=entry["directory"], capture_output=True, text=True, check=True).stdout
    key = hashlib.sha256((tool + entry["command"]).encode())
    key.update((root / ".clang-tidy").read_bytes())
    for name in sorted(set(listed.replace("\\\n", " ").split()[1:])):
        path = pathlib.Path(entry["directory"], name)
        if root in path.parents:
            key.update(name.encode() + b"\0" + path.read_bytes())
    return key.hexdigest()


def check(tool, entry, build, cache, root):
    """What was found in one unit."""
    stamp = cache / content_key(tool, entry, root)
    if stamp.exists():
        return ""
    if tool == "tidy":
        command = [CLANG_TIDY, "-p", build, "--quiet", entry["file"]]
    else:
        command = [*compiler(entry), "-fsyntax-only"]
    done = subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True)
    if done.returncode == 0:
        stamp.touch()
        return ""
    return done.stdout + done.stderr


def main():
    tool, build, cache = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])
    root = pathlib.Path(__file__).resolve().parents[1]
    cache.mkdir(parents=True, exist_ok=True)
    generate_sources(build)
    entries, found = units(build, tool), 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {pool.submit(check, tool, entry, build, cache, root): entry for entry in entries}
        for number, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            text = job.result()
            print(f"[{number}/{len(entries)}] {os.path.relpath(jobs[job]['file'], build)}", flush=True)
            if text:
                found += 1
                print(text, flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
