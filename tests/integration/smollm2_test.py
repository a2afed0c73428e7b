#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SmolLM2-135M-Instruct on the CPU against llama.cpp (the xllamacpp wheel) on the same file.

greedy: five prompts, 64 tokens each. The ids must be equal, or part only where llama.cpp's two best logits are closer
than 0.02: llama.cpp rounds activations to 8 bits and glint does not, so nearer ties may fall either way.
perplexity: of a chapter of Persuasion, within 0.5 % of llama.cpp's stored answer (tests/data/smollm2_perplexity.json).

usage: smollm2_test.py GLINT MODEL"""
import json
import math
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):",
    "Water boils at a temperature of",
    "The three primary colours are",
]
N_PREDICT = 64
GAP = 0.02


def glint(binary, *arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"glint {' '.join(arguments)[:200]}: status {done.returncode}: {done.stderr}")
    return done.stdout


def check_greedy(binary, model):
    import xllamacpp
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = 512
    params.n_parallel = 1
    params.cpuparams.n_threads = 2
    server = xllamacpp.Server(params)
    failures = 0
    for prompt in PROMPTS:
        answer = server.handle_completions({"prompt": prompt, "n_predict": N_PREDICT, "temperature": 0, "n_probs": 2,
                                            "ignore_eos": True, "cache_prompt": False})
        theirs = answer["choices"][0]["logprobs"]["content"]
        ids = glint(binary, "tokenize", "-m", model, "--ids", "-p", prompt)
        ours = json.loads(glint(binary, "run", "-m", model, "--ids", ids.strip(), "-n", str(N_PREDICT), "--temp", "0",
                                "--ignore-eos", "--print-ids", "-t", "2"))
        assert len(ours) == N_PREDICT, f"{len(ours)} ids instead of {N_PREDICT}"
        for step, (mine, their) in enumerate(zip(ours, theirs)):
            if mine == their["id"]:
                continue
            top = their["top_logprobs"]
            gap = top[0]["logprob"] - top[1]["logprob"]
            verdict = "allowed" if gap < GAP else "FAILED"
            failures += gap >= GAP
            print(f"{verdict}: {prompt!r} parts at step {step}: {mine} against {their['id']}, gap {gap:.4f}")
            break
        else:
            print(f"equal: {prompt!r}")
    return failures


def check_perplexity(binary, model):
    stored = json.loads((DATA / "smollm2_perplexity.json").read_text())
    ids = stored["ids"]
    listed = json.loads(glint(binary, "tokenize", "-m", model, "--ids", "-f", str(DATA / "persuasion.txt")))
    if listed != ids:
        print("FAILED: tokenisation of persuasion.txt differs from the stored ids")
        return 1
    logits = json.loads(glint(binary, "logits", "-m", model, "--ids", ",".join(map(str, ids)), "--all"))["logits"]
    total = 0.0
    for row, target in zip(logits, ids[1:]):
        highest = max(row)
        total += row[target] - highest - math.log(sum(math.exp(x - highest) for x in row))
    ours = math.exp(-total / (len(ids) - 1))
    theirs = math.exp(-sum(stored["log_probabilities"]) / (len(ids) - 1))
    difference = abs(ours / theirs - 1)
    print(f"perplexity {ours:.4f}, llama.cpp {theirs:.4f}, difference {100 * difference:.3f} %")
    return int(difference > 0.005)


def main():
    binary, model = sys.argv[1:3]
    if not Path(model).exists():
        print("skipped: no SmolLM2 file; tools/setup.sh test fetches it")
        return 77
    return min(1, check_greedy(binary, model) + check_perplexity(binary, model))


if __name__ == "__main__":
    sys.exit(main())
