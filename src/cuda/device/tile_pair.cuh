// SPDX-License-Identifier: Apache-2.0
//
// Two tiles of weights that a warp multiplies with the same tokens, in the order of device/tile_product.cuh: each load
// of tokens serves both. Used by matmul_experts.cu and matmul_short.cu.
#pragma once

#include "cuda/device/tile_product.cuh"

namespace glint::cuda {

/// Tiles of gate and up, or of two rows of tiles one below the other.
template <PackedFormat kFormat>
using TilePair = uint8_t[2][tile_layout(kFormat).bytes()];

/// A lane's sums of a pair of tiles with kEights times eight tokens.
template <int kEights>
using PairSums = float[kEights][2][4];

/// sum += the products of a quarter (64 columns) of both tiles with the tokens. `x`: where the lane's row of ldmatrix
/// begins, at the quarter's first column; the next eight tokens are `next_eight` halves on.
template <PackedFormat kFormat, int kEights>
__device__ __forceinline__ void add_quarter(PairSums<kEights>& sum, const Quarter<kFormat> (&quarters)[2],
                                            const RowFactors<kFormat> (&factors)[2], const __half* x, int next_eight) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    uint32_t b[kEights][4];  // 32 columns
#pragma unroll
    for (int t = 0; t < kEights; ++t) ldmatrix_x4(b[t], x + t * next_eight + half * 32);
#pragma unroll
    for (int step = 0; step < 2; ++step) {
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        uint32_t a[4];
        unpack_step(quarters[m], factors[m], 2 * half + step, a);
#pragma unroll
        for (int t = 0; t < kEights; ++t) mma_f16(sum[t][m], a, b[t][2 * step], b[t][2 * step + 1]);
      }
    }
  }
}

}  // namespace glint::cuda
