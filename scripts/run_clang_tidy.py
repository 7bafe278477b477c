#!/usr/bin/env python3
"""Runs clang-tidy over a build folder: run_clang_tidy.py BUILD CACHE. BUILD was configured by the preset "tidy".

It reads the unity sources, so each header is read once for ten files. A unit without findings is remembered in CACHE under a
hash of all that clang-tidy saw of it (command, configuration, sources and headers of this tree), and not read again before
one of them changes. Findings go to standard output; exit status 1 where there are any.
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


def generate_headers(build):
    """The protobuf headers and others that the build writes, without which nothing can be read."""
    listed = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], capture_output=True, text=True, check=True).stdout
    headers = [line.split(":")[0] for line in listed.splitlines() if line.split(":")[0].endswith(".h")]
    if headers:
        subprocess.run(["ninja", "-C", build, *headers], check=True, stdout=subprocess.DEVNULL)


def units(build):
    with open(build / "compile_commands.json", encoding="utf-8") as file:
        entries = json.load(file)
    return [entry for entry in entries if not entry["file"].endswith(".pb.cc")]


def content_key(entry, root):
    """Of the command, the configuration, and every file of this tree that the unit includes."""
    command = shlex.split(entry["command"])
    del command[command.index("-o"):command.index("-o") + 2]
    listed = subprocess.run([*command, "-MM", "-MT", "unit"], cwd=entry["directory"], capture_output=True, text=True, check=True).stdout
    key = hashlib.sha256((CLANG_TIDY + entry["command"]).encode())
    key.update((root / ".clang-tidy").read_bytes())
    for name in sorted(set(listed.replace("\\\n", " ").split()[1:])):
        path = pathlib.Path(entry["directory"], name)
        if root in path.parents:
            key.update(name.encode() + b"\0" + path.read_bytes())
    return key.hexdigest()


def check(entry, build, cache, root):
    """What clang-tidy found in one unit."""
    stamp = cache / content_key(entry, root)
    if stamp.exists():
        return ""
    done = subprocess.run([CLANG_TIDY, "-p", build, "--quiet", entry["file"]], capture_output=True, text=True)
    if done.returncode == 0 and "warning:" not in done.stdout:
        stamp.touch()
        return ""
    return done.stdout or done.stderr


def main():
    build, cache = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    root = pathlib.Path(__file__).resolve().parents[1]
    cache.mkdir(parents=True, exist_ok=True)
    generate_headers(build)
    entries, found = units(build), 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {pool.submit(check, entry, build, cache, root): entry for entry in entries}
        for number, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            text = job.result()
            print(f"[{number}/{len(entries)}] {os.path.relpath(jobs[job]['file'], build)}", flush=True)
            if text:
                found += 1
                print(text, flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
