// SPDX-License-Identifier: Apache-2.0
//
// An order on (value, index) as one integer: the larger key ranks first. Larger values first, ties to the lower index,
// NaN below everything. No key is 0.
#pragma once

#include <cuda_runtime.h>

#include "cuda/device/reduce.cuh"

namespace glint::cuda {

using RankKey = unsigned long long;

__device__ __forceinline__ RankKey rank_key(float value, int index) {
  unsigned bits = __float_as_uint(value);
  bits = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  if (value == 0) bits = 0x80000000u;  // -0 equals 0
  if (value != value) bits = 0;
  return static_cast<RankKey>(bits) << 32 | (0xffffffffu - static_cast<unsigned>(index));
}

__device__ __forceinline__ int index_of(RankKey key) {
  return static_cast<int>(0xffffffffu - static_cast<unsigned>(key));
}

/// The value of a key; +0 for -0, and a NaN for one.
__device__ __forceinline__ float value_of(RankKey key) {
  const auto bits = static_cast<unsigned>(key >> 32);
  return __uint_as_float((bits & 0x80000000u) != 0 ? bits & 0x7fffffffu : ~bits);
}

/// Every lane gets the largest.
__device__ __forceinline__ RankKey warp_first(RankKey key) {
#pragma unroll
  for (int bit = 16; bit > 0; bit >>= 1) key = max(key, __shfl_xor_sync(kAllLanes, key, bit));
  return key;
}

}  // namespace glint::cuda
