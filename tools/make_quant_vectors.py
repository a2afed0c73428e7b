#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/quant/vectors.bin: blocks of every quantised format and the floats they stand for.

The expected floats are computed by libgguf (its C reference kernels) and checked here against the gguf package's NumPy
kernels, which must agree to the last bit. Needs `pip install libgguf==0.2.2 gguf==0.19.0 numpy`.

    python3 tools/make_quant_vectors.py tests/data/quant/vectors.bin

File: records until the end, each  u32 GGUF type id, u32 n_blocks, the blocks, then n_blocks * block length f32.
Blocks of a record: random bits under ordinary scales; quantised normal rows where libgguf quantises the format; all
zero bytes; random bits under the largest and the smallest (subnormal) scales of both signs and zero.
"""
import struct
import sys

import gguf
import libgguf
import numpy as np

FORMATS = """Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4
             IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S TQ1_0 TQ2_0""".split()

# Byte offsets of the half-float scales of a block; IQ1_M and MXFP4 are special.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "IQ1_S": [0], "IQ2_XXS": [0],
          "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "TQ1_0": [52], "TQ2_0": [64]}

LARGEST, SMALLEST = 0x7BFF, 0x0001
EXTREMES = [(LARGEST, LARGEST), (LARGEST | 0x8000, SMALLEST), (SMALLEST, LARGEST), (SMALLEST | 0x8000, 0x03FF), (0, 0x8000)]
EXTREME_EXPONENTS = [0, 1, 2, 254, 255]  # MXFP4


def set_scales(name, block, halves):
    """Puts half-float bits where the format keeps its scales."""
    if name == "IQ1_M":
        for i in range(4):
            block[49 + 2 * i] = (block[49 + 2 * i] & 0x0F) | ((halves[0] >> (4 * i)) & 15) << 4
        return
    for offset, half in zip(SCALES[name], halves):
        block[offset:offset + 2] = np.frombuffer(struct.pack("<H", half), np.uint8)


def make_blocks(name, rng):
    qtype = gguf.GGMLQuantizationType[name]
    length, size = gguf.GGML_QUANT_SIZES[qtype]
    blocks = rng.integers(0, 256, (12 if length == 32 else 8, size), dtype=np.uint8)
    ordinary = len(blocks) - len(EXTREMES)
    for i, block in enumerate(blocks):
        extreme = i - ordinary
        if name == "MXFP4":
            block[0] = rng.integers(100, 140) if extreme < 0 else EXTREME_EXPONENTS[extreme]
        else:
            scales = rng.normal(0, 0.02, 2).astype(np.float16).view(np.uint16)
            set_scales(name, block, [int(s) for s in scales] if extreme < 0 else EXTREMES[extreme])
    rows = rng.normal(0, 1, (1, 4 * length if length == 32 else length)).astype(np.float32)
    rows[0, :3] = [3.5, -4.25, 0.0]
    quantised = libgguf.quantize_rows(rows, int(qtype)).reshape(-1, size)
    return np.concatenate([blocks, quantised, np.zeros((1, size), np.uint8)])


def main():
    rng = np.random.default_rng(20240607)
    with open(sys.argv[1], "wb") as out:
        for name in FORMATS:
            qtype = gguf.GGMLQuantizationType[name]
            length, _ = gguf.GGML_QUANT_SIZES[qtype]
            blocks = make_blocks(name, rng)
            expected = np.frombuffer(libgguf.dequantize_rows_raw(int(qtype), blocks, len(blocks), length), np.uint32)
            with np.errstate(over="ignore"):
                again = gguf.quants.dequantize(blocks, qtype).view(np.uint32).ravel()
            assert np.array_equal(expected, again), name
            assert not np.isnan(expected.view(np.float32)).any(), name
            out.write(struct.pack("<II", int(qtype), len(blocks)) + blocks.tobytes() + expected.tobytes())


if __name__ == "__main__":
    main()
