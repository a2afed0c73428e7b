// SPDX-License-Identifier: Apache-2.0
//
// How values are rounded into a row of the cache.
#pragma once

#include <cuda_fp16.h>

#include "backend/params.h"
#include "cuda/device/reduce.cuh"

namespace glint::cuda {

__device__ __forceinline__ uint16_t to_bf16(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return static_cast<uint16_t>(bits >> 16 | 64);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

/// A warp rounds values first .. first + 31 of a row that ends at n, and stores them: lane i has value i. With Q8_0,
/// `first` is where a block begins.
__device__ __forceinline__ void store_group(DType dtype, uint8_t* row, int first, int n, float value) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (dtype == DType::kQ8_0) {
    const float largest = warp_max(fabsf(value));
    const float d = largest / 127.0f;
    const float inverse = d != 0 ? 1.0f / d : 0.0f;
    uint8_t* block = row + first / 32 * 34;
    if (lane == 0) *reinterpret_cast<__half*>(block) = __float2half_rn(d);
    const float rounded = roundf(value * inverse);
    reinterpret_cast<int8_t*>(block + 2)[lane] =
        static_cast<int8_t>(rounded >= -127.0f ? fminf(rounded, 127.0f) : -127.0f);
    return;
  }
  if (first + lane >= n) return;
  if (dtype == DType::kF32) {
    reinterpret_cast<float*>(row)[first + lane] = value;
  } else if (dtype == DType::kF16) {
    reinterpret_cast<__half*>(row)[first + lane] = __float2half_rn(value);
  } else {
    reinterpret_cast<uint16_t*>(row)[first + lane] = to_bf16(value);
  }
}

}  // namespace glint::cuda
