#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the architecture rules that a compiler does not: which folder may include which, where CUDA headers,
intrinsics, getenv, #if and architecture names may appear, and that includes have no cycles.
Run by `make test`; prints every breach as file:line and exits 1."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

MAY_INCLUDE = {
    "base": set(),
    "tensor": {"base"},
    "gguf": {"base", "tensor"},
    "text": {"base", "gguf"},
    "grammar": {"base", "gguf"},
    "backend": {"base", "tensor"},
    "cpu": {"base", "tensor", "backend"},
    "cuda": {"base", "tensor", "backend"},
    "model": {"base", "tensor", "gguf", "backend"},
    "engine": {"base", "tensor", "gguf", "text", "grammar", "model", "backend"},
    "server": {"base", "text", "grammar", "engine"},
    "hub": {"base", "text", "grammar", "engine"},
    "c_api": {"base", "text", "grammar", "engine", "glint"},
}
# src/make_backend.cpp alone names concrete backends; engine reaches it through its header.
CONCRETE_BACKENDS = {"cpu/cpu_backend.h", "cuda/cuda_backend.h"}
MODEL_SEES_OF_BACKEND = {"backend/backend.h", "backend/params.h"}
ARCHITECTURES = ["deepseek2", "glm4moe", "qwen2", "qwen3", "gemma", "phi3", "gpt-oss", "glm4"]
INTRINSICS = re.compile(r"#include\s+<(immintrin|x86intrin|arm_neon)\.h>")
CUDA_HEADER = re.compile(r"#include\s+[<\"](cuda|cublas|cudnn|nccl)")
INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"')


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r"(?<!:)//[^\n]*", "", text)


def main():
    problems = []
    includes = {}
    for path in sorted(SRC.rglob("*")):
        if path.suffix not in {".h", ".cpp", ".cu", ".cuh"}:
            continue
        relative = path.relative_to(SRC).as_posix()
        folder = relative.split("/")[0] if "/" in relative else "(top)"
        raw = path.read_text()
        code = strip_comments(raw)
        includes[relative] = set()

        def breach(line, text, relative=relative):
            problems.append(f"src/{relative}:{line}: {text}")

        for number, line in enumerate(raw.splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                target = match.group(1)
                includes[relative].add(target)
                target_folder = target.split("/")[0] if "/" in target else "(top)"
                if not (SRC / target).exists() and not (ROOT / "include" / target).exists():
                    breach(number, f'"{target}" is not a path from src/ or include/')
                if folder == "(top)":
                    continue
                if target in CONCRETE_BACKENDS and not (folder == target_folder):
                    breach(number, f'only make_backend.cpp may include "{target}"')
                elif target_folder == "(top)":
                    if folder != "engine":
                        breach(number, f'{folder} may not include "{target}"')
                elif target_folder != folder and target_folder not in MAY_INCLUDE.get(folder, set()):
                    breach(number, f'{folder} may not include {target_folder} ("{target}")')
                elif folder == "model" and target_folder == "backend" and target not in MODEL_SEES_OF_BACKEND:
                    breach(number, f'model may include only {sorted(MODEL_SEES_OF_BACKEND)}, not "{target}"')
            if INTRINSICS.search(line) and folder != "cpu":
                breach(number, "intrinsics belong in src/cpu")
            if CUDA_HEADER.search(line) and folder != "cuda":
                breach(number, "CUDA headers belong in src/cuda")
        for number, line in enumerate(code.splitlines(), 1):
            if re.search(r"\bgetenv\b", line) and not relative.startswith("base/env"):
                breach(number, "getenv belongs in base/env")
            if re.match(r"\s*#\s*(if|ifdef|ifndef)\b", line) and folder not in {"base", "cpu", "cuda"}:
                breach(number, "#if belongs in base, cpu and cuda")
            if not relative.startswith("model/arch/") and folder in {"model", "engine", "backend", "cpu", "cuda"}:
                for name in ARCHITECTURES:
                    if re.search(rf'"{name}', line):
                        breach(number, f'architecture name "{name}" belongs in model/arch')

    visiting, done = set(), set()

    def visit(node, trail):
        if node in done or node not in includes:
            return
        if node in visiting:
            problems.append("include cycle: " + " -> ".join(trail[trail.index(node):] + [node]))
            return
        visiting.add(node)
        for target in sorted(includes[node]):
            visit(target, trail + [node])
        visiting.discard(node)
        done.add(node)

    for node in sorted(includes):
        visit(node, [])
    for problem in problems:
        print(problem)
    print(f"check_layers: {len(includes)} files, {len(problems)} breaches")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
