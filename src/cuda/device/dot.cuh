// SPDX-License-Identifier: Apache-2.0
//
// Dot products of f32 rows by one warp: lane l takes columns l, l + 32, ..., the lanes' sums are folded by a butterfly.
// The order depends on the width alone.
#pragma once

#include "cuda/device/reduce.cuh"

namespace glint::cuda {

/// dots[t] = w . x_of(t) for kTokens tokens; every lane gets all of them.
template <int kTokens, class XOf>
__device__ __forceinline__ void warp_dots(float (&dots)[kTokens], const float* w, int width, XOf x_of) {
#pragma unroll
  for (int t = 0; t < kTokens; ++t) dots[t] = 0;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x) % 32; i < width; i += 32) {
    const float weight = w[i];
#pragma unroll
    for (int t = 0; t < kTokens; ++t) dots[t] = __fmaf_rn(weight, x_of(t)[i], dots[t]);
  }
#pragma unroll
  for (int t = 0; t < kTokens; ++t) dots[t] = warp_sum(dots[t]);
}

}  // namespace glint::cuda
