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
  __device__ __forceinline__ RowsInput(const MatvecInput& in, int n_in) : in_(in), norm_(in.norm, n_in, in.eps) {}

  /// After it: a whole block writes the tokens of head `head` to `columns`, each n_padded columns and kColumnPad.
  __device__ __forceinline__ void store(__half* columns, int head, int n_in, int n_padded, float* scratch) const {
    const float* x = in_.x + head * in_.head_stride;
    if (kAligned && !norm_.present && in_.scale == 1) {
      return HeldRows < 2,
             kMany ? 4 : 1 > (x, in_.row_stride, in_.n_tokens, n_in, n_padded).store(columns, n_padded + kColumnPad);
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

  /// Calls fn(w, column, four values of x) for what a warp's lane has of all: w counts the warps that would norm the
  /// row together. Eight loads are under way at once.
  template <class Fn>
  __device__ __forceinline__ static void for_each_of_lane(const float* x, int n_in, Fn fn) {
#pragma unroll 1
    for (int first = 4 * lane_id(); first < n_in; first += 4 * kNormThreads) {
      float4 v[kWarpsOfNorm];
#pragma unroll
      for (int w = 0; w < kWarpsOfNorm; ++w) {
        const int at = first + 128 * w;
        v[w] = at < n_in ? *reinterpret_cast<const float4*>(x + at) : make_float4(0, 0, 0, 0);
      }
#pragma unroll
      for (int w = 0; w < kWarpsOfNorm; ++w) fn(w, first + 128 * w, v[w]);
    }
  }
  /// One normed token by one warp, with the bits of store_one: the sums of rms_scale in its order.
  __device__ __forceinline__ void store_by_warp(__half* columns, const float* x, int n_in, int n_padded) const {
    float sums[kWarpsOfNorm] = {};
    for_each_of_lane(x, n_in, [&](int w, int, float4 v) {
      sums[w] = __fmaf_rn(v.x, v.x, sums[w]);
      sums[w] = __fmaf_rn(v.y, v.y, sums[w]);
      sums[w] = __fmaf_rn(v.z, v.z, sums[w]);
      sums[w] = __fmaf_rn(v.w, v.w, sums[w]);
    });
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kWarpsOfNorm; ++w) sum += warp_sum(sums[w]);
    const float scale = in_.scale * rsqrtf(sum / static_cast<float>(n_in) + in_.eps);
    for_each_of_lane(x, n_in, [&](int, int at, float4 v) {
      if (at >= n_in) return;
      const float4 weight = *reinterpret_cast<const float4*>(in_.norm + at);
      store_columns(columns, at,
                    to_halves(make_float4(
                        __fmul_rn(__fmul_rn(v.x, scale), weight.x), __fmul_rn(__fmul_rn(v.y, scale), weight.y),
                        __fmul_rn(__fmul_rn(v.z, scale), weight.z), __fmul_rn(__fmul_rn(v.w, scale), weight.w))));
    });
    for (int at = n_in + 4 * lane_id(); at < n_padded; at += 128) store_columns(columns, at, make_uint2(0, 0));
  }

  const MatvecInput& in_;
  InputNorm<kAligned> norm_;
};

}  // namespace glint::cuda
