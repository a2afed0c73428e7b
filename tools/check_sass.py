#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for the instructions that ptxas of CUDA 13.0 gets wrong (see cp_async_stream_16 in src/cuda/device/ptx.cuh).

Usage: check_sass.py NVDISASM BUILD_FOLDER: disassembles the sm_90 code of every CUDA object under the folder and fails
where a copy to shared memory has the descriptor UR1, an odd register, which a card refuses as an illegal instruction.
NVDISASM comes with the CUDA toolkit or as the Python package nvidia-cuda-nvdisasm; cuobjdump must lie beside it.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

BAD = re.compile(r"LDGSTS\S*\s.*desc\[UR1\]")


def bad_kernels(nvdisasm: pathlib.Path, binary: pathlib.Path) -> list[str]:
    text = subprocess.run([nvdisasm, "-c", binary], check=True, capture_output=True, text=True).stdout
    kernel, found = "", []
    for line in text.splitlines():
        if ".section" in line and ".text." in line:
            kernel = line.split(".text.")[1].split(",")[0]
        elif BAD.search(line) and kernel not in found:
            found.append(kernel)
    return found


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    nvdisasm = pathlib.Path(sys.argv[1]).resolve()
    cuobjdump = nvdisasm.with_name("cuobjdump")
    objects = sorted(pathlib.Path(sys.argv[2]).resolve().rglob("*.cu.o"))
    if not objects:
        print(f"no CUDA objects under {sys.argv[2]}", file=sys.stderr)
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
