// SPDX-License-Identifier: Apache-2.0
//
// Rows of f32 as a product with a few tokens takes them: normed if asked, rounded to f16, in shared memory. Used by
// matvec.cu and matvec_experts.cu.
#pragma once

#include "cuda/device/warp_tiles.cuh"
#include "cuda/matvec.h"

namespace glint::cuda {

/// kAligned as BlockRow's: rows of the quantised formats, whose widths are multiples of 32. kMany: there may be more
/// tokens than kMostInTurn. That is code of its own, which a kernel of one token would have to fetch past.
template <bool kAligned, bool kMany = false>
class RowsInput {
 public:
  /// Before the wait for the kernel before: reads the norm's weights.
  __device__ __forceinline__ RowsInput(const MatvecInput& in, int n_in) : in_(in), norm_(in.norm, n_in, in.eps) {
    if constexpr (kMany) {  // warps read them later; a line is 32 floats
      if (!norm_.present) return;
      for (int at = 32 * static_cast<int>(threadIdx.x); at < n_in; at += 32 * n_threads()) prefetch_to_l2(in.norm + at);
    }
  }

  /// After it: a whole block writes the tokens of head `head` to `columns`, each n_padded columns and kColumnPad.
  __device__ __forceinline__ void store(__half* columns, int head, int n_in, int n_padded, float* scratch) const {
    const float* x = in_.x + head * in_.head_stride;
    if (kAligned && !norm_.present && in_.scale == 1) {
      constexpr int kMore = kMany ? 4 : 1;
      return HeldRows<2, kMore>(x, in_.row_stride, in_.n_tokens, n_in, n_padded).store(columns, n_padded + kColumnPad);
    }
    if (kMany && kAligned && norm_.present) {  // a warp each
#pragma unroll 1
      for (int t = warp_id(); t < in_.n_tokens; t += n_warps())
        store_by_warp(columns + t * (n_padded + kColumnPad), x + t * in_.row_stride, n_in, n_padded);
      return;
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
  static constexpr int kWarpsOfNorm = kNormThreads / 32;
  static_assert(kWarpsOfNorm <= kLeastWarps);

  /// One normed token by one warp, with the bits of store_one: the sums of rms_scale in its order.
  __device__ __forceinline__ void store_by_warp(__half* columns, const float* x, int n_in, int n_padded) const {
    const auto four_at = [&](const float* from, int at) {
      return at < n_in ? *reinterpret_cast<const float4*>(from + at) : make_float4(0, 0, 0, 0);
    };
    float sums[kWarpsOfNorm] = {};  // of what each warp would have that norms the row with the others
#pragma unroll 1
    for (int first = 4 * lane_id(); first < n_in; first += 4 * kNormThreads) {
      float4 v[kWarpsOfNorm];  // all on their way at once
#pragma unroll
      for (int w = 0; w < kWarpsOfNorm; ++w) v[w] = four_at(x, first + 128 * w);
#pragma unroll
      for (int w = 0; w < kWarpsOfNorm; ++w) {
        sums[w] = __fmaf_rn(v[w].x, v[w].x, sums[w]);
        sums[w] = __fmaf_rn(v[w].y, v[w].y, sums[w]);
        sums[w] = __fmaf_rn(v[w].z, v[w].z, sums[w]);
        sums[w] = __fmaf_rn(v[w].w, v[w].w, sums[w]);
      }
    }
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kWarpsOfNorm; ++w) sum += warp_sum(sums[w]);
    const float scale = in_.scale * rsqrtf(sum / static_cast<float>(n_in) + in_.eps);
    constexpr int kFours = 4;
#pragma unroll 1
    for (int first = 4 * lane_id(); first < n_in; first += 128 * kFours) {
      float4 v[kFours], weight[kFours];
#pragma unroll
      for (int i = 0; i < kFours; ++i) {
        v[i] = four_at(x, first + 128 * i);
        weight[i] = four_at(in_.norm, first + 128 * i);
      }
#pragma unroll
      for (int i = 0; i < kFours; ++i) {
        if (first + 128 * i >= n_in) break;
        store_columns(
            columns, first + 128 * i,
            to_halves(make_float4(
                __fmul_rn(__fmul_rn(v[i].x, scale), weight[i].x), __fmul_rn(__fmul_rn(v[i].y, scale), weight[i].y),
                __fmul_rn(__fmul_rn(v[i].z, scale), weight[i].z), __fmul_rn(__fmul_rn(v[i].w, scale), weight[i].w))));
      }
    }
    for (int at = n_in + 4 * lane_id(); at < n_padded; at += 128) store_columns(columns, at, make_uint2(0, 0));
  }

  const MatvecInput& in_;
  InputNorm<kAligned> norm_;
};

}  // namespace glint::cuda
