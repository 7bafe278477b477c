#!/usr/bin/env python3
"""Prints "PASSED FAILED" for a JUnit report. Skipped tests count as neither; an unreadable report is exit status 1."""

import sys
import xml.etree.ElementTree as ElementTree

try:
    suites = list(ElementTree.parse(sys.argv[1]).getroot().iter("testsuite"))
except (OSError, ElementTree.ParseError) as problem:
    sys.exit(f"{sys.argv[1]}: {problem}")


def total(attribute):
    return sum(int(suite.get(attribute, "0")) for suite in suites)


failed = total("failures") + total("errors")
print(total("tests") - failed - total("skipped"), failed)
