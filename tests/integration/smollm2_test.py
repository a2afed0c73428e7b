#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SmolLM2-135M-Instruct on the CPU against llama.cpp (the xllamacpp wheel) on the same file.

greedy: five prompts, 64 tokens each. The ids must be equal, or part only where llama.cpp's two best logits are closer
than 0.02. llama.cpp rounds activations to 8 bits wherever weights are quantised, which moves this model's logits by up
to 0.5; glint does not round them. So llama.cpp runs a copy of the file with the same weight values written as F32, for
which it computes in f32 too, while glint runs the quantised file.
perplexity: of a chapter of Persuasion, within 0.5 % of llama.cpp's stored answer (tests/data/smollm2_perplexity.json).

usage: smollm2_test.py GLINT MODEL"""
import json
import math
import subprocess
import sys
import tempfile
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
N_SCORED = 512  # tokens of the chapter whose probability is compared; logits of all would be 0.5 GB of JSON
GAP = 0.02


def glint(binary, *arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"glint {' '.join(arguments)[:200]}: status {done.returncode}: {done.stderr}")
    return done.stdout


def expand(model, target):
    """Writes a copy of the model with every weight as F32, values unchanged."""
    import gguf
    reader = gguf.GGUFReader(model)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind = field.types[0]
        writer.add_key_value(name, field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values.reshape([int(n) for n in reversed(tensor.shape)]).astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_greedy(binary, model, expanded):
    import xllamacpp
    params = xllamacpp.CommonParams()
    params.model.path = expanded
    params.n_ctx = 512
    params.n_parallel = 1
    params.cpuparams.n_threads = 2
    server = xllamacpp.Server(params)
    failures = 0
    for prompt in PROMPTS:
        answer = server.handle_completions({"prompt": prompt, "n_predict": N_PREDICT, "temperature": 0, "n_probs": 2,
                                            "cache_prompt": False})
        theirs = answer["choices"][0]["logprobs"]["content"]
        ids = glint(binary, "tokenize", "-m", model, "--ids", "-p", prompt)
        ours = json.loads(glint(binary, "run", "-m", model, "--ids", ids.strip(), "-n", str(N_PREDICT), "--temp", "0",
                                "--print-ids", "-t", "2"))
        # llama.cpp lists the id that ends the answer, glint does not.
        for step, (mine, their) in enumerate(zip(ours + [None], theirs)):
            if mine == their["id"] or (mine is None and step == len(theirs) - 1):
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
    text_ids = stored["ids"]
    ids = text_ids[:N_SCORED]
    listed = json.loads(glint(binary, "tokenize", "-m", model, "--ids", "-f", str(DATA / "persuasion.txt")))
    if listed != text_ids:
        print("FAILED: tokenisation of persuasion.txt differs from the stored ids")
        return 1
    logits = json.loads(glint(binary, "logits", "-m", model, "--ids", ",".join(map(str, ids)), "--all"))["logits"]
    total = 0.0
    for row, target in zip(logits, ids[1:]):
        highest = max(row)
        total += row[target] - highest - math.log(sum(math.exp(x - highest) for x in row))
    ours = math.exp(-total / (len(ids) - 1))
    theirs = math.exp(-sum(stored["log_probabilities"][:len(ids) - 1]) / (len(ids) - 1))
    difference = abs(ours / theirs - 1)
    print(f"perplexity {ours:.4f}, llama.cpp {theirs:.4f}, difference {100 * difference:.3f} %")
    return int(difference > 0.005)


def main():
    binary, model = sys.argv[1:3]
    if not Path(model).exists():
        print("skipped: no SmolLM2 file; tools/setup.sh test fetches it")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        expanded = str(Path(folder) / "smollm2-f32.gguf")
        expand(model, expanded)
        failures = check_greedy(binary, model, expanded)
    return min(1, failures + check_perplexity(binary, model))


if __name__ == "__main__":
    sys.exit(main())
