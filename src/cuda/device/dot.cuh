// SPDX-License-Identifier: Apache-2.0
//
// Dot products of f32 rows by one warp. Rows of whole 128s: lane l takes four columns from 4 l on of each 128; others:
// columns l, l + 32, .... The lanes' sums are folded by a butterfly. The order depends on the width alone.
#pragma once

#include "cuda/device/reduce.cuh"

namespace glint::cuda {

/// dots[t] = w . x_of(t) for kTokens tokens; every lane gets all of them.
template <int kTokens, class XOf>
__device__ __forceinline__ void warp_dots(float (&dots)[kTokens], const float* w, int width, XOf x_of) {
#pragma unroll
  for (int t = 0; t < kTokens; ++t) dots[t] = 0;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (width % 128 == 0) {
#pragma unroll 8
    for (int i = 4 * lane; i < width; i += 128) {
      const float4 weight = *reinterpret_cast<const float4*>(w + i);
#pragma unroll
      for (int t = 0; t < kTokens; ++t) {
        const float4 x = *reinterpret_cast<const float4*>(x_of(t) + i);
        dots[t] = __fmaf_rn(weight.x, x.x, dots[t]);
        dots[t] = __fmaf_rn(weight.y, x.y, dots[t]);
        dots[t] = __fmaf_rn(weight.z, x.z, dots[t]);
        dots[t] = __fmaf_rn(weight.w, x.w, dots[t]);
      }
    }
  } else {
#pragma unroll 4
    for (int i = lane; i < width; i += 32) {
      const float weight = w[i];
#pragma unroll
      for (int t = 0; t < kTokens; ++t) dots[t] = __fmaf_rn(weight, x_of(t)[i], dots[t]);
    }
  }
#pragma unroll
  for (int t = 0; t < kTokens; ++t) dots[t] = warp_sum(dots[t]);
}

/// A row of weights that a warp holds before the input is there; dots() gives the bits of warp_dots. Its first 2048
/// columns stay in registers. PRECOND: width is a multiple of 128.
class HeldRow {
 public:
  __device__ __forceinline__ HeldRow(const float* w, int width) : w_(w), width_(width) {
#pragma unroll
    for (int c = 0; c < kHeld; ++c) held_[c] = column(c) < width ? group(c) : make_float4(0, 0, 0, 0);
  }
  /// With kTokens tokens, the rows of x after each other.
  template <int kTokens>
  __device__ __forceinline__ void dots(float (&dots)[kTokens], const float* x) const {
#pragma unroll
    for (int t = 0; t < kTokens; ++t) dots[t] = 0;
#pragma unroll
    for (int c = 0; c < kHeld; ++c) {
      if (column(c) >= width_) break;
#pragma unroll
      for (int t = 0; t < kTokens; ++t) add(dots[t], held_[c], x + t * width_ + column(c));
    }
#pragma unroll 1
    for (int c = kHeld; column(c) < width_; ++c) {
      const float4 w = group(c);
#pragma unroll
      for (int t = 0; t < kTokens; ++t) add(dots[t], w, x + t * width_ + column(c));
    }
#pragma unroll
    for (int t = 0; t < kTokens; ++t) dots[t] = warp_sum(dots[t]);
  }

 private:
  static constexpr int kHeld = 16;
  __device__ __forceinline__ static int column(int c) {
    return 4 * (static_cast<int>(threadIdx.x) % 32) + 128 * c;
  }
  __device__ __forceinline__ float4 group(int c) const {
    return *reinterpret_cast<const float4*>(w_ + column(c));
  }
  __device__ __forceinline__ static void add(float& sum, float4 w, const float* at) {
    const float4 x = *reinterpret_cast<const float4*>(at);
    sum = __fmaf_rn(w.x, x.x, sum);
    sum = __fmaf_rn(w.y, x.y, sum);
    sum = __fmaf_rn(w.z, x.z, sum);
    sum = __fmaf_rn(w.w, x.w, sum);
  }

  const float* w_;
  int width_;
  float4 held_[kHeld];
};

}  // namespace glint::cuda
