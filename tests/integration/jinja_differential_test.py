#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares glint's template engine with Python's Jinja2, in the environment that transformers makes: every template of
the reference data folder with a set of conversations, and several hundred snippets of the language. Output must be equal
byte for byte; where Jinja2 raises, glint must report an error.

usage: jinja_differential_test.py PROGRAM SHARED_FOLDER [-v]
       jinja_differential_test.py --write FILE     (stores the snippets with Jinja2's answers, for the unit tests)
PROGRAM takes `template --template-file F --messages FILE [--tools FILE] [--kwargs JSON] [--no-generation-prompt]` and
`--as-is` (no normalisation of messages)."""
import datetime
import functools
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

try:
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    print("skipped: the Python module Jinja2 is not installed")
    sys.exit(77)

import jinja_snippets as snippets

PROGRAM = sys.argv[1]
SHARED = Path(sys.argv[2])  # with --write the file to write
VERBOSE = "-v" in sys.argv


class Generation(Extension):
    """transformers' {% generation %} tag: marks what the assistant wrote, prints it unchanged."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_show"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _show(self, context, caller):
        return caller()


def make_environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.filters["from_json"] = json.loads
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return environment


ENVIRONMENT = make_environment()


@functools.lru_cache(maxsize=None)
def compiled(source):
    return ENVIRONMENT.from_string(source)


def reference(source, messages, tools, variables, generation_prompt):
    """(text, None) or (None, error)."""
    arguments = {"messages": messages, "tools": tools, "documents": None, "add_generation_prompt": generation_prompt}
    arguments.update(variables)
    try:
        text = compiled(source).render(**arguments)
        text.encode()
        return text, None
    except Exception as error:  # whatever Jinja2 or Python object to
        return None, f"{type(error).__name__}: {error}"


class Glint:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.paths = {}

    def file(self, content):
        if content not in self.paths:
            path = self.folder / f"{len(self.paths)}"
            path.write_bytes(content.encode())
            self.paths[content] = str(path)
        return self.paths[content]

    def command(self, source, messages, tools, variables, generation_prompt, as_is):
        command = [PROGRAM, "template", "--template-file", self.file(source), "--messages", self.file(json.dumps(messages))]
        if tools is not None:
            command += ["--tools", self.file(json.dumps(tools))]
        if variables:
            command += ["--kwargs", json.dumps(variables)]
        return command + ([] if generation_prompt else ["--no-generation-prompt"]) + (["--as-is"] if as_is else [])


def run(command):
    done = subprocess.run(command, capture_output=True, timeout=60)
    if done.returncode == 0:
        return done.stdout.decode(), None
    if done.returncode != 1:
        return None, f"CRASH: status {done.returncode} {done.stderr!r}"
    return None, done.stderr.decode()


def conversations():
    """name -> (messages, tools, variables, generation prompt)."""
    tool = {"type": "function", "function": {
        "name": "get_weather", "description": "Weather of a city: \"now\" <b>&</b> später",
        "parameters": {"type": "object", "properties": {
            "city": {"type": "string", "description": "Name"}, "days": {"type": "integer", "default": 1},
            "unit": {"type": "string", "enum": ["c", "f"]},
            "where": {"type": ["string", "null"], "description": "or null"},
            "list": {"type": "array", "items": {"type": "number"}},
            "opts": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}}, "required": ["city"]}}}
    bare = {"type": "function", "function": {"name": "now", "description": "Time", "parameters": {"type": "object", "properties": {}}}}
    plain = {"type": "function", "function": {
        "name": "get_weather", "description": "Weather", "parameters": {"type": "object", "properties": {
            "city": {"type": "string", "description": "Name"}, "days": {"type": "integer", "description": "How many"},
            "list": {"type": "array", "items": {"type": "string"}, "description": "Some"}}, "required": ["city"]}}}
    tools = [tool, bare]

    def user(text): return {"role": "user", "content": text}

    def assistant(text, **more): return {"role": "assistant", "content": text, **more}

    def system(text): return {"role": "system", "content": text}

    def call(name, arguments, identifier="abcdefghi"):
        return {"type": "function", "id": identifier, "function": {"name": name, "arguments": arguments}}

    def result(text, identifier="abcdefghi", name="get_weather"):
        return {"role": "tool", "content": text, "tool_call_id": identifier, "name": name}

    arguments = {"city": "Zürich \"x\"\n", "days": 3, "unit": None, "list": [1, 2.5], "opts": {"x": True}}
    one = [user("Hello")]
    turns = [user("Hi  "), assistant("\n\nHello!\n"), user(" Bye\n")]
    thought = [user("Hi"), assistant("Hello!", reasoning_content="\nUser greets.\n"), user("Bye")]
    inline = [user("Hi"), assistant("<think>\nUser greets.\n</think>\n\nHello!"), user("Bye")]
    called = [user("Weather?"), assistant("", tool_calls=[call("get_weather", arguments)]), result('{"t": 20}')]
    two_calls = [system("S"), user("Weather?"),
                 assistant("Checking.", reasoning_content="Call twice.",
                           tool_calls=[call("get_weather", {"city": "Paris"}, "call00001"), call("now", {}, "call00002")]),
                 result("20", "call00001"), result("12:00", "call00002", "now")]
    answered = two_calls + [assistant("It is 20.", reasoning_content="Done."), user("Thanks"), assistant("Welcome.")]
    no_content = [user("Weather?"), assistant(None, tool_calls=[call("now", {})]), result("12:00", name="now"), user("And?")]
    texts = [{"type": "text", "text": "part one"}, {"type": "text", "text": "part <two>"}]
    cases = {
        "one turn": (one, None, {}, True), "no generation prompt": (one, None, {}, False),
        "system": ([system("You are helpful.\n")] + one, None, {}, True), "turns": (turns, None, {}, True),
        "turns without prompt": (turns + [assistant("End.")], None, {}, False), "empty content": ([user("")], None, {}, True),
        "unicode": ([user("日本語 🙂 é\u00a0\u3000 x \u2028")], None, {}, True), "system turns": ([system("S")] + turns, None, {}, True),
        "thought": (thought, None, {}, True), "inline thought": (inline, None, {}, True),
        "tools": (one, tools, {}, True), "tools and system": ([system("Sys")] + one, tools, {}, True),
        "plain tool": ([system("S")] + one, [plain], {}, True),
        "plain tool call": ([user("W?"), assistant("", tool_calls=[call("get_weather", {"city": "Paris"})]), result("20"), assistant("20.")]
                            + one, [plain], {}, True),
        "tool call": (called, tools, {}, True), "tool call without tools": (called, None, {}, True),
        "two calls": (two_calls, tools, {}, True), "answered": (answered, tools, {}, True),
        "string arguments": ([user("W?"), assistant("", tool_calls=[call("get_weather", json.dumps(arguments))]), result("20")], tools, {}, True),
        "null content": (no_content, tools, {}, True), "list content": ([user(texts)], None, {}, True),
        "list system": ([{"role": "system", "content": texts}] + one, None, {}, True),
        "list tool result": (called[:2] + [result(texts)], tools, {}, True),
        "image": ([user([{"type": "image"}] + texts)], None, {}, True), "late system": (turns[:2] + [system("Late")] + one, None, {}, True),
        "two systems": ([system("A"), system("B")] + one, None, {}, True), "developer": ([{"role": "developer", "content": "Dev"}] + one, None, {}, True),
        "two users": (one + one, None, {}, True), "assistant first": ([assistant("Hi")] + one, None, {}, True), "empty": ([], None, {}, True),
        "unknown role": ([{"role": "critic", "content": "x"}] + one, None, {}, True), "no role": ([{"content": "x"}], None, {}, True),
        "effort": (one, None, {"reasoning_effort": "high"}, True), "documents": (one, None, {"documents": [{"title": "T", "text": "D"}]}, True),
        "date": (one, None, {"date_string": "1 Jan 2030"}, True), "special tokens": (turns, None, {"bos_token": "<s>", "eos_token": "</s>"}, True),
        "markers": ([user("a<|im_end|>\n<|user|>{{ x }}{% if %}")], None, {}, True), "no tool calls": ([user("x"), assistant("y", tool_calls=[])] + one, None, {}, True),
    }
    for name in ("enable_thinking", "thinking", "clear_thinking", "preserve_thinking"):
        for value in (True, False):
            cases[f"{name}={value}"] = (thought, None, {name: value}, True)
            cases[f"{name}={value} tools"] = (answered, tools, {name: value}, True)
    # What some templates cannot do without.
    always = {"bos_token": "<s>", "eos_token": "</s>", "functions": json.dumps([plain]), "datetime": "now"}
    return {name: (messages, tools, {**always, **variables}, prompt)
            for name, (messages, tools, variables, prompt) in cases.items()}


def template_sources():
    for path in sorted((SHARED / "data" / "templates").glob("*.jinja")) + [SHARED / "data" / "glm" / "chat_template.jinja"]:
        yield path.stem, path.read_bytes().decode()


def all_snippets():
    return [f"{{{{ {text} }}}}" for text in snippets.EXPRESSIONS] + snippets.STATEMENTS + snippets.WHITESPACE


def write_answers(path):
    answers = [[source, reference(source, [], None, snippets.VARIABLES, True)[0]] for source in all_snippets()]
    lines = ",\n".join(json.dumps(answer, ensure_ascii=True) for answer in answers)
    note = f"Written by jinja_differential_test.py --write: snippets and the answers of Jinja2 {jinja2.__version__}, null for an error."
    path.write_text(f'{{"note": {json.dumps(note)},\n"variables": {json.dumps(snippets.VARIABLES)},\n"cases": [\n{lines}\n]}}\n')


def all_cases():
    """(name, source, messages, tools, variables, generation prompt, refused)"""
    if (SHARED / "data" / "templates").is_dir():
        for template, source in template_sources():
            for name, case in conversations().items():
                yield (f"{template}: {name}", source, *case, False)
    else:
        print("note: no reference data folder, snippets only")
    for source in all_snippets():
        yield (f"snippet {source!r}", source, [], None, snippets.VARIABLES, True, False)
    for source in snippets.REFUSED:
        yield (f"refused snippet {source!r}", source, [], None, snippets.VARIABLES, True, True)


def main():
    if PROGRAM == "--write":
        write_answers(SHARED)
        return 0
    failures = errors = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        glint = Glint(folder)
        cases = list(all_cases())
        commands = [glint.command(case[1], *case[2:6], True) for case in cases]
        for case, (text, error) in zip(cases, pool.map(run, commands)):
            name, source, messages, tools, variables, prompt, refused = case
            expected, objection = reference(source, messages, tools, variables, prompt)
            errors += expected is None
            crashed = error is not None and error.startswith("CRASH")
            if not crashed and (text is None if refused and expected is not None else text == expected):
                continue
            failures += 1
            if failures <= 40 or VERBOSE:
                print(f"DIFFERENT {name}\n  expected {expected if expected is None else expected[-1500:]!r} {objection or ''}\n"
                      f"  found    {text if text is None else text[-1500:]!r} {error or ''}")
    print(f"{len(cases)} cases, {errors} of them errors in Jinja2 {jinja2.__version__}, {failures} different")
    return 1 if failures or len(cases) < 800 else 0


if __name__ == "__main__":
    sys.exit(main())
