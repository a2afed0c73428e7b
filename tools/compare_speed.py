#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speed of glint and of llama.cpp (the xllamacpp wheel) on one file, threads and machine, in alternating runs: medians
and ratios of prompt processing and generation. Not a test: timings belong in docs/PERFORMANCE.md.

usage: .venv/bin/python tools/compare_speed.py GLINT MODEL [--threads 2] [--prompt 512] [--generate 128] [--rounds 5]"""
import argparse
import json
import random
import statistics
import subprocess

import xllamacpp


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("glint")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.n_ctx = arguments.prompt + arguments.generate + 64
    params.n_parallel = 1
    params.cpuparams.n_threads = arguments.threads
    params.cpuparams_batch.n_threads = arguments.threads
    server = xllamacpp.Server(params)
    ids = [random.Random(1).randrange(1000, 30000) for _ in range(arguments.prompt)]
    figures = {"glint": ([], []), "llama.cpp": ([], [])}
    for _ in range(arguments.rounds):
        done = subprocess.run([arguments.glint, "run", "-m", arguments.model, "--ids", ",".join(map(str, ids)), "-n",
                               str(arguments.generate), "--temp", "0", "--ignore-eos", "--print-ids", "--json-timings",
                               "-ctk", "f16", "-ctv", "f16", "-t", str(arguments.threads)],
                              capture_output=True, text=True, check=True)
        timings = json.loads(done.stderr.strip().split("\n")[-1])
        figures["glint"][0].append(timings["prompt_per_second"])
        figures["glint"][1].append(timings["predicted_per_second"])
        answer = server.handle_completions({"prompt": ids, "n_predict": arguments.generate, "temperature": 0,
                                            "ignore_eos": True, "cache_prompt": False})
        figures["llama.cpp"][0].append(answer["timings"]["prompt_per_second"])
        figures["llama.cpp"][1].append(answer["timings"]["predicted_per_second"])
    print(f"| tokens/s, medians of {arguments.rounds} | pp{arguments.prompt} | tg{arguments.generate} |\n|---|---|---|")
    for name, (prompt, generate) in figures.items():
        print(f"| {name} | {statistics.median(prompt):.1f} | {statistics.median(generate):.1f} |")
    ratios = [statistics.median(a / b for a, b in zip(figures["glint"][k], figures["llama.cpp"][k])) for k in (0, 1)]
    print(f"| ratio | {ratios[0]:.2f} | {ratios[1]:.2f} |")


if __name__ == "__main__":
    main()
