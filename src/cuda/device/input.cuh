// SPDX-License-Identifier: Apache-2.0
//
// How an f32 value becomes an f16 input of a product: one function for every kernel that does it, so that bits agree.
#pragma once

#include <cuda_fp16.h>

#include "cuda/device/norm.cuh"

namespace glint::cuda {

/// What f16 cannot hold becomes its largest value.
__device__ __forceinline__ float to_f16_range(float x) {
  return fminf(fmaxf(x, -65504.0f), 65504.0f);
}

/// Value i of a row: x * scale * norm[i], rounded to f16; `norm` may be null.
__device__ __forceinline__ __half to_input(float x, float scale, const float* norm, int i) {
  const float scaled = __fmul_rn(x, scale);
  return __float2half_rn(to_f16_range(norm != nullptr ? __fmul_rn(scaled, norm[i]) : scaled));
}

/// A block of kNormThreads writes a row: x * scale, normed first if `norm` is given, then zeros up to n_columns. `to` is
/// aligned to 8 bytes; `scratch` as rms_scale's. Ends without a barrier.
__device__ __forceinline__ void store_input(__half* to, const float* x, int width, int n_columns, float scale, const float* norm,
                                            float eps, float* scratch) {
  const BlockRow row(x, width);
  if (norm != nullptr) scale *= rms_scale(row, width, eps, scratch);
  row.for_each([&](int at, float4 v) {
    const float values[4] = {v.x, v.y, v.z, v.w};
    __half halves[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      halves[i] = at + i < width ? to_input(values[i], scale, norm, at + i) : __float2half_rn(0.0f);
    }
    // Columns are padded to a multiple of four, so the last group fits.
    auto* pairs = reinterpret_cast<__half2*>(to + at);
    pairs[0] = __halves2half2(halves[0], halves[1]);
    pairs[1] = __halves2half2(halves[2], halves[3]);
  });
  for (int i = (width + 3) / 4 * 4 + static_cast<int>(threadIdx.x); i < n_columns; i += kNormThreads) to[i] = __float2half_rn(0.0f);
}

/// Inner activations of feed-forwards are kept times this, so that the outliers that some models have there stay in
/// f16's range. A power of two: changes no other bit.
inline constexpr float kInnerScale = 1.0f / 64;

}  // namespace glint::cuda
