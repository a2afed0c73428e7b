#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for the instructions that ptxas of CUDA 13.0 gets wrong (see cp_async_stream_16 in src/cuda/device/ptx.cuh).

Usage: check_sass.py BUILD_FOLDER: disassembles the sm_90 code of every CUDA object under the folder and fails where a
copy to shared memory has the descriptor UR1, an odd register, which a card refuses as an illegal instruction. Takes
cuobjdump and nvdisasm of the CUDA toolkit or the Python packages nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm; status
77 without them.
"""
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BAD = re.compile(r"LDGSTS\S*\s.*desc\[UR1\]")


def find_tool(name: str) -> str | None:
    spec = importlib.util.find_spec("nvidia")  # NVIDIA's packages share this folder
    folders = spec.submodule_search_locations if spec else []
    packaged = [path for folder in folders for path in pathlib.Path(folder).glob(f"*/bin/{name}")]
    return shutil.which(name) or (str(packaged[0]) if packaged else None)


def bad_kernels(nvdisasm: str, binary: pathlib.Path) -> list[str]:
    text = subprocess.run([nvdisasm, "-c", binary], check=True, capture_output=True, text=True).stdout
    kernel, found = "", []
    for line in text.splitlines():
        if ".section" in line and ".text." in line:
            kernel = line.split(".text.")[1].split(",")[0]
        elif BAD.search(line) and kernel not in found:
            found.append(kernel)
    return found


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    cuobjdump, nvdisasm = find_tool("cuobjdump"), find_tool("nvdisasm")
    if not cuobjdump or not nvdisasm:
        print("skipped: no cuobjdump and nvdisasm", file=sys.stderr)
        return 77
    objects = sorted(pathlib.Path(sys.argv[1]).resolve().rglob("*.cu.o"))
    if not objects:
        print(f"no CUDA objects under {sys.argv[1]}", file=sys.stderr)
        return 2
    n_binaries, n_bad = 0, 0
    for item in objects:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([cuobjdump, "-xelf", "sm_90", item], cwd=folder, capture_output=True, text=True)
            for binary in pathlib.Path(folder).glob("*.cubin"):
                n_binaries += 1
                for kernel in bad_kernels(nvdisasm, binary):
                    print(f"{item.name}: illegal copy in {kernel}")
                    n_bad += 1
            if done.returncode != 0 and "does not contain device code" not in done.stderr + done.stdout:
                print(done.stderr, file=sys.stderr)
                return 2
    print(f"{n_binaries} binaries of sm_90 in {len(objects)} objects, {n_bad} bad kernels")
    return 1 if n_bad or not n_binaries else 0


if __name__ == "__main__":
    sys.exit(main())
