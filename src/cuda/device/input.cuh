// SPDX-License-Identifier: Apache-2.0
//
// How an f32 value becomes an f16 input of a product: one function for every kernel that does it, so that bits agree.
#pragma once

#include <cuda_fp16.h>

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

/// Inner activations of feed-forwards are kept times this, so that the outliers that some models have there stay in
/// f16's range. A power of two: changes no other bit.
inline constexpr float kInnerScale = 1.0f / 64;

}  // namespace glint::cuda
