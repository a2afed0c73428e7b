# SPDX-License-Identifier: Apache-2.0
"""Reads facts.txt, tables.txt and poems.txt into plain dictionaries. Called by tasks.py and chats.py."""

from pathlib import Path

HERE = Path(__file__).parent


def sections(name):
    """{section: [line, ...]} of one of the text files."""
    result = {}
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            rows = result.setdefault(line[3:], [])
        elif line and not line.startswith("#"):
            rows.append(line)
    return result


FACTS = {name: [tuple(line.split(" || ")) for line in lines] for name, lines in sections("facts.txt").items()}
TABLES = {name: [tuple(line.split(": ", 1)) for line in lines] for name, lines in sections("tables.txt").items()}
LISTS = {kind: row.split(", ") for kind, row in TABLES["lists"]}
POEMS = {name: [line.split("|") for line in lines] for name, lines in sections("poems.txt").items()}
