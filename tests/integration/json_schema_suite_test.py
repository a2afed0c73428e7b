#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official JSON-Schema-Test-Suite, draft 2020-12, required and optional tests: every schema is either enforced (its
valid instances are accepted by the grammar and its invalid ones rejected) or refused with a JSON pointer. Instances are
written in the form that the grammar produces: compact, whole numbers without fraction, properties in an order that is
declared (several orders are tried). What is stricter on purpose is listed below with the reason.

usage: json_schema_suite_test.py PROBE SUITE_FOLDER [-v]     (PROBE: the program grammar_probe)"""
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

PROBE, SUITE = sys.argv[1], Path(sys.argv[2])
VERBOSE = "-v" in sys.argv
if not SUITE.is_dir():
    print(f"skipped: no test suite in {SUITE}; tools/setup.sh test fetches it")
    sys.exit(77)

# Valid instances that the grammar does not produce: (file, words of the group or test) -> reason.
STRICTER = [
    ("format.json", "", "formats are always enforced; the standard's default is to note them only"),
    ("optional/format/date-time.json", "leap second", "leap seconds are not produced"),
    ("optional/format/time.json", "leap second", "leap seconds are not produced"),
    ("optional/format/email.json", "quoted string", "addresses have plain local parts"),
    ("optional/format/email.json", "address-literal", "addresses have host names"),
    ("optional/float-overflow.json", "1e+308", "numbers with bounds have no exponents and at most 64 digits"),
    ("unevaluatedProperties.json", "when two match and has no unevaluated",
     "beside unevaluatedProperties a text keeps to the properties of one branch of anyOf"),
    ("vocabulary.json", "invalid number", "keywords are enforced whatever $schema says about vocabularies"),
]


def canonical(value):
    """As generated text has it: a float that is whole is written as an integer."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    return value


def declared_keys(schema, found):
    if isinstance(schema, dict):
        for key, child in schema.items():
            if key in ("properties", "const", "dependentSchemas") and isinstance(child, dict):
                found.extend(child)
            if key == "required" and isinstance(child, list):
                found.extend(k for k in child if isinstance(k, str))
            declared_keys(child, found)
    elif isinstance(schema, list):
        for child in schema:
            declared_keys(child, found)
    return found


def ordered(value, rank):
    if isinstance(value, list):
        return [ordered(item, rank) for item in value]
    if isinstance(value, dict):
        return {key: ordered(value[key], rank) for key in sorted(value, key=lambda k: rank.get(k, len(rank)))}
    return value


def texts_of(value, schema):
    value = canonical(value)
    rank = {}
    for key in declared_keys(schema, []):
        rank.setdefault(key, len(rank))
    candidates = [ordered(value, rank), value]
    if isinstance(value, dict) and len(value) <= 4:
        candidates += [dict(order) for order in itertools.permutations(value.items())]
    texts = [json.dumps(candidate, ensure_ascii=False, separators=(",", ":")) for candidate in candidates]
    return list(dict.fromkeys(texts))


def main():
    probe = subprocess.Popen([PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(request):
        probe.stdin.write(json.dumps(request) + "\n")
        probe.stdin.flush()
        return json.loads(probe.stdout.readline())

    counts = {"schemas": 0, "enforced": 0, "refused": 0, "valid": 0, "accepted": 0, "stricter": 0, "invalid": 0, "rejected": 0}
    failures, reasons = [], {}
    files = sorted(SUITE.rglob("*.json"))
    for path in files:
        name = path.relative_to(SUITE).as_posix()
        for group in json.loads(path.read_text()):
            counts["schemas"] += 1
            all_texts = [texts_of(test["data"], group["schema"]) for test in group["tests"]]
            reply = ask({"schema": group["schema"], "open": True, "texts": sum(all_texts, [])})
            where = f"{name}: {group['description']}"
            if "error" in reply:
                counts["refused"] += 1
                problem = re.fullmatch(r'(schema #\S*: )(.*)', reply["error"], re.S)
                if not problem:
                    failures.append(f"{where}: refused without a pointer: {reply['error']}")
                never = all(not test["valid"] for test in group["tests"])
                if "no value satisfies" in reply["error"] and not never:
                    failures.append(f"{where}: called impossible: {reply['error']}")
                reason = re.sub(r'"[^"]*"', '"..."', reply["error"].split(": ", 1)[1])[:70]
                reasons[reason] = reasons.get(reason, 0) + 1
                if VERBOSE:
                    print("refused", where, "|", reply["error"])
                continue
            counts["enforced"] += 1
            accepted = iter(reply["accepted"])
            for test, texts in zip(group["tests"], all_texts):
                ok = any([next(accepted) for _ in texts])
                label = f"{where}: {test['description']}: {texts[0][:100]}"
                stricter = any(name == file and words in label for file, words, _ in STRICTER)
                if test["valid"]:
                    counts["valid"] += 1
                    counts["accepted"] += ok
                    if not ok and stricter:
                        counts["stricter"] += 1
                    elif not ok:
                        failures.append(f"valid, not accepted: {label}")
                else:
                    counts["invalid"] += 1
                    counts["rejected"] += not ok
                    if ok:
                        failures.append(f"INVALID, accepted: {label}")
    probe.stdin.close()
    probe.wait()
    for reason, n in sorted(reasons.items(), key=lambda item: -item[1]):
        print(f"  {n:4} refused: {reason}")
    for failure in failures:
        print(failure)
    print(f"{len(files)} files, {counts['schemas']} schemas: {counts['enforced']} enforced, {counts['refused']} refused with a pointer; "
          f"of the enforced, {counts['accepted']} of {counts['valid']} valid instances accepted "
          f"({counts['stricter']} stricter on purpose), {counts['rejected']} of {counts['invalid']} invalid ones rejected")
    print(f"{len(failures)} failures")
    return 1 if failures or counts["schemas"] < 300 else 0


if __name__ == "__main__":
    sys.exit(main())
