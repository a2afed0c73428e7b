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
struct InputNorm {
  BlockRow weights;
  bool present;
  float eps;
  __device__ __forceinline__ InputNorm(const float* norm, int width, float eps_)
      : weights(norm, norm != nullptr ? width : 0), present(norm != nullptr), eps(eps_) {}
};

/// A block of at least kNormThreads threads writes a row of `width`, then zeros up to n_columns. `to` is aligned to 8
/// bytes; `scratch` as rms_scale's. Ends without a barrier.
__device__ __forceinline__ void store_input(__half* to, const float* x, int width, int n_columns, float scale,
                                            const InputNorm& norm, float* scratch) {
  const BlockRow row(x, width);
  if (norm.present) scale *= rms_scale(row, width, norm.eps, scratch);
  row.for_each_with(norm.weights, [&](int at, float4 v, float4 w) {
    const float values[4] = {v.x, v.y, v.z, v.w};
    const float weights[4] = {w.x, w.y, w.z, w.w};
    __half halves[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float scaled = __fmul_rn(values[i], scale);  // values past the end are 0
      halves[i] = __float2half_rn(to_f16_range(norm.present ? __fmul_rn(scaled, weights[i]) : scaled));
    }
    // Columns are padded to a multiple of four, so the last group fits.
    auto* pairs = reinterpret_cast<__half2*>(to + at);
    pairs[0] = __halves2half2(halves[0], halves[1]);
    pairs[1] = __halves2half2(halves[2], halves[3]);
  });
  for (int i = (width + 3) / 4 * 4 + static_cast<int>(threadIdx.x); i < n_columns; i += static_cast<int>(blockDim.x))
    to[i] = __float2half_rn(0.0f);
}

/// A whole block writes rows [n_rows, width] (row_stride floats apart, 16-byte aligned, width a multiple of 4) one
/// after another, each padded with zeros to n_columns; row r at to + r * n_columns. As store_input without a norm.
__device__ __forceinline__ void store_rows(__half* to, const float* x, int64_t row_stride, int n_rows, int width,
                                           int n_columns) {
  const int groups_of_row = n_columns / 4;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < n_rows * groups_of_row; i += static_cast<int>(blockDim.x)) {
    const int row = i / groups_of_row;
    const int at = i % groups_of_row * 4;
    float4 v = make_float4(0, 0, 0, 0);
    if (at < width) v = *reinterpret_cast<const float4*>(x + row * row_stride + at);
    auto* pairs = reinterpret_cast<__half2*>(to + static_cast<int64_t>(row) * n_columns + at);
    pairs[0] = __floats2half2_rn(to_f16_range(v.x), to_f16_range(v.y));
    pairs[1] = __floats2half2_rn(to_f16_range(v.z), to_f16_range(v.w));
  }
}

/// Inner activations of feed-forwards are kept times this, so that the outliers that some models have there stay in
/// f16's range. A power of two: changes no other bit.
inline constexpr float kInnerScale = 1.0f / 64;

}  // namespace glint::cuda
