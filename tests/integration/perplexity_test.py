#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`glint perplexity` against numbers that come from elsewhere: llama.cpp's stored log-probabilities, a reader of the
stored run that knows its layout alone, and what `glint logits` prints. Also what it refuses, and that nothing is left of
what did not come to its end.

usage: perplexity_test.py GLINT SMOLLM2"""
import json
import math
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

GLINT = ""
SMOLLM2 = Path()
DATA = Path(__file__).resolve().parent.parent / "data"
TEXT = DATA / "persuasion.txt"


def perplexity(*arguments, **options):
    return subprocess.run([GLINT, "perplexity", "-t", "2", *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          **options)


def ok(*arguments):
    done = perplexity(*arguments)
    if done.returncode != 0:
        raise AssertionError(f"glint perplexity {arguments}: status {done.returncode}: {done.stderr}")
    return done.stdout


def read_stored(data):
    """(n_ctx, n_vocab, tokens of each chunk, rows of log-probabilities of each chunk)."""
    magic, n_ctx, n_vocab, n_chunks = struct.unpack_from("<8s3i", data)
    assert magic == b"_logits_", magic
    at = 20
    tokens = [struct.unpack_from(f"<{n_ctx}i", data, at + 4 * n_ctx * i) for i in range(n_chunks)]
    at += 4 * n_ctx * n_chunks
    n_scored, row_bytes = n_ctx - 1 - n_ctx // 2, 2 * (4 + n_vocab + n_vocab % 2)
    assert len(data) == at + n_chunks * n_scored * row_bytes, (len(data), n_ctx, n_vocab, n_chunks)
    chunks = []
    for _ in range(n_chunks):
        rows = []
        for _ in range(n_scored):
            step, least = struct.unpack_from("<2f", data, at)
            rows.append([step * code + least for code in struct.unpack_from(f"<{n_vocab}H", data, at + 8)])
            at += row_bytes
        chunks.append(rows)
    return n_ctx, n_vocab, tokens, chunks


def write_stored(n_ctx, n_vocab, tokens, chunks):
    """The file as llama.cpp lays it out, of rows of log-probabilities, made without glint."""
    data = struct.pack("<8s3i", b"_logits_", n_ctx, n_vocab, len(tokens))
    for ids in tokens:
        data += struct.pack(f"<{n_ctx}i", *ids)
    for row in (row for rows in chunks for row in rows):
        least = max(min(row), max(row) - 16)
        step = (max(row) - least) / 65535
        codes = [round((value - least) / step) if value > least else 0 for value in row]
        data += struct.pack(f"<2f{n_vocab}H", step, least, *codes) + b"\0\0" * (n_vocab % 2)
    return data


def to_f32(row):
    """The floats that their shortest decimals stand for."""
    return struct.unpack(f"{len(row)}f", struct.pack(f"{len(row)}f", *row))


def log_softmax(row):
    highest = max(row)
    total = math.fsum(math.exp(x - highest) for x in row)
    return [x - highest - math.log(total) for x in row]


class Demo(unittest.TestCase):
    """The embedded model, whose vocabulary is small."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.stored = Path(cls.folder.name) / "f32.kld"
        cls.flags = ["-f", TEXT, "-c", "65", "--chunks", "3", "-ctk", "f32", "-ctv", "f32"]
        cls.json = json.loads(ok(*cls.flags, "--json", "--kl-divergence-base", cls.stored))

    def path(self, name, data=b""):
        path = Path(self.folder.name) / name
        path.write_bytes(data)
        return path

    def expected_rows(self):
        """Log-probabilities of each scored position of each chunk, of single runs of `glint logits`."""
        listed = subprocess.run([GLINT, "tokenize", "--ids", "-f", TEXT], capture_output=True, text=True, check=True).stdout
        ids = json.loads(listed)
        chunks = [ids[i * 65:(i + 1) * 65] for i in range(3)]
        rows = []
        for chunk in chunks:
            text = subprocess.run([GLINT, "logits", "--ids", ",".join(map(str, chunk)), "--all"], capture_output=True, text=True,
                                  check=True).stdout
            rows.append([log_softmax(to_f32(row)) for row in json.loads(text)["logits"][32:64]])
        return chunks, rows

    def test_is_what_the_logits_say(self):
        chunks, rows = self.expected_rows()
        nll = [-row[ids[33 + i]] for ids, chunk in zip(chunks, rows) for i, row in enumerate(chunk)]
        mean = math.fsum(nll) / len(nll)
        error = math.sqrt(math.fsum((x - mean) ** 2 for x in nll) / len(nll) / (len(nll) - 1))
        self.assertEqual(self.json["positions"], 96)
        # Both are computed in doubles from the same f32 logits.
        self.assertAlmostEqual(self.json["ppl"]["value"] / math.exp(mean), 1, delta=1e-10)
        self.assertAlmostEqual(self.json["ppl"]["error"] / math.exp(mean) / error, 1, delta=1e-10)

    def test_stored_run_has_llama_cpps_layout(self):
        chunks, expected = self.expected_rows()
        n_ctx, n_vocab, tokens, rows = read_stored(self.stored.read_bytes())
        self.assertEqual((n_ctx, [list(ids) for ids in tokens]), (65, chunks))
        for row, exact in zip(sum(rows, []), sum(expected, [])):
            self.assertEqual(len(row), len(exact))
            least = max(exact) - 16
            # Half a step of 16 nats in 65535, and roundings of f32.
            self.assertLess(max(abs(a - max(b, least)) for a, b in zip(row, exact)), 8 / 65535 + 1e-5)

    def test_reads_what_others_wrote(self):
        chunks, expected = self.expected_rows()
        n_vocab = len(expected[0][0])
        path = self.path("others.kld", write_stored(65, n_vocab, chunks, expected))
        found = json.loads(ok("-ctk", "f32", "-ctv", "f32", "--kl-divergence-base", path, "--kl-divergence", "--json"))
        self.assertEqual((found["chunks"], found["positions"], found["same_top"]["value"]), (3, 96, 1))
        # A base whose every log-probability is off by up to half a step d is off by that in KL.
        self.assertLess(abs(found["kl"]["mean"]), 8 / 65535)
        self.assertAlmostEqual(found["ppl"]["value"] / self.json["ppl"]["value"], 1, delta=1e-12)

    def test_compares_with_a_stored_run(self):
        text = ok("-ctk", "q8_0", "--kl-divergence-base", self.stored, "--kl-divergence")
        found = json.loads(ok("-ctk", "q8_0", "--kl-divergence-base", self.stored, "--kl-divergence", "--json"))
        self.assertRegex(text, r"Mean PPL\(Q\) +: +" + re.escape(f"{found['ppl']['value']:.6f}"))
        self.assertIn(f"{found['kl']['mean']:.9f}", re.search(r"Mean +KLD: (.*)", text)[1])
        for label in ["Maximum KLD", "99.9%   KLD", "Median  KLD", "RMS Δp", "Same top p", "Maximum Δp"]:
            self.assertIn(label, text)
        self.assertGreater(found["kl"]["mean"], 1e-6)
        self.assertLessEqual(found["kl"]["median"], found["kl"]["q99"])

    def test_running_values_and_the_estimate(self):
        lines = ok(*self.flags).strip().split("\n")
        self.assertRegex(lines[0], r"^\[1\]\d+\.\d{4},\[2\]\d+\.\d{4},\[3\]\d+\.\d{4},$")
        self.assertEqual(lines[-1], f"Final estimate: PPL = {self.json['ppl']['value']:.4f} +/- {self.json['ppl']['error']:.5f}")
        self.assertIn(f"[3]{self.json['ppl']['value']:.4f},", lines[0])

    def test_against_the_oracle(self):
        found = json.loads(ok(*self.flags, "--against", "ref", "--json", "--max-kl", "1e-9", "--min-top1", "100"))
        # Both have f32 caches: sums of some hundred f32 products move logits by some 1e-5, and KL goes with the square.
        self.assertLess(found["kl"]["max"], 1e-9)
        self.assertTrue(found["passed"])
        self.assertEqual(found["other_top"]["positions"], 0)

    def test_against_another_cache_decides_the_status(self):
        run = ["-f", TEXT, "-c", "64", "--chunks", "2", "-ctk", "q8_0", "--against-ctk", "f32"]
        kl = json.loads(ok(*run, "--json"))["kl"]["mean"]
        ok(*run, "--max-kl", kl * 1.01)
        for flags, word in [(["--max-kl", kl * 0.99], "--max-kl"), (["--max-kl", "0"], "--max-kl")]:
            done = perplexity(*run, *flags)
            self.assertEqual(done.returncode, 1)
            self.assertIn(word, done.stderr)
            self.assertIn("Same top p", done.stdout)  # what was found is still said

    def test_random_ids_depend_on_the_seed_alone(self):
        run = ["--random-ids", "128", "-c", "64", "--json"]
        first, again, other = ok(*run, "-s", "7"), ok(*run, "--seed", "7", "-ub", "16", "-t", "1"), ok(*run, "--seed", "8")
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_strides(self):
        found = json.loads(ok("-f", TEXT, "-c", "64", "--ppl-stride", "16", "--chunks", "3", "--json"))
        self.assertEqual((found["n_ctx"], found["positions"]), (72, 48))

    def test_what_makes_no_sense_is_refused(self):
        text = ["-f", TEXT, "-c", "64", "--chunks", "1"]
        for flags, word in [([], "-f FILE"), (["-f", TEXT, "--random-ids", "9"], "-f FILE"), (["-f", "absent.txt"], "absent.txt"),
                            (["-f", TEXT, "-c", "2"], "at least 3"), (["-f", TEXT, "-c", "100000"], "smaller chunk"),
                            (["-f", TEXT, "--kl-divergence"], "--kl-divergence-base"), ([*text, "--max-kl", "1"], "--against"),
                            ([*text, "--against", "tpu"], "tpu"), ([*text, "--against-ctk", "q3"], "q3"),
                            ([*text, "--against", "ref", "--kl-divergence-base", "x"], "not both"),
                            ([*text, "--ppl-stride", "65"], "65"), ([*text, "--hellaswag"], "not supported"),
                            ([*text, "--kl-divergence-base", self.stored, "--kl-divergence"], "leave out -f"),
                            ([*text, "--kl-divergence-base", DATA / "persuasion.txt"], "not replaced")]:
            done = perplexity(*flags)
            self.assertEqual(done.returncode, 1, flags)
            self.assertIn(word, done.stderr, flags)
            self.assertEqual(done.stdout, "", flags)

    def test_bad_stored_runs_are_refused_by_name(self):
        whole = self.stored.read_bytes()
        row = len(whole) - 2 * (4 + struct.unpack_from("<i", whole, 12)[0])
        token = bytearray(whole)
        token[20:24] = struct.pack("<i", 1 << 20)
        steps = bytearray(whole)
        steps[row:row + 4] = struct.pack("<f", math.nan)
        other = write_stored(3, 5, [[0, 1, 2]], [[[math.log(p) for p in (0.1, 0.2, 0.3, 0.3, 0.1)]]])
        for name, data, word in [("torn", whole[:-2], "torn"), ("longer", whole + b"\0", "torn"), ("empty", b"", "no file of"),
                                 ("text", TEXT.read_bytes(), "no file of"), ("token", token, "outside the vocabulary"),
                                 ("steps", steps, "position 31 of chunk 2"), ("other", other, "vocabulary of 5")]:
            done = perplexity("--kl-divergence-base", self.path(name, data), "--kl-divergence")
            self.assertEqual(done.returncode, 1, name)
            self.assertIn(f"/{name}: ", done.stderr)
            self.assertIn(word, done.stderr, name)

    def limited_run(self, path, **options):
        return perplexity("-f", TEXT, "-c", "64", "--kl-divergence-base", path, **options)

    def test_full_disk_is_said_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            # With the signal ignored, as Python has it, a file past its limit is an error of write().
            done = self.limited_run(Path(folder) / "x", restore_signals=False,
                                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000)))
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot be written: File too large", done.stderr)
            self.assertEqual(list(Path(folder).iterdir()), [])

    def test_interrupt_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [GLINT, "perplexity", "-t", "1", "--random-ids", "4000000", "--chunks", "1000", "--kl-divergence-base", f"{folder}/x"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
                while not list(Path(folder).iterdir()) and process.poll() is None:
                    time.sleep(0.02)
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1, said)
            self.assertIn("cancelled", said)
            self.assertEqual(list(Path(folder).iterdir()), [])


class SmolLm2(unittest.TestCase):
    def setUp(self):
        if not SMOLLM2.exists():
            self.skipTest("no SmolLM2 file; tools/setup.sh test fetches it")

    def test_is_llama_cpps(self):
        stored = json.loads((DATA / "smollm2_perplexity.json").read_text())["log_probabilities"]
        for n_ctx in 128, 512, 1024:
            # The first chunk's: there llama.cpp saw the same text before each token.
            theirs = [-x for x in stored[n_ctx // 2:n_ctx - 1]]
            found = json.loads(ok("-m", SMOLLM2, "-f", TEXT, "-c", n_ctx, "--chunks", "1", "--json"))
            self.assertEqual(found["positions"], len(theirs))
            # llama.cpp rounds activations to 8 bits, which moves single log-probabilities by 0.086 (root mean square of the
            # first 511); a mean of n then by 0.086 / sqrt(n), and by four times that once in 16,000 texts.
            difference = math.log(found["ppl"]["value"]) - sum(theirs) / len(theirs)
            self.assertLess(abs(difference), 4 * 0.086 / math.sqrt(len(theirs)), n_ctx)

    def test_a_quantised_cache_passes_the_gate(self):
        # The project's gate for backends (mean KL 1e-3 nats, 99.5 % same top-1) holds for rounding the cache to f16.
        found = json.loads(ok("-m", SMOLLM2, "-f", TEXT, "-c", "512", "--against-ctk", "f32", "--against-ctv", "f32", "--json",
                              "--max-kl", "1e-3", "--min-top1", "99.5"))
        self.assertEqual(found["positions"], 2 * 255)
        self.assertGreater(found["kl"]["mean"], 0)


if __name__ == "__main__":
    GLINT, SMOLLM2 = sys.argv[1], Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
