#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks style that clang-format does not: SPDX lines, file and function length, forbidden file names, TODO, machine
paths and registry hosts, tabs and trailing blanks, comments that name a test which is not there, types of one name and
namespace in two headers (the linker would take either's members for both). Generated tables (tensor/tables) are exempt
from length.
Run by `make test`; prints every breach as file:line and exits 1."""
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = {".h", ".cpp", ".cu", ".cuh", ".inc"}
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|common|misc|manager)(_|\.|$)")
FILE_CAP, MEDIAN_CAP, FUNCTION_CAP, KERNEL_CAP = 800, 250, 80, 150
FORBIDDEN_TEXT = [
    (re.compile(r"\bTODO\b|\bFIXME\b|\bXXX\b"), "TODO without an owner"),
    (re.compile(r"/work/|/root/|\.pyenv"), "path of a machine"),
    (re.compile(r"https?://[^\s\"')]*(pypi|debian\.org|files\.pythonhosted)"), "registry host"),
]
NAMESPACE = re.compile(r"^namespace ([\w:]+) \{", re.MULTILINE)
TYPE = re.compile(r"^(?:struct|class|enum class) (\w+)[^;{]*\{", re.MULTILINE)
TEST_PATH = re.compile(r"\btests/[\w/*-]+\.(?:cpp|py|c|sh|h)\b")


def function_lengths(lines):
    """(first line, length, name) of bodies that open at the end of a line starting in column 0 (Google style: nothing
    inside a namespace is indented, so a closing brace in column 0 ends what such a line opened)."""
    start, header = None, ""
    for number, line in enumerate(lines, 1):
        if start is None:
            opens = line.rstrip().endswith("{") and not line.startswith((" ", "}", "#", "//"))
            skip = re.match(r"(namespace|extern|struct|class|enum|union|template\s*<[^>]*>\s*(struct|class)|"
                            r"(static |inline |constexpr |const )*[\w:<>, ]+\s+\w+(\[\w*\])*\s*=?\s*\{)", line)
            if opens and not skip:
                start, header = number, line
        elif line.startswith("}"):
            yield start, number - start + 1, header.strip()
            start = None


def main():
    problems, lengths, types = [], [], {}
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True,
                            capture_output=True, check=True).stdout.split("\n")
    for name in sorted(filter(None, listed)):
        path = ROOT / name
        if not path.is_file() or name.startswith(("tests/data/", "models/", "tests/fuzz/corpus")):
            continue
        if path.suffix not in CODE | {".py", ".md", ".cmake", ".sh", ".txt", ".ts", ".css"} and path.name not in {"Makefile", "run"}:
            continue
        text = path.read_text(errors="replace")
        lines = text.split("\n")
        if FORBIDDEN_NAMES.search(path.stem) and path.suffix in CODE:
            problems.append(f"{name}:1: a file name that says nothing")
        for number, line in enumerate(lines, 1):
            if path.name != "check_style.py":
                for pattern, why in FORBIDDEN_TEXT:
                    if pattern.search(line):
                        problems.append(f"{name}:{number}: {why}")
            for test in TEST_PATH.findall(line) if path.suffix in CODE | {".md"} else []:
                if not any(ROOT.glob(test)):
                    problems.append(f"{name}:{number}: there is no {test}")
            if path.suffix != ".md" and line != line.rstrip():
                problems.append(f"{name}:{number}: trailing blanks")
            if "\t" in line and path.suffix in CODE:
                problems.append(f"{name}:{number}: tab")
        if path.suffix in CODE or path.suffix in {".py", ".sh", ".ts", ".css"}:
            if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(lines[:3]):
                problems.append(f"{name}:1: no SPDX line")
        if path.suffix in CODE and "tables/" not in name:
            if len(lines) > FILE_CAP:
                problems.append(f"{name}:1: {len(lines)} lines, cap {FILE_CAP}")
            if name.startswith(("src/", "apps/")):
                lengths.append(len(lines))
            if name.startswith(("src/", "apps/")) and path.suffix in {".h", ".cuh"}:
                for of_namespace in NAMESPACE.findall(text)[:1]:
                    for of_type in TYPE.findall(text):
                        first = types.setdefault((of_namespace, of_type), name)
                        if first != name:
                            problems.append(f"{name}:1: {of_namespace}::{of_type} is defined in {first} too")
            cap = KERNEL_CAP if name.startswith(("src/cpu/", "src/cuda/")) else FUNCTION_CAP
            if not name.startswith("tests/"):
                for start, length, header in function_lengths(lines):
                    if length > cap:
                        problems.append(f"{name}:{start}: function of {length} lines, cap {cap}: {header[:60]}")
    if lengths and statistics.median(lengths) > MEDIAN_CAP:
        problems.append(f"src: median file length {statistics.median(lengths)}, cap {MEDIAN_CAP}")
    for problem in problems:
        print(problem)
    print(f"check_style: {len(problems)} breaches")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
