// SPDX-License-Identifier: Apache-2.0
//
// Rows of f32 as a product with a few tokens takes them: normed if asked, rounded to f16, in shared memory. Used by
// matvec.cu and matvec_experts.cu.
#pragma once

#include "cuda/device/warp_tiles.cuh"
#include "cuda/matvec.h"

namespace glint::cuda {

/// kAligned as BlockRow's: rows of the quantised formats, whose widths are multiples of 32.
template <bool kAligned>
class RowsInput {
 public:
  /// Before the wait for the kernel before: reads the norm's weights.
  __device__ __forceinline__ RowsInput(const MatvecInput& in, int n_in) : in_(in), norm_(in.norm, n_in, in.eps) {}

  /// After it: a whole block writes the tokens of head `head` to `columns`, each n_padded columns and kColumnPad.
  __device__ __forceinline__ void store(__half* columns, int head, int n_in, int n_padded, float* scratch) const {
    const float* x = in_.x + head * in_.head_stride;
    if (kAligned && !norm_.present && in_.scale == 1) {
      return HeldRows<2>(x, in_.row_stride, in_.n_tokens, n_in, n_padded).store(columns, n_padded + kColumnPad);
    }
#pragma unroll 1
    for (int t = 0; t < in_.n_tokens; ++t) {
      if (t > 0 && norm_.present) __syncthreads();  // scratch is used again
      store_one(columns + t * (n_padded + kColumnPad), BlockRow<kAligned>(x + t * in_.row_stride, n_in), n_in, n_padded,
                scratch);
    }
  }
  /// One token whose row is there already.
  __device__ __forceinline__ void store_one(__half* columns, const BlockRow<kAligned>& row, int n_in, int n_padded,
                                            float* scratch) const {
    make_input(row, n_in, in_.scale, norm_, scratch, [&](int at, uint2 halves) { store_columns(columns, at, halves); });
    // Rows are padded to a multiple of four, so the last group fits.
    for (int at = (n_in + 3) / 4 * 4 + 4 * static_cast<int>(threadIdx.x); at < n_padded; at += 4 * n_threads()) {
      store_columns(columns, at, make_uint2(0, 0));
    }
  }

 private:
  const MatvecInput& in_;
  InputNorm<kAligned> norm_;
};

}  // namespace glint::cuda
