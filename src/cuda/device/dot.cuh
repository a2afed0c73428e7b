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

}  // namespace glint::cuda
