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

/// What a row is multiplied by before it is rounded to f16: scale, or with a norm 1 / rms of the row times the norm's
/// weights. Made before a kernel waits for the one before it, so that the weights are there when the row is.
template <bool kAligned = false>
struct InputNorm {
  BlockRow<kAligned> weights;
  bool present;
  float eps;
  __device__ __forceinline__ InputNorm(const float* norm, int width, float eps_)
      : weights(norm, norm != nullptr ? width : 0), present(norm != nullptr), eps(eps_) {}
};

/// Two times two f16 of four values.
__device__ __forceinline__ uint2 to_halves(float4 v) {
  const __half2 low = __floats2half2_rn(to_f16_range(v.x), to_f16_range(v.y));
  const __half2 high = __floats2half2_rn(to_f16_range(v.z), to_f16_range(v.w));
  return make_uint2(*reinterpret_cast<const uint32_t*>(&low), *reinterpret_cast<const uint32_t*>(&high));
}

/// A block of at least kNormThreads threads calls store(column, two pairs of f16) for each four columns of a row of
/// `width`; values past its end are zeros. `scratch` as rms_scale's.
template <bool kAligned, class Store>
__device__ __forceinline__ void make_input(const BlockRow<kAligned>& row, int width, float scale,
                                           const InputNorm<kAligned>& norm, float* scratch, Store store) {
  if (norm.present) scale *= rms_scale(row, width, norm.eps, scratch);
  row.for_each_with(norm.weights, [&](int at, float4 v, float4 w) {
    const auto input = [&](float value, float weight) {
      const float scaled = __fmul_rn(value, scale);
      return norm.present ? __fmul_rn(scaled, weight) : scaled;
    };
    store(at, to_halves(make_float4(input(v.x, w.x), input(v.y, w.y), input(v.z, w.z), input(v.w, w.w))));
  });
}

/// Inner activations of feed-forwards are kept times this, so that the outliers that some models have there stay in
/// f16's range. A power of two: changes no other bit.
inline constexpr float kInnerScale = 1.0f / 64;

}  // namespace glint::cuda
