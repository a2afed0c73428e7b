// SPDX-License-Identifier: Apache-2.0
//
// The one order in which products with packed weights are summed, shared by the kernels for few tokens (matvec.cu) and
// for many (matmul.cu), so that a row's bits are the same from both: over each 256 columns (a tile) the tensor core
// adds sixteen steps of 16 to a sum that starts at zero; K formats multiply it by their row's factor; the tiles' sums
// are added in ascending order in f32.
#pragma once

#include "cuda/device/input.cuh"
#include "cuda/device/packed.cuh"

namespace glint::cuda {

/// Starts a warp's copy of a tile to its own shared memory. kOnce: no other block of the step reads it.
template <PackedFormat kFormat, bool kOnce = true>
__device__ __forceinline__ void copy_tile(uint8_t* to, const uint8_t* tile, int lane) {
  constexpr int kPieces = tile_layout(kFormat).bytes() / 16;
#pragma unroll
  for (int i = 0; i < kPieces; i += 32) {
    if (i + 32 <= kPieces || i + lane < kPieces) {
      // Halves: see cp_async_stream_16.
      if constexpr (!kOnce || kFormat == PackedFormat::kHalf) {
        cp_async_16(to + (i + lane) * 16, tile + (i + lane) * 16);
      } else {
        cp_async_stream_16(to + (i + lane) * 16, tile + (i + lane) * 16);
      }
    }
  }
}

/// Where the value of a column (< 32) lies in its group of 32 in shared memory: what a lane needs for two steps,
/// columns 2c + {0, 1, 8, 9, 16, 17, 24, 25} with c = lane % 4, lies together.
__device__ __forceinline__ int place_of_column(int column) {
  return column % 8 / 2 * 8 + column / 8 * 2 + column % 2;
}

/// sum = tile [16, 256] (in shared memory) x columns; `column`: this lane's token (lane / 4) at the tile's first
/// column, f16 in shared memory, each 32 in the order of place_of_column, 16-byte aligned. Fragment of sum: rows lane/4
/// (0, 1) and lane/4 + 8 (2, 3), tokens 2(lane%4) + {0, 1}. A token's sums depend on no other: lanes of tokens that do
/// not exist may point to any. A loop over quarters, not straight code: generating runs each kernel's code once or
/// twice, and fetching instructions would take longer than they do.
template <PackedFormat kFormat>
__device__ __forceinline__ void tile_product(float (&sum)[4], const uint8_t* tile, const __half* column, int lane) {
  RowFactors<kFormat> factors;
  factors.template load<FromShared>(tile, lane);
  const auto* inputs = reinterpret_cast<const uint4*>(column) + lane % 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) sum[i] = 0;
#pragma unroll 1
  for (int q = 0; q < 4; ++q) {
    Quarter<kFormat> quarter;
    quarter.template load<FromShared>(tile, q, lane);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 b = inputs[(2 * q + half) * 4];
      uint32_t a[4];
      unpack_step(quarter, factors, 2 * half, a);
      mma_f16(sum, a, b.x, b.y);
      unpack_step(quarter, factors, 2 * half + 1, a);
      mma_f16(sum, a, b.z, b.w);
    }
  }
  factors.scale(sum);
}

}  // namespace glint::cuda
