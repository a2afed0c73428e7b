#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/smollm2_perplexity.json: llama.cpp's log-probability of every token of tests/data/persuasion.txt
(chapter 11 of Jane Austen's Persuasion, 1818, public domain) under SmolLM2-135M-Instruct Q4_1, given all tokens before.
The model file is what `tools/setup.sh test` fetches. One request a token, since llama.cpp's server gives probabilities
of generated tokens only; takes some minutes. Usage: .venv/bin/python tools/make_perplexity_reference.py IDS.json"""
import importlib.metadata
import json
import sys

import xllamacpp


def main():
    ids = json.load(open(sys.argv[1]))  # of `glint tokenize --ids`; llama.cpp's own tokenisation is checked against it
    params = xllamacpp.CommonParams()
    params.model.path = ".cache/smollm2.gguf"
    params.n_ctx = 2048
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    log_probabilities = []
    for n in range(1, len(ids)):
        # The whole vocabulary's probabilities, of which one is wanted.
        answer = server.handle_completions({"prompt": ids[:n], "n_predict": 1, "temperature": 0, "n_probs": 49152,
                                            "cache_prompt": True})
        top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        log_probabilities.append(next(t["logprob"] for t in top if t["id"] == ids[n]))
    json.dump({"made_with": "xllamacpp " + importlib.metadata.version("xllamacpp"), "ids": ids,
               "log_probabilities": log_probabilities}, open("tests/data/smollm2_perplexity.json", "w"))
    print(len(ids), "tokens, mean log-probability", sum(log_probabilities) / len(log_probabilities))


if __name__ == "__main__":
    main()
