// SPDX-License-Identifier: Apache-2.0
//
// The one order in which products with packed weights are summed, shared by the kernels for few tokens (matvec.cu) and
// for many (matmul.cu), so that a row's bits are the same from both: over each 256 columns (a tile) the tensor core
// adds sixteen steps of 16 to a sum that starts at zero; the tiles' sums are added in ascending order in f32.
#pragma once

#include "cuda/device/input.cuh"
#include "cuda/device/packed.cuh"

namespace glint::cuda {

/// A tile's registers: all of its loads are under way after load().
template <PackedFormat kFormat>
struct TileBits {
  QuarterBits<kFormat> quarters[4];
  TileScales<kFormat> scales;
  __device__ __forceinline__ void load(const uint8_t* tile, int lane) {
#pragma unroll
    for (int q = 0; q < 4; ++q) quarters[q].load(tile, q, lane);
    scales.load(tile, lane);
  }
};

/// sum = tile [16, 256] x columns; `column`: this lane's token (lane / 4) at the tile's first column, f16 in shared
/// memory, or null for none. Fragment of sum: rows lane/4 (0, 1) and lane/4 + 8 (2, 3), tokens 2(lane%4) + {0, 1}.
template <PackedFormat kFormat>
__device__ __forceinline__ void tile_product(float (&sum)[4], const TileBits<kFormat>& bits, const __half* column,
                                             int lane) {
#pragma unroll
  for (int i = 0; i < 4; ++i) sum[i] = 0;
#pragma unroll
  for (int quarter = 0; quarter < 4; ++quarter) {
#pragma unroll
    for (int step = 0; step < 4; ++step) {
      uint32_t a[4];
      unpack_step(bits.quarters[quarter], bits.scales, quarter, step, a);
      uint32_t b0 = 0;
      uint32_t b1 = 0;
      if (column != nullptr) {
        const auto* at = reinterpret_cast<const uint32_t*>(column + quarter * 64 + step * 16) + lane % 4;
        b0 = at[0];
        b1 = at[4];
      }
      mma_f16(sum, a, b0, b1);
    }
  }
}

}  // namespace glint::cuda
