#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GLM-4.7-Flash's exact shapes with 3 of its 47 layers, its real vocabulary and chat template, random weights (1.3 GB).

The file is written by `glint synth`. It must hold the published token arrays (sha256), render and tokenize the template's
eleven cases, through the command line and through the server's /apply-template, tokenize the published examples, and run
with a peak memory of the file, its cache and less than 300 MB.

usage: glm_test.py GLINT SHARED_FOLDER"""
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from glint_server import Server  # noqa: E402

TEXTS = {  # Hugging Face's ids
    "The capital of France is": [785, 6722, 315, 9621, 374],
    "  x": [220, 856],
    "don't DON'T I'LL": [14995, 944, 44017, 17302, 358, 6, 4086],
    "12345": [108714, 100461],
    "你好世界，这是一个中文测试。": [109377, 99011, 3837, 103974, 102169, 100838, 1773],
    " 美国": [105192],
    "<think>\n": [154841, 198],
    "Hello 👋 World 🌍 emoji test 😀🎉": [9703, 61370, 233, 4337, 11157, 234, 235, 42123, 1273, 89570, 151705],
}
DIGESTS = {"tokens": ("3899fd45", "dace5cc"), "merges": ("d6d25b0c", "33bc43"), "token_type": ("dee30601", "274b3a")}
N_PREDICT = 8


def glint(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True)
    if done.returncode != 0:
        sys.exit(f"glint {arguments}: status {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode()


def check_template(binary, model, cases, folder):
    for name, case in cases.items():
        arguments = ["template", "-m", model, "--messages", folder / "messages.json"]
        (folder / "messages.json").write_text(json.dumps(case["messages"]))
        if case.get("tools"):
            (folder / "tools.json").write_text(json.dumps(case["tools"]))
            arguments += ["--tools", folder / "tools.json"]
        if case.get("kwargs"):
            arguments += ["--kwargs", json.dumps({k: v for k, v in case["kwargs"].items() if k != "add_generation_prompt"})]
        if case.get("kwargs", {}).get("add_generation_prompt") is False:
            arguments += ["--no-generation-prompt"]
        prompt = glint(binary, *arguments)
        assert prompt == case["rendered"], f"{name}: {prompt!r} instead of {case['rendered']!r}"
        (folder / "prompt.txt").write_text(prompt)
        ids = json.loads(glint(binary, "tokenize", "-m", model, "--ids", "-f", folder / "prompt.txt"))
        assert ids == case["ids"], f"{name}: ids {ids} instead of {case['ids']}"


def check_server(binary, model, cases):
    """Each case through /apply-template, byte for byte, and its ids through /tokenize."""
    with Server(binary, "-m", str(model), "-c", "512", "-np", "1") as server:
        def ask(path, body):
            request = urllib.request.Request(server.url + path, json.dumps(body).encode())
            return json.loads(urllib.request.urlopen(request, timeout=60).read())

        for name, case in cases.items():
            members = {key: case["kwargs"][key] for key in ("tools", "add_generation_prompt") if key in case["kwargs"]}
            others = {key: value for key, value in case["kwargs"].items() if key not in members}
            messages = json.loads(json.dumps(case["messages"]))
            for message in messages:  # the server refuses the images that the template would leave out
                if isinstance(message.get("content"), list):
                    message["content"] = [part for part in message["content"] if part.get("type") != "image"]
            prompt = ask("/apply-template", {"messages": messages, "chat_template_kwargs": others, **members})["prompt"]
            assert prompt == case["rendered"], f"/apply-template, {name}: {prompt!r} instead of {case['rendered']!r}"
            ids = ask("/tokenize", {"content": prompt})["tokens"]
            assert ids == case["ids"], f"/tokenize, {name}: {ids} instead of {case['ids']}"
        assert server.stop() == 0
    print(f"{len(cases)} cases through /apply-template")


def check_memory(binary, model):
    facts = json.loads(glint(binary, "inspect", "--json", model))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    ids = json.loads(glint(binary, "run", "-m", model, "--ids", ",".join(map(str, range(1000, 1512))), "-n", N_PREDICT, "--temp",
                           "0", "--ignore-eos", "--print-ids"))
    assert len(ids) == N_PREDICT
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert peak > before * 1024, "the run was not the largest child"
    cache = (512 + N_PREDICT + 64) * facts["kv_bytes_per_token"] * 2  # --ids: f32, twice the f16 of the plan
    allowed = facts["file_bytes"] + cache + 300e6
    print(f"peak memory {peak / 1e6:.0f} MB, file {facts['file_bytes'] / 1e6:.0f} MB, cache {cache / 1e6:.0f} MB")
    assert peak < allowed, f"{peak} bytes at the peak, {allowed} allowed"


def main():
    binary, shared = sys.argv[1], Path(sys.argv[2])
    if not shared.exists():
        print("skipped: the reference data folder is not here")
        return 77
    with tempfile.TemporaryDirectory(dir=os.environ.get("GLINT_TEST_FOLDER")) as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 2e9:
            print("skipped: less than 2 GB of disk are free")
            return 77
        model = folder / "glm3.gguf"
        glint(binary, "synth", "glm-4.7-flash", "--type", "q4_k_m", "--layers", 3, "-o", model, "--tokenizer",
              shared / "data/glm/tokenizer.json", "--chat-template", shared / "data/glm/chat_template.jinja")
        for text, ids in TEXTS.items():
            (folder / "text.txt").write_text(text)
            got = json.loads(glint(binary, "tokenize", "-m", model, "--ids", "-f", folder / "text.txt"))
            assert got == ids, f"{text!r}: {got} instead of {ids}"
            assert glint(binary, "detokenize", "-m", model, "--ids", json.dumps(ids)) == text
        metadata = json.loads(glint(binary, "inspect", "--json", model))["metadata"]
        for key, digest in DIGESTS.items():
            got = metadata["tokenizer.ggml." + key]["sha256"]
            assert got.startswith(digest[0]) and got.endswith(digest[1]), f"{key}: {got}"
        check_template(binary, model, json.loads((shared / "data/glm/chat_template_cases.json").read_text()), folder)
        check_memory(binary, model)
        check_server(binary, model, json.loads((shared / "data/glm/chat_template_cases.json").read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
