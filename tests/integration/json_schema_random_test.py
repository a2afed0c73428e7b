#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random texts from grammars of random schemas: each must be JSON and valid for the Python module jsonschema, and none may
run into a dead end (the probe checks that, and that masks agree with single tokens).

usage: json_schema_random_test.py PROBE [N_SCHEMAS [SEED]]       (five texts a schema)"""
import json
import random
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: the Python module jsonschema is not installed")
    sys.exit(77)

PROBE = sys.argv[1]
N_SCHEMAS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
RANDOM = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 7)
TEXTS_EACH = 5
PATTERNS = ["^[a-z]{1,8}$", "ab", "^x", "z$", "^(foo|bar)+$", "^[A-Z][a-z]*( [A-Z][a-z]*)?$", "[0-9]{3}", "^$|^no", "^.{2,4}$",
            "^[^\"\\\\]*$", "^\\+?[0-9-]{5,12}$", "é", "^[\\u4e00-\\u4eff]{1,3}$", "\\\\"]
FORMATS = ["date", "time", "date-time", "uuid", "email", "ipv4", "ipv6", "uri", "hostname", "duration"]
KEYS = ["name", "kind", "a", "b", "zip code", "naïve", "q\"uote", "x1", "x2", "value", "", "back\\slash"]


def number_schema(kind):
    schema = {"type": kind}
    whole = kind == "integer"
    low = RANDOM.randint(-2000, 2000) if whole or RANDOM.random() < .5 else round(RANDOM.uniform(-50, 50), 3)
    span = RANDOM.choice([0, 1, 7, 100, 12345]) + (0 if whole else RANDOM.choice([0, .5, .125]))
    if RANDOM.random() < .5:
        schema["minimum"] = low
    elif RANDOM.random() < .4:
        schema["exclusiveMinimum"] = low
    if RANDOM.random() < .4:
        schema["maximum"] = low + span
    elif RANDOM.random() < .4:
        schema["exclusiveMaximum"] = low + span + 1
    if RANDOM.random() < .25:
        schema["multipleOf"] = RANDOM.choice([2, 3, 5, 10, 7] if whole else [2, .5, .25, 5])
    return schema


def string_schema():
    schema = {"type": "string"}
    choice = RANDOM.random()
    if choice < .3:
        schema["pattern"] = RANDOM.choice(PATTERNS)
    elif choice < .5:
        schema["format"] = RANDOM.choice(FORMATS)
        return schema
    elif choice < .6:
        schema["not"] = {"enum": ["", "a", "ab"]}
    if RANDOM.random() < .3:
        schema["minLength"] = RANDOM.randint(0, 4)
    if RANDOM.random() < .3:
        schema["maxLength"] = RANDOM.choice([4, 6, 9, 30, 2000, 10**9])
    return schema


def value(depth=0):
    choice = RANDOM.random()
    if choice < .2 and depth < 2:
        return [value(depth + 1) for _ in range(RANDOM.randint(0, 3))]
    if choice < .4 and depth < 2:
        return {RANDOM.choice(KEYS): value(depth + 1) for _ in range(RANDOM.randint(0, 3))}
    return RANDOM.choice([None, True, False, 0, -3, 2.5, 1e-3, "", "text", "a\"b\\c\nd", "é😀", 10**12])


def array_schema(depth):
    schema = {"type": "array"}
    if RANDOM.random() < .7:
        schema["items"] = any_schema(depth + 1)
    if RANDOM.random() < .3:
        schema["prefixItems"] = [any_schema(depth + 1) for _ in range(RANDOM.randint(1, 3))]
    if RANDOM.random() < .4:
        schema["minItems"] = RANDOM.randint(0, 3)
    if RANDOM.random() < .4:
        schema["maxItems"] = RANDOM.randint(3, 5)
    if len(schema) == 1 and RANDOM.random() < .5:
        schema["contains"] = any_schema(depth + 1)
    elif RANDOM.random() < .1:
        return {"type": "array", "items": {"enum": ["x", "y", True, 3, None]}, "uniqueItems": True, "minItems": 2}
    return schema


def object_schema(depth):
    keys = RANDOM.sample(KEYS, RANDOM.randint(0, 5))
    schema = {"type": "object", "properties": {key: any_schema(depth + 1) for key in keys}}
    if keys and RANDOM.random() < .7:
        schema["required"] = RANDOM.sample(keys, RANDOM.randint(1, len(keys)))
    choice = RANDOM.random()
    if choice < .3:
        schema["additionalProperties"] = False
    elif choice < .5:
        schema["additionalProperties"] = any_schema(depth + 1)
    if RANDOM.random() < .2:
        schema["patternProperties"] = {RANDOM.choice(["^x", "[0-9]$", "^[a-m]"]): any_schema(depth + 1)}
    if RANDOM.random() < .1:
        schema["propertyNames"] = {"pattern": "^[a-z]*$"}
        schema.pop("required", None)
    if RANDOM.random() < .15:
        schema["minProperties"] = RANDOM.randint(0, max(1, len(keys)))
    if RANDOM.random() < .15:
        schema["maxProperties"] = max(len(schema.get("required", [])), RANDOM.randint(1, 4), schema.get("minProperties", 0))
    if len(keys) >= 2 and RANDOM.random() < .15:
        schema["dependentRequired"] = {keys[0]: [keys[1]]}
    if len(keys) >= 2 and RANDOM.random() < .15:
        schema["if"] = {"properties": {keys[0]: {"enum": ["text", True, ""]}}, "required": [keys[0]]}
        schema["properties"][keys[0]] = {"type": ["string", "boolean", "null"]}
        schema["then"] = {"required": [keys[1]]}
        schema["else"] = {"properties": {keys[1]: {"type": "integer"}}}
    if depth > 0 and RANDOM.random() < .1:
        schema["dependentSchemas"] = {"extra": {"properties": {"more": any_schema(depth + 1)}, "required": ["more"]}}
        schema["anyOf"] = [{"properties": {"one": True}}, {"properties": {"two": any_schema(depth + 1)}, "required": ["two"]}]
        schema.pop("additionalProperties", None)
        schema["unevaluatedProperties"] = RANDOM.choice([False, {"type": "integer"}])
    return schema


def any_schema(depth=0):
    choice = RANDOM.random()
    if depth >= 3 or choice < .35:
        return RANDOM.choice([
            lambda: number_schema("integer"), lambda: number_schema("number"), string_schema, string_schema,
            lambda: {"type": "boolean"}, lambda: {"enum": [value() for _ in range(RANDOM.randint(1, 4))]},
            lambda: {"const": value()}, lambda: {"type": ["string", "null"]}, lambda: {"$ref": "#/$defs/leaf"},
            lambda: {"$ref": "#/$defs/tree"}, lambda: True])()
    if choice < .55:
        return array_schema(depth)
    if choice < .8:
        return object_schema(depth)
    if choice < .88:
        return {"anyOf": [any_schema(depth + 1) for _ in range(RANDOM.randint(1, 3))]}
    if choice < .94:
        return {"oneOf": [{"type": "object", "properties": {"kind": {"const": f"k{i}"}, "v": any_schema(depth + 1)},
                           "required": ["kind"]} for i in range(RANDOM.randint(1, 3))]}
    return {"allOf": [object_schema(depth + 1), {"properties": {"extra": any_schema(depth + 1)}}]}


def main():
    probe = subprocess.Popen([PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    n_texts = n_refused = n_unfinished = 0
    failures = []
    for i in range(N_SCHEMAS):
        schema = any_schema()
        if not isinstance(schema, dict):
            continue
        schema["$defs"] = {
            "leaf": string_schema(),
            "tree": {"type": "object", "properties": {"n": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                     "required": ["n"], "additionalProperties": False}}
        is_open = RANDOM.random() < .5
        probe.stdin.write(json.dumps({"schema": schema, "open": is_open, "generate": TEXTS_EACH, "seed": i + 1}) + "\n")
        probe.stdin.flush()
        line = probe.stdout.readline()
        if not line:
            print("the probe died at", json.dumps(schema, ensure_ascii=False))
            return 1
        reply = json.loads(line)
        if "error" in reply:
            n_refused += 1
            if "-v" in sys.argv:
                print(reply["error"], "|", json.dumps(schema, ensure_ascii=False)[:300])
            continue
        n_unfinished += reply["unfinished"]
        if reply["unfinished"] and "-v" in sys.argv:
            print("unfinished", json.dumps(schema, ensure_ascii=False)[:600])
        validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        for text in reply["texts"]:
            n_texts += 1
            try:
                problem = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(text)))
            except ValueError as error:
                problem = error
            if problem is not None:
                failures.append(f"{text}\n  {str(problem)[:300]}\n  {json.dumps(schema, ensure_ascii=False)}")
    probe.stdin.close()
    probe.wait()
    for failure in failures[:10]:
        print(failure)
    print(f"{N_SCHEMAS} schemas, {n_refused} refused, {n_texts} texts, {n_unfinished} unfinished, {len(failures)} not valid")
    return 1 if failures or n_refused > N_SCHEMAS / 5 or n_unfinished > n_texts / 50 or n_texts < 2 * N_SCHEMAS else 0


if __name__ == "__main__":
    sys.exit(main())
