#!/usr/bin/env python3
"""Counts the tests of a ctest run: count_gtest.py CTEST_JUNIT RESULTS.

CTEST_JUNIT is what ctest --output-junit wrote: one entry for each run of a test program. RESULTS is the folder of the XML
files that these programs wrote: one entry for each test. A program that died, or that failed without a failed test (a leak,
say), counts as one failure. The first line is "PASSED FAILED SKIPPED"; then one failure a line.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def tests_of(file):
    """(passed, failed names, skipped) of one program's XML file; None where it wrote none."""
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    passed, failed, skipped = 0, [], 0
    for case in root.iter("testcase"):
        if case.find("failure") is not None:
            failed.append(f"{case.get('classname')}.{case.get('name')}")
        elif case.get("result") == "skipped" or case.find("skipped") is not None:
            skipped += 1
        elif case.get("status") == "run":
            passed += 1
    return passed, failed, skipped


def main():
    runs, results = ElementTree.parse(sys.argv[1]).getroot(), pathlib.Path(sys.argv[2])
    passed, failed, skipped = 0, [], 0
    for run in runs.iter("testcase"):
        name, well = run.get("name"), run.get("status") == "run"
        counted = tests_of(results / f"{name}.xml")
        if counted is None:
            failed.append(f"{name}: the program {'wrote no results' if well else 'died'}")
            continue
        passed, failed, skipped = passed + counted[0], failed + counted[1], skipped + counted[2]
        if not well and not counted[1]:
            failed.append(f"{name}: the program failed after its tests passed")
    print(passed, len(failed), skipped)
    print("\n".join(failed))


if __name__ == "__main__":
    main()
