#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`glint bench` as scripts that know llama-bench meet it: names of tests, lists and ranges, five output formats that
say the same, and the table of --batched. How fast it was is nobody's concern here.

usage: bench_test.py GLINT"""
import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
import unittest

GLINT = ""
SHORT = ["-dev", "none", "-t", "1", "-r", "2", "--no-warmup"]


def bench(*arguments):
    return subprocess.run([GLINT, "bench", *map(str, arguments)], capture_output=True, text=True, timeout=300)


def ok(*arguments):
    done = bench(*arguments)
    if done.returncode != 0:
        raise AssertionError(f"glint bench {arguments}: status {done.returncode}: {done.stderr}")
    return done.stdout


def tests_of(*arguments):
    return [record["test"] for record in json.loads(ok(*SHORT, "-r", "1", "-o", "json", *arguments))]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


class Tests(unittest.TestCase):
    def test_lists_flags_that_come_again_and_ranges(self):
        self.assertEqual(tests_of("-p", "3,5", "-n", "2", "-n", "4"), ["pp3", "pp5", "tg2", "tg4"])
        self.assertEqual(tests_of("-p", "4-8+2", "-n", "1-4*2"), ["pp4", "pp6", "pp8", "tg1", "tg2", "tg4"])
        self.assertEqual(tests_of("-p", "0", "-n", "0", "-pg", "6,2", "-pg", "4,1"), ["pp6+tg2", "pp4+tg1"])

    def test_depth_comes_outermost(self):
        self.assertEqual(tests_of("-p", "3", "-n", "2", "-d", "0,9"), ["pp3", "tg2", "pp3 @ d9", "tg2 @ d9"])

    def test_every_combination_is_measured(self):
        records = json.loads(ok(*SHORT, "-o", "json", "-p", "4", "-n", "0", "-ub", "2,8", "-ctk", "f16,f32", "-b", "4,8"))
        seen = {(r["n_ubatch"], r["type_k"], r["n_batch"]) for r in records}
        self.assertEqual(len(seen), 8)
        self.assertEqual(len(records), 8)

    def test_what_makes_no_sense_is_refused(self):
        for flags, word in [(["-p", "x"], "range"), (["-p", "8-4"], "range"), (["-pg", "5"], "512,128"), (["-p", "0", "-n", "0"], "both 0"),
                            (["-ctk", "q3"], "q8_0"), (["-fa", "on,maybe"], "maybe"), (["-ub", "0"], "at least 1"),
                            (["-p", "1-1000000"], "at most"), (["-o", "xml"], "xml"), (["-r", "0"], "0")]:
            done = bench(*flags, "-dev", "none")
            self.assertEqual(done.returncode, 1, flags)
            self.assertIn(word, done.stderr, flags)


class Formats(unittest.TestCase):
    FLAGS = [*SHORT, "-p", "5", "-n", "3", "-fa", "0,1"]

    def test_json(self):
        records = json.loads(ok(*self.FLAGS, "-o", "json"))
        self.assertEqual([(r["n_prompt"], r["n_gen"], r["n_depth"]) for r in records], [(5, 0, 0), (0, 3, 0)])
        for r in records:
            self.assertEqual(len(r["samples_ns"]), 2)
            self.assertAlmostEqual(r["avg_ts"], sum(r["samples_ts"]) / 2, delta=1e-6 * r["avg_ts"])
            self.assertAlmostEqual(r["avg_ns"], sum(r["samples_ns"]) / 2, delta=2)
            self.assertGreater(r["stddev_ts"], 0)
            self.assertEqual(r["n_threads"], 1)
            self.assertEqual(r["backends"], "CPU")
            self.assertGreater(r["model_n_params"], 1e6)
            self.assertGreater(r["limit_share"], 0)

    def test_the_other_formats_have_the_same_fields(self):
        names = [n for n, v in json.loads(ok(*self.FLAGS, "-o", "json"))[0].items() if not isinstance(v, list)]
        lines = [json.loads(line) for line in ok(*self.FLAGS, "-o", "jsonl").splitlines()]
        self.assertEqual([line["test"] for line in lines], ["pp5", "tg3"])
        rows = list(csv.DictReader(io.StringIO(ok(*self.FLAGS, "-o", "csv"))))
        self.assertEqual(list(rows[0]), names)
        self.assertEqual([row["test"] for row in rows], ["pp5", "tg3"])
        base = sqlite3.connect(":memory:")
        base.executescript(ok(*self.FLAGS, "-o", "sql"))
        cursor = base.execute("SELECT * FROM llama_bench")
        self.assertEqual([column[0] for column in cursor.description], names)
        self.assertEqual(len(cursor.fetchall()), 2)

    def test_table(self):
        lines = ok(*self.FLAGS).splitlines()
        self.assertEqual(len(lines), 4)
        head = cells(lines[0])
        for name in ["model", "size", "params", "backend", "threads", "fa", "test", "t/s", "of limit"]:
            self.assertIn(name, head)
        self.assertNotIn("n_ubatch", head)
        self.assertRegex(lines[1], r"^(\| -+[-:] )+\|$")
        row = dict(zip(head, cells(lines[2])))
        self.assertEqual(row["test"], "pp5")
        self.assertRegex(row["t/s"], r"^\d+\.\d\d ± \d+\.\d\d$")
        self.assertRegex(row["of limit"], r"^\d+\.\d %$")
        self.assertEqual({len(line) for line in lines}, {len(lines[0])})
        self.assertIn("n_ubatch", cells(ok(*self.FLAGS, "-ub", "4").splitlines()[0]))


class Batched(unittest.TestCase):
    def test_table(self):
        lines = ok("-dev", "none", "-t", "1", "--batched", "-npp", "20", "-ntg", "3", "-npl", "1,3").splitlines()
        self.assertEqual(cells(lines[0]), ["PP", "TG", "B", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s"])
        rows = [cells(line) for line in lines[2:]]
        self.assertEqual([row[:4] for row in rows], [["20", "3", "1", "23"], ["20", "3", "3", "69"]])
        for row in rows:
            seconds, rate = float(row[8]), float(row[9])
            self.assertTrue(re.match(r"\d+\.\d\d\d$", row[4]))
            self.assertGreater(rate, 0)
            self.assertAlmostEqual(float(row[4]) + float(row[6]), seconds, delta=0.002)

    def test_shared_prompt_counts_once(self):
        lines = ok("-dev", "none", "--batched", "-npp", "20", "-ntg", "3", "-npl", "4", "-pps").splitlines()
        self.assertEqual(cells(lines[2])[3], "32")


if __name__ == "__main__":
    GLINT = sys.argv.pop(1)
    unittest.main()
