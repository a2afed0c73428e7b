// SPDX-License-Identifier: Apache-2.0
//
// Sums and maxima over a warp or a block, in an order that depends on the block's size alone: the same bits every time.
#pragma once

#include <cuda_runtime.h>

namespace glint::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;
inline constexpr float kLog2E = 1.4426950408889634f;  // exponents of a softmax are taken to base 2

/// Every lane gets the sum; butterfly order.
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int bit = 16; bit > 0; bit >>= 1) x += __shfl_xor_sync(kAllLanes, x, bit);
  return x;
}

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int bit = 16; bit > 0; bit >>= 1) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, bit));
  return x;
}

/// Every thread of a block of kThreads gets the sum. `scratch`: kThreads / 32 floats of shared memory, free for other
/// use after the next barrier.
template <int kThreads>
__device__ __forceinline__ float block_sum(float x, float* scratch) {
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0 && threadIdx.x < kThreads) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int w = 0; w < kThreads / 32; ++w) sum += scratch[w];
  return sum;
}

}  // namespace glint::cuda
