# SPDX-License-Identifier: Apache-2.0
"""Reads Princeton WordNet 3.0 (Debian package wordnet-base) into the small word lists that the generators use.

Result: {"animal": [...], "person": [...], "thing": [...], "common" and "definitions": [[word, "noun"|"verb"|"adjective",
gloss]], the words most frequent in WordNet's own counts, "rare": [...]}. The same WordNet gives the same lists.
"""

import re
from pathlib import Path

LEXNAMES = {5: "animal", 18: "person", 6: "thing"}
# Words that would hurt or frighten as the hero or the thing of a small story.
UNFIT = set(
    (
        "addict bastard black bomb brothel cocaine condom corpse cripple dead devil drug drunk gay god gun "
        "hell heroin hooker idiot indian jew killer lover messiah mistress murderer nazi pimp pistol prick "
        "prophet prostitute rapist retard rifle savage slave terrorist virgin weapon white whore "
    ).split()
)
SLUR = re.compile(r"n[ei]g+(ro|er)$")


def clean_gloss(gloss):
    gloss = re.sub(r"\([^)]*\)", "", gloss.split(";")[0].split('"')[0]).strip()
    return re.sub(r"\s+", " ", gloss)


def read_wordnet(folder):
    folder = Path(folder)
    counts = {}
    for line in (folder / "cntlist.rev").read_text(encoding="latin-1").splitlines():
        key, number, count = line.split()
        word, rest = key.split("%")
        kind, lexname = rest.split(":")[:2]
        counts.setdefault((word, kind), []).append((int(number), int(count), int(lexname)))
    lists, definitions, rare = {name: set() for name in LEXNAMES.values()}, [], set()
    for pos, kinds, name in (("noun", "1", "noun"), ("verb", "2", "verb"), ("adj", "35", "adjective")):
        glosses = {}
        for line in (folder / f"data.{pos}").read_text(encoding="latin-1").splitlines():
            if line[0] != " ":
                glosses[line[:8]] = (int(line[9:11]), clean_gloss(line.split(" | ", 1)[1]))
        for line in (folder / f"index.{pos}").read_text(encoding="latin-1").splitlines():
            if line[0] == " ":
                continue
            fields = line.split()
            word, offset = fields[0], fields[-int(fields[2])]
            lexname, gloss = glosses[offset]
            if not re.fullmatch(r"[a-z]{3,12}", word) or word in UNFIT or SLUR.match(word):
                continue
            seen = sum(c for k in kinds for _, c, _ in counts.get((word, k), []))
            if pos == "noun" and seen and lexname in LEXNAMES:
                lists[LEXNAMES[lexname]].add(word)
            if seen >= (2 if pos == "noun" else 6) and 12 <= len(gloss) <= 90 and word not in gloss.split():
                definitions.append((-seen, word, name, gloss))
            elif not seen and pos == "noun" and len(word) > 5:
                rare.add(word)
    known = [list(d[1:]) for d in sorted(definitions)[:4000]]
    return {
        **{k: sorted(v) for k, v in lists.items()},
        "common": known[:1000],
        "definitions": known,
        "rare": sorted(rare)[::12],
    }
