// SPDX-License-Identifier: Apache-2.0
//
// Putting together what mla_decode.h's blocks found in their parts of a context, by the block that needs it.
#pragma once

#include "cuda/device/reduce.cuh"
#include "cuda/mla_decode.h"

namespace glint::cuda {

inline constexpr int kMostSplits = 128;
inline constexpr int kSplitValues = 512;
/// Threads that fold: the first of any block that does.
inline constexpr int kFoldThreads = 256;
inline constexpr int kFoldGroups = kFoldThreads / (kSplitValues / 8);  // each takes every so manieth split

/// Positions of one split of a context of n: whole pages, at most kMostSplits splits.
__device__ __forceinline__ int split_length(int n) {
  return (n + kPageTokens * kMostSplits - 1) / (kPageTokens * kMostSplits) * kPageTokens;
}

__device__ __forceinline__ __half* MlaSplits::values_of(int row, int split) const {
  return values + (static_cast<int64_t>(row) * kMostSplits + split) * n_heads * kSplitValues;
}
__device__ __forceinline__ float2* MlaSplits::states_of(int row, int split) const {
  return states + (static_cast<int64_t>(row) * kMostSplits + split) * n_heads;
}

struct FoldMemory {
  float weights[kMostSplits];
  float4 sums[kFoldGroups][kSplitValues / 8][2];
};

/// Splits of a row's context; may be asked for before the wait for the kernel before.
__device__ __forceinline__ int count_splits(const MlaSplits& splits, int row) {
  const int n = splits.positions[row] + 1;
  const int length = split_length(n);
  return (n + length - 1) / length;
}

/// A block of at least kFoldThreads threads calls store(value, four values) for all values of one head of one row,
/// which has n_splits. Splits are added in an order that depends on the context's length alone. Ends with a barrier.
template <class Store>
__device__ __forceinline__ void fold_splits(FoldMemory& memory, const MlaSplits& splits, int row, int n_splits,
                                            int head, Store store) {
  const int thread = static_cast<int>(threadIdx.x);
  const int group = thread / (kSplitValues / 8);
  const int chunk = thread % (kSplitValues / 8);
  const auto halves_of = [&](int s) {
    return reinterpret_cast<const uint4*>(splits.values_of(row, s) + head * kSplitValues)[chunk];
  };
  // On its way while the shares are made.
  const uint4 first = thread < kFoldThreads && group < n_splits ? halves_of(group) : make_uint4(0, 0, 0, 0);
  if (thread < 32) {  // the splits' shares of the softmax
    float2 state[kMostSplits / 32];
    float largest = -INFINITY;
#pragma unroll
    for (int i = 0; i < kMostSplits / 32; ++i) {
      const int s = thread + 32 * i;
      state[i] = s < n_splits ? splits.states_of(row, s)[head] : make_float2(-INFINITY, 0);
      largest = fmaxf(largest, state[i].x);
    }
    largest = warp_max(largest);
    float total = 0;
#pragma unroll
    for (int i = 0; i < kMostSplits / 32; ++i) {
      state[i].y *= exp2f(state[i].x - largest);
      total += state[i].y;
    }
    total = warp_sum(total);
#pragma unroll
    for (int i = 0; i < kMostSplits / 32; ++i) memory.weights[thread + 32 * i] = state[i].y / total;
  }
  __syncthreads();
  if (thread < kFoldThreads) {
    float sum[8] = {};
#pragma unroll 8
    for (int s = group; s < n_splits; s += kFoldGroups) {
      const uint4 halves = s == group ? first : halves_of(s);
      const float weight = memory.weights[s];
      const uint32_t words[4] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 pair = __half22float2(*reinterpret_cast<const __half2*>(&words[i]));
        sum[2 * i] = __fmaf_rn(weight, pair.x, sum[2 * i]);
        sum[2 * i + 1] = __fmaf_rn(weight, pair.y, sum[2 * i + 1]);
      }
    }
    memory.sums[group][chunk][0] = make_float4(sum[0], sum[1], sum[2], sum[3]);
    memory.sums[group][chunk][1] = make_float4(sum[4], sum[5], sum[6], sum[7]);
  }
  __syncthreads();
  if (thread < kSplitValues / 4) {
    float4 sum = memory.sums[0][thread / 2][thread % 2];
#pragma unroll
    for (int g = 1; g < kFoldGroups; ++g) {
      const float4 other = memory.sums[g][thread / 2][thread % 2];
      sum.x += other.x;
      sum.y += other.y;
      sum.z += other.z;
      sum.w += other.w;
    }
    store(4 * thread, sum);
  }
  __syncthreads();
}

}  // namespace glint::cuda
