#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/tensor/tables/grid_codes.inc: the codebooks of the grid formats (IQ1, IQ2, IQ3), as format data.

Needs `pip install gguf numpy`, whose gguf.quants publishes each grid as rows of values. Here a row becomes one 16-bit
number: element j is the position of its value in the ascending list of that grid's levels, at bit j * bits_per_level.
src/tensor/tables/grids.cpp holds the levels and expands the numbers back.

    python3 tools/make_quant_tables.py > src/tensor/tables/grid_codes.inc
"""
import sys

import gguf
import numpy as np

# name in our tables, class in gguf.quants, bits per level
GRIDS = [
    ("kIq1Codes", gguf.quants.IQ1_S, 2),
    ("kIq2XxsCodes", gguf.quants.IQ2_XXS, 2),
    ("kIq2XsCodes", gguf.quants.IQ2_XS, 2),
    ("kIq2SCodes", gguf.quants.IQ2_S, 2),
    ("kIq3XxsCodes", gguf.quants.IQ3_XXS, 3),
    ("kIq3SCodes", gguf.quants.IQ3_S, 3),
]


def codes(quant, bits):
    quant.init_grid()
    rows = quant.grid.reshape(quant.grid_shape)
    levels = np.array(sorted(quant.grid_map), dtype=np.float32)
    places = np.searchsorted(levels, rows)
    assert np.array_equal(levels[places], rows) and len(levels) <= 1 << bits and rows.shape[1] * bits <= 16
    return (places << (bits * np.arange(rows.shape[1]))).sum(axis=1)


def main():
    out = ["// SPDX-License-Identifier: Apache-2.0",
           "// Written by tools/make_quant_tables.py from the grids that the gguf package publishes; do not edit."]
    for name, quant, bits in GRIDS:
        values = codes(quant, bits)
        out.append(f"constexpr std::array<uint16_t, {len(values)}> {name}{{{{")
        for start in range(0, len(values), 16):
            out.append("    " + " ".join(f"{v:#06x}," for v in values[start:start + 16]))
        out.append("}};")
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
