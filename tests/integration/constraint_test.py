#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`glint run` and `glint chat` bound by schemas and grammars, with the embedded model at a temperature that makes it babble:
what they print must be valid for the Python module jsonschema (and re); what cannot be enforced is refused.

usage: constraint_test.py GLINT"""
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import jsonschema
except ImportError:
    print("skipped: the Python module jsonschema is not installed")
    sys.exit(77)

GLINT = ""
SCHEMAS = [
    {"type": "object", "properties": {"name": {"type": "string", "maxLength": 15}, "born": {"type": "string", "format": "date"},
                                      "tags": {"type": "array", "items": {"enum": ["a", "b", "é"]}, "maxItems": 3}},
     "required": ["name", "born"]},
    {"type": "array", "minItems": 1, "maxItems": 4, "items": {"anyOf": [{"type": "number", "multipleOf": 0.25, "minimum": 0,
                                                                       "maximum": 3}, {"type": "null"}]}},
    {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {
        "v": {"type": "integer", "minimum": -9, "maximum": 9}, "kid": {"anyOf": [{"$ref": "#/$defs/tree"}, {"const": 0}]}},
        "required": ["v"]}}},
    {"oneOf": [{"type": "object", "properties": {"kind": {"const": "x"}, "n": {"type": "boolean"}}, "required": ["kind", "n"]},
               {"type": "object", "properties": {"kind": {"const": "y"}, "s": {"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"}},
                "required": ["kind", "s"]}]},
    {"type": "string", "minLength": 2, "maxLength": 9},
]


def run(*flags, command="run", text=None):
    return subprocess.run([GLINT, command, "-t", "1", "--temp", "1.5", "--top-k", "0", "--top-p", "1", "--min-p", "0", *flags],
                          input=text, capture_output=True, text=True, timeout=120)


class Constraints(unittest.TestCase):
    def test_answers_are_valid(self):
        validator = jsonschema.Draft202012Validator
        for schema in SCHEMAS:
            for seed in range(10):
                done = run("-p", "Once upon a time", "-n", "400", "-s", str(seed), "-j", json.dumps(schema))
                self.assertEqual(done.returncode, 0, done.stderr)
                value = json.loads(done.stdout)
                validator(schema, format_checker=validator.FORMAT_CHECKER).validate(value)
                if isinstance(value, dict) and "properties" in schema:
                    declared = [key for key in schema["properties"] if key in value]
                    self.assertEqual(list(value), declared)  # in the schema's order

    def test_files_and_grammars(self):
        with tempfile.TemporaryDirectory() as folder:
            schema, grammar = Path(folder) / "schema.json", Path(folder) / "rules.gbnf"
            schema.write_text('{"enum": ["only this"]}')
            grammar.write_text('root ::= "The " [a-z]{3,6} "." "\\n"\n')
            self.assertEqual(json.loads(run("-p", "x", "-n", "50", "-jf", str(schema)).stdout), "only this")
            for seed in "123":
                done = run("-p", "x", "-n", "50", "-s", seed, "--grammar-file", str(grammar))
                self.assertRegex(done.stdout, r"^The [a-z]{3,6}\.\n$")
        done = run("-p", "x", "-n", "9", "--grammar", 'root ::= "a" | "bc"', "--ignore-eos")
        self.assertIn(done.stdout, ("a\n", "bc\n"))

    def test_what_cannot_be_enforced_is_refused(self):
        for flags, message in [(["-j", '{"type": "array", "uniqueItems": true}'], "#/uniqueItems"),
                               (["-j", "{"], "not JSON"), (["--grammar", "root ::= x"], "not defined"),
                               (["-j", "{}", "--grammar", "root ::= \"a\""], "give one of"),
                               (["--grammar-file", "/nowhere"], "/nowhere")]:
            done = run("-p", "x", "-n", "5", *flags)
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_schemas_are_checked_without_a_model(self):
        with tempfile.TemporaryDirectory() as folder:
            good, bad, broken = (str(Path(folder) / name) for name in ("good.json", "bad.json", "broken.json"))
            Path(good).write_text(json.dumps(SCHEMAS[0]))
            Path(bad).write_text('{"x-strict": false, "properties": {"a": {"type": "array", "uniqueItems": true}, "b": {"minimun": 3}}}')
            Path(broken).write_text('{"type": "integer", "minimum": 3, "maximum": 2}')
            check = lambda *files: subprocess.run([GLINT, "schema", *files], capture_output=True, text=True, timeout=60)
            done = check(good)
            self.assertEqual((done.returncode, done.stdout), (0, f"{good}: enforced in full\n"), done.stderr)
            done = check(good, bad, broken)
            self.assertEqual(done.returncode, 1)
            for expected in (f"{bad}: schema #/properties/a/uniqueItems: ", f"{bad}: schema #/properties/b/minimun: ",
                             f"{broken}: schema "):
                self.assertIn(expected, done.stdout)
            self.assertNotIn("ignored", done.stdout)
            self.assertIn("2 of 3 schemas", done.stderr)
            report = json.loads(check("--json", good, bad).stdout)
            self.assertEqual([(r["file"], r["enforced"], len(r["problems"])) for r in report], [(good, True, 0), (bad, False, 2)])
            self.assertEqual(check("/nowhere").returncode, 1)

    def test_chat_thinks_first_and_within_its_budget(self):
        flags = ["-j", json.dumps(SCHEMAS[0]), "-n", "300", "-s", "4", "-st", "-p", "Who are you?", "--reasoning-budget", "10"]
        done = run(*flags, command="chat")
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = re.search(r"\{.*\}", done.stdout)
        self.assertIsNotNone(answer, done.stdout)
        jsonschema.validate(json.loads(answer[0]), SCHEMAS[0])


if __name__ == "__main__":
    GLINT = sys.argv.pop(1)
    unittest.main()
