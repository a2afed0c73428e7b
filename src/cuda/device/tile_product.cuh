// SPDX-License-Identifier: Apache-2.0
//
// The one order in which products with packed weights are summed, shared by the kernels for few tokens (matvec.cu) and
// for many (matmul.cu), so that a row's bits are the same from both: over each 256 columns (a tile) the tensor core
// adds sixteen steps of 16 to a sum that starts at zero; the tiles' sums are added in ascending order in f32.
#pragma once

#include "cuda/device/input.cuh"
#include "cuda/device/packed.cuh"

namespace glint::cuda {

/// Starts a warp's copy of a tile to its own shared memory.
template <PackedFormat kFormat>
__device__ __forceinline__ void copy_tile(uint8_t* to, const uint8_t* tile, int lane) {
  constexpr int kPieces = tile_layout(kFormat).bytes() / 16;
#pragma unroll
  for (int i = 0; i < kPieces; i += 32) {
    if (i + 32 <= kPieces || i + lane < kPieces) cp_async_16(to + (i + lane) * 16, tile + (i + lane) * 16);
  }
}

/// sum = tile [16, 256] (in shared memory) x columns; `column`: this lane's token (lane / 4) at the tile's first
/// column, f16 in shared memory, or null for none. Fragment of sum: rows lane/4 (0, 1) and lane/4 + 8 (2, 3), tokens
/// 2(lane%4) + {0, 1}. A loop over quarters, not straight code: generating runs each kernel's code once or twice, and
/// fetching instructions would take longer than they do.
template <PackedFormat kFormat>
__device__ __forceinline__ void tile_product(float (&sum)[4], const uint8_t* tile, const __half* column, int lane) {
#pragma unroll
  for (int i = 0; i < 4; ++i) sum[i] = 0;
#pragma unroll 1
  for (int q = 0; q < 4; ++q) {
    Quarter<kFormat> quarter;
    quarter.template load<FromShared>(tile, q, lane);
#pragma unroll
    for (int step = 0; step < 4; ++step) {
      uint32_t a[4];
      unpack_step(quarter, step, a);
      uint32_t b0 = 0;
      uint32_t b1 = 0;
      if (column != nullptr) {
        const auto* at = reinterpret_cast<const uint32_t*>(column + q * 64 + step * 16) + lane % 4;
        b0 = at[0];
        b1 = at[4];
      }
      mma_f16(sum, a, b0, b1);
    }
  }
}

}  // namespace glint::cuda
