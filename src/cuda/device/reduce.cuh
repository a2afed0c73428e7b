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

/// Every thread of a block gets the sums of its first kThreads. `scratch`: kThreads / 32 floats of shared memory for
/// each of the sums, free for other use after the next barrier.
template <int kThreads, int kSums>
__device__ __forceinline__ void block_sums(float (&x)[kSums], float* scratch) {
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    x[i] = warp_sum(x[i]);
    if (threadIdx.x % 32 == 0 && threadIdx.x < kThreads) scratch[i * (kThreads / 32) + threadIdx.x / 32] = x[i];
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kThreads / 32; ++w) sum += scratch[i * (kThreads / 32) + w];
    x[i] = sum;
  }
}

}  // namespace glint::cuda
