#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks docs/KNOWN_FAULTS.md against the tests: every fault names a test or says why it has none, every test named is
there, and every fault that a test's comment names is listed. Run by `make check`."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "KNOWN_FAULTS.md"
ROW = re.compile(r"^\| ([A-J]\d\d) \| (.+?) \| (.+) \|$")
COMMENT = re.compile(r"//.*?\bREPORTS\b([^\n]*)")


def tests_there_are():
    """Suite.Name of every test, with gtest's and unittest's as they stand in the sources."""
    found = set()
    for path in (ROOT / "tests").rglob("*_test.cpp"):
        found |= {".".join(names) for names in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text(), re.M)}
    for path in (ROOT / "tests").rglob("*_test.py"):
        suite = ""
        for line in path.read_text().splitlines():
            if match := re.match(r"class (\w+)", line):
                suite = match[1]
            elif match := re.match(r"    def (test_\w+)", line):
                found.add(f"{suite}.{match[1]}")
    return found


def main():
    tests, listed, problems = tests_there_are(), {}, []
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        if not (match := ROW.match(line)):
            continue
        where = f"{PAGE.relative_to(ROOT)}:{number}: {match[1]}"
        named = re.findall(r"`([\w/]+\.\w+)`", match[3])
        if match[1] in listed:
            problems.append(f"{where} is listed twice")
        listed[match[1]] = number
        if not named and not match[3].startswith("none: "):
            problems.append(f"{where} names no test and gives no reason")
        for name in named:
            if not ((ROOT / name).is_file() if "/" in name else name in tests):
                problems.append(f"{where}: there is no {name}")
    for path in sorted((ROOT / "tests").rglob("*_test.cpp")):
        for rest in COMMENT.findall(path.read_text()):
            for fault in re.findall(r"\b[A-J]\d\d\b", rest):
                if fault not in listed:
                    problems.append(f"{path.relative_to(ROOT)}: {fault} is not in {PAGE.name}")
    for problem in problems:
        print(problem)
    print(f"check_known_faults: {len(listed)} faults, {len(problems)} problems")
    return 1 if problems or len(listed) < 60 else 0


if __name__ == "__main__":
    sys.exit(main())
