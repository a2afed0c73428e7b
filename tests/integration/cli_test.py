#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as scripts meet it: llama.cpp's flag forms, errors that name the repair, stdout that carries the
answer alone, the fixed forms that other tools call.

usage: cli_test.py GLINT SHARED_FOLDER"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GLINT = ""
SHARED = Path()
DEMO = Path(__file__).resolve().parents[2] / "models" / "glint-demo.gguf"


def run(*arguments, stdin=None):
    return subprocess.run([GLINT, *map(str, arguments)], capture_output=True, text=True, input=stdin, timeout=300)


def ok(*arguments, stdin=None):
    done = run(*arguments, stdin=stdin)
    if done.returncode != 0:
        raise AssertionError(f"glint {arguments}: status {done.returncode}: {done.stderr}")
    return done.stdout


class Errors(unittest.TestCase):
    def check(self, arguments, *words):
        done = run(*arguments)
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(done.stdout, "")
        lines = [line for line in done.stderr.strip().split("\n") if not line.startswith("glint: listening on ")]
        self.assertEqual(len(lines), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_unknown_flag_names_the_nearest(self):
        self.check(["run", "--tmep", "1"], "--tmep", "--temp")

    def test_unknown_command_names_the_nearest(self):
        self.check(["rnu"], "rnu", "run")

    def test_missing_value(self):
        self.check(["run", "-n"], "-n", "value")

    def test_missing_file(self):
        self.check(["inspect", "nothing.gguf"], "nothing.gguf")

    def test_not_a_gguf_file(self):
        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            file.write(b"<html>not found</html>")
            file.flush()
            self.check(["inspect", file.name], file.name)

    def test_bad_ids(self):
        self.check(["run", "--ids", "1,x,3"], '"x"')

    def test_id_outside_the_vocabulary(self):
        self.check(["run", "--ids", "99999999", "-n", "1"], "99999999")

    def test_bad_override(self):
        self.check(["inspect", "--override-kv", "deepseek2.block_count=3"], "KEY=TYPE:VALUE")

    def test_downloads_are_refused(self):
        self.check(["run", "-hf", "someone/model"], "-m")


    def test_flags_that_swallow_or_make_no_sense(self):
        for arguments, *words in [(["run", "--temp", "-p", "A"], "--temp", "-p"), (["run", "-ngl", "x"], "-ngl x"),
                                  (["serve", "--port", "99999"], "--port", "65535"), (["run", "-f", "/nowhere"], "/nowhere"),
                                  (["serve", "--host", "/nowhere/glint.sock"], "/nowhere/glint.sock"),
                                  (["serve", "--ssl-key-file", "/nowhere/key"], "certificate"),
                                  (["serve", "--port", "0", "--models-dir", "/nowhere"], "/nowhere")]:
            with self.subTest(arguments):
                self.check(arguments, *words)

    def test_models_that_cannot_run(self):
        for override, *words in [("general.architecture=str:nope", "nope", "deepseek2"), ("tokenizer.ggml.pre=str:nope", "nope", "glm4"),
                                 ("deepseek2.block_count=int:0", "deepseek2.block_count"), ("deepseek2.expert_used_count=int:4000", "4000"),
                                 ("tokenizer.ggml.eos_token_id=int:8192", "eos_token_id", "8192"),
                                 ("general.alignment=int:64", "general.alignment")]:
            with self.subTest(override):
                self.check(["run", "-p", "A", "--override-kv", override], *words)
        self.check(["chat", "--chat-template", "{% if", "-st", "-p", "A"], "chat template", "line 1")

    def test_files_that_are_no_models(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, content, word in [("empty", b"", "empty"), ("magic", b"GGUF", "4 bytes"), ("page", b"<html>x</html>", "web page"),
                                        ("header", b"GGUF\x03" + bytes(19), "without tensors")]:
                path = Path(folder, name + ".gguf")
                path.write_bytes(content)
                for command in (["run", "-p", "A", "-m", path], ["inspect", path], ["serve", "--port", "0", "-m", path]):
                    self.check(command, str(path), word)
            self.check(["run", "-m", folder], folder, "folder")
        self.check(["run", "-m", "/dev/null"], "/dev/null", "device")

    def test_a_cut_file_names_a_tensor_and_both_sizes(self):
        whole = DEMO.read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "cut.gguf")
            for part in (8, 32, 63):  # of 64; test_gguf cuts at every one
                size = len(whole) * part // 64
                path.write_bytes(whole[:size])
                for command in (["run", "-p", "A", "-m", path], ["inspect", path]):
                    self.check(command, "tensor", str(size), str(len(whole)), "incomplete")

    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            self.check(["serve", "--port", port], port, "in use")


class Paths(unittest.TestCase):
    NAMES = ["möd el 模型 😀 'q' \"q\".gguf", "new\nline.gguf", os.fsdecode(b"not \xff utf-8.gguf"), "x" * 195 + ".gguf"]

    def test_any_name_is_opened(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in self.NAMES:
                path = os.path.join(folder, name)
                os.symlink(DEMO, path)
                ok("run", "-m", path, "-p", "A", "-n", "1")
            inner = os.path.join(folder, "inner")
            os.mkdir(inner)
            ok("run", "-m", os.path.join(inner, "..", self.NAMES[0]), "-p", "A", "-n", "1")
            made = os.path.join(folder, "out " + self.NAMES[0])
            ok("synth", "llama-tiny", "-o", made)
            ok("inspect", made)

    def test_an_error_is_one_line_and_shows_the_name(self):
        for name, shown in zip(self.NAMES, [self.NAMES[0], "new\\x0aline.gguf", "not \\xff utf-8.gguf", self.NAMES[3]]):
            done = run("inspect", "/nowhere/" + name)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f"glint: error: /nowhere/{shown}: cannot open: No such file or directory\n")

    def test_a_prompt_that_is_no_utf_8_is_read_as_replaced(self):
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            file.write(b"a \xff\xe2\x80 b")
            file.flush()
            ids = ok("tokenize", "--ids", "-f", file.name)
            self.assertEqual(ok("detokenize", "--ids", ids.strip()), "a \ufffd\ufffd b")
            ok("run", "-f", file.name, "-n", "1")
        ok("run", "-p", os.fsdecode(b"a \xff"), "-n", "1")


class Devices(unittest.TestCase):
    def test_list_anywhere(self):
        self.assertIn("none: the CPU", ok("--list-devices"))
        self.assertEqual(ok("--list-devices"), ok("run", "--list-devices"))

    def test_the_processor_by_any_name(self):
        for flags in [["-dev", "none"], ["-ngl", "0"], ["--backend", "cpu"], ["-dev", "none", "-ngl", "99"]]:
            self.assertNotIn("CUDA", run("run", "-p", "A", "-n", "1", *flags).stderr, flags)

    def test_values_that_mean_all(self):
        for value in ["auto", "all", "-1", "99", "999"]:
            ok("run", "-p", "A", "-n", "1", "-ngl", value)

    def test_what_makes_no_sense_is_refused(self):
        for flags, word in [(["-ngl", "many"], "auto"), (["-dev", "GPU0"], "CUDA0"), (["-dev", "CUDA0,CUDA1"], "one card"),
                            (["-dev", "CUDA99"], "CUDA"), (["-fa", "maybe"], "maybe")]:
            done = run("run", "-p", "A", "-n", "1", *flags)
            self.assertEqual(done.returncode, 1, flags)
            self.assertIn(word, done.stderr)

    def test_places_of_experts(self):
        for flags in [["-cmoe"], ["-ncmoe", "3"], ["-ot", "exps=CPU"], ["-ot", "blk\\.1\\.=CUDA0,exps=CPU"]]:
            ok("run", "-p", "A", "-n", "1", *flags)
        for pattern, word in [("exps", "REGEX=CPU"), ("attn=CPU", "only experts"), ("(=CPU", "regular expression")]:
            done = run("run", "-p", "A", "-n", "1", "-ot", pattern)
            self.assertEqual(done.returncode, 1, pattern)
            self.assertIn(word, done.stderr)

    def test_a_context_beyond_memory_names_one_that_fits(self):
        done = run("run", "-p", "A", "-n", "1", "-c", "2000000000", "-dev", "none")
        self.assertEqual(done.returncode, 1)
        self.assertIn(" fits", done.stderr)
        self.assertIn("-c ", done.stderr)


    def test_plan(self):
        plan = ok("inspect", "--plan", "-c", "1000", "-dev", "none")
        self.assertIn("1000 tokens, F16", plan)
        for part in ["free", "weights", "cache", "needed"]:
            self.assertIn(f"    {part} ", plan)


class Help(unittest.TestCase):
    def test_every_command_shows_examples(self):
        top = ok("--help")
        for command in ["run", "chat", "inspect", "tokenize", "detokenize", "template", "logits", "synth", "bench"]:
            self.assertIn(command, top)
            self.assertIn("Example", ok(command, "--help"))


class Run(unittest.TestCase):
    def test_stdout_is_the_answer_alone(self):
        done = run("run", "-p", "Once upon a time", "-n", "8", "--temp", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("Once upon a time", done.stdout)
        self.assertIn("tok", done.stderr)

    def test_same_seed_same_text(self):
        forms = [ok("run", "-p", "The", "-n", "16", "--temp", "1", "-s", seed, "-t", threads)
                 for seed, threads in [("7", "1"), ("7", "2"), ("8", "1")]]
        self.assertEqual(forms[0], forms[1])
        self.assertNotEqual(forms[0], forms[2])

    def test_llama_cpp_forms(self):
        done = run("run", "-p", "A", "-n", "2", "-ngl", "99", "-no-cnv", "-fa", "on", "-ctk", "f16", "--top_k", "5",
                   "--no-mmap", "-c", "64", "-b", "32", "-ub", "16", "-tb", "1", "--temp=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--no-mmap", done.stderr)

    def test_print_ids(self):
        ids = json.loads(ok("run", "--ids", "5,6,7", "-n", "4", "--temp", "0", "--ignore-eos", "--print-ids"))
        self.assertEqual(len(ids), 4)

    def test_prompt_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("Once upon a time")
            file.flush()
            a = ok("run", "-f", file.name, "-n", "8", "--temp", "0")
        self.assertEqual(a, ok("run", "-p", "Once upon a time", "-n", "8", "--temp", "0"))


class FixedForms(unittest.TestCase):
    def test_logits_last_and_all(self):
        every = json.loads(ok("logits", "--ids", "5,6,7", "--all"))["logits"]
        last = json.loads(ok("logits", "--ids", "5,6,7"))["logits"]
        self.assertEqual(len(every), 3)
        self.assertEqual(last, every[2:])

    def test_logits_of_both_backends(self):
        a = json.loads(ok("logits", "--ids", "5,6,7", "--backend", "ref"))["logits"][0]
        b = json.loads(ok("logits", "--ids", "5,6,7", "--backend", "cpu", "--threads", "1"))["logits"][0]
        self.assertLess(max(abs(x - y) for x, y in zip(a, b)), 1e-3)

    def test_tokenize_and_back(self):
        text = "Hello, wörld! <|user|>"
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            ids = ok("tokenize", "--ids", "-f", file.name).strip()
            plain = ok("tokenize", "--ids", "--no-parse-special", "-f", file.name).strip()
        self.assertNotEqual(ids, plain)
        self.assertEqual(ok("detokenize", "--ids", plain), text)

    def test_template(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump([{"role": "user", "content": "Hello"}], file)
            file.flush()
            self.assertEqual(ok("template", "--messages", file.name), "[gMASK]<sop><|user|>Hello<|assistant|><think>")
            self.assertEqual(ok("template", "--messages", file.name, "--kwargs", '{"enable_thinking": false}'),
                             "[gMASK]<sop><|user|>Hello<|assistant|></think>")
            self.assertEqual(ok("template", "--messages", file.name, "--no-generation-prompt"),
                             "[gMASK]<sop><|user|>Hello")

    def test_inspect_json(self):
        facts = json.loads(ok("inspect", "--json"))
        self.assertEqual(facts["architecture"], "deepseek2")
        for key in ["metadata", "tensors", "kv_bytes_per_token", "bytes_read_per_token", "findings", "file_bytes"]:
            self.assertIn(key, facts)

    def test_inspect_shows_an_override(self):
        facts = json.loads(ok("inspect", "--json", "--override-kv", "deepseek2.expert_gating_func=int:1"))
        self.assertEqual(facts["metadata"]["deepseek2.expert_gating_func"], 1)

    def test_inspect_finds_what_loading_finds(self):
        override = ["--override-kv", "deepseek2.block_count=int:1"]  # the other layers' tensors are left over
        findings = json.loads(ok("inspect", "--json", *override))["findings"]
        self.assertTrue(any("tensors of the file are not used" in f["text"] for f in findings), findings)
        loaded = run("run", "--ids", "1", "-n", "1", *override).stderr
        for finding in findings:
            self.assertEqual(finding["text"] in loaded, finding["level"] != "note", finding)

    def test_inspect_of_a_refused_file_says_why(self):
        override = ["--override-kv", "deepseek2.block_count=int:99"]
        facts = json.loads(ok("inspect", "--json", *override))
        self.assertIn("is missing", facts["error"])
        self.assertIn(facts["error"], run("run", "-n", "1", *override).stderr)
        refused = run("inspect", "--plan", *override)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(facts["error"], refused.stderr)


class Synth(unittest.TestCase):
    def test_writes_a_tiny_model_that_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tiny.gguf"
            ok("synth", "glm-4.7-flash-tiny", "--type", "q4_k_m", "-o", path)
            ids = json.loads(ok("run", "-m", path, "--ids", "1,2,3", "-n", "4", "--temp", "0", "--ignore-eos",
                                "--print-ids"))
            self.assertEqual(len(ids), 4)

    def test_unknown_model_lists_the_known(self):
        done = run("synth", "nothing", "-o", "x.gguf")
        self.assertEqual(done.returncode, 1)
        self.assertIn("glm-4.7-flash", done.stderr)


if __name__ == "__main__":
    GLINT, SHARED = sys.argv[1], Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
