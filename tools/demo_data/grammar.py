# SPDX-License-Identifier: Apache-2.0
"""Template grammar of the demo model's data: [a|b] picks one, {x} fills a slot; used by every generator beside it.

A template is parsed once and cached. A slot's value may itself be a template. `polish` repairs articles, spaces and
capitals afterwards, so that templates need not care. Knows nothing of stories or chats.
"""
import re
from functools import lru_cache


@lru_cache(maxsize=None)
def parse(text):
    """Returns the template as a list of strings, ("slot", name) and ("any", [alternatives])."""
    def sequence(i, depth):
        parts, start = [], i
        while i < len(text) and not (depth and text[i] in "|]"):
            if text[i] == "{":
                end = text.index("}", i)
                parts += [text[start:i], ("slot", text[i + 1:end])]
                i = start = end + 1
            elif text[i] == "[":
                parts.append(text[start:i])
                alternatives = []
                while True:
                    part, i = sequence(i + 1, depth + 1)
                    alternatives.append(part)
                    if text[i] == "]":
                        break
                parts.append(("any", alternatives))
                i += 1
                start = i
            else:
                i += 1
        parts.append(text[start:i])
        return [p for p in parts if p], i
    return sequence(0, 0)[0]


def fill(parts, slots, rng):
    out = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif part[0] == "any":
            out.append(fill(rng.choice(part[1]), slots, rng))
        else:
            value = str(slots[part[1]])
            out.append(fill(parse(value), slots, rng) if "[" in value or "{" in value else value)
    return "".join(out)


ARTICLE = re.compile(r"\b([Aa]) (?=(?!one\b|uni|use|euro|ukulele|unicorn)[aeiouAEIOU])")
AFTER_STOP = re.compile(r'((?:^"?|[.!?] "?|\." "?|\n"?))([a-z])')


def polish(text):
    text = re.sub(r" +", " ", text).replace(" .", ".").replace(" ,", ",").replace("\n ", "\n").strip()
    text = ARTICLE.sub(r"\1n ", text)
    return AFTER_STOP.sub(lambda m: m.group(1) + m.group(2).upper(), text)


def say(template, rng, slots=None):
    """One finished text from a template."""
    return polish(fill(parse(template), slots or {}, rng))
