// SPDX-License-Identifier: Apache-2.0
//
// Putting together what mla_decode.h's blocks found in their parts of a context: kRunSplits splits after each other are
// a run, whose results are added to a running softmax one by one (Running) and rounded to f16; runs are then weighted
// and summed. Either the block that found them adds up a run, or the one that needs it.
#pragma once

#include "cuda/device/reduce.cuh"
#include "cuda/mla_decode.h"

namespace glint::cuda {

inline constexpr int kMostSplits = 128;
inline constexpr int kRunSplits = 4;
inline constexpr int kMostRuns = kMostSplits / kRunSplits;
static_assert(kMostRuns <= 32);  // a lane each
inline constexpr int kSplitValues = 512;
/// Threads that fold: the first of any block that does.
inline constexpr int kFoldThreads = 256;
inline constexpr int kFoldGroups = kFoldThreads / (kSplitValues / 8);  // each takes every so manieth run

/// Positions of one split of a context of n: whole pages, at most kMostSplits splits.
__device__ __forceinline__ int split_length(int n) {
  return (n + kPageTokens * kMostSplits - 1) / (kPageTokens * kMostSplits) * kPageTokens;
}

/// Most results that a row leaves.
__device__ __forceinline__ int MlaSplits::results_of_row() const {
  return in_runs ? kMostRuns : kMostSplits;
}
__device__ __forceinline__ __half* MlaSplits::values_of(int row, int split) const {
  return values + (static_cast<int64_t>(row) * results_of_row() + split) * n_heads * kSplitValues;
}
__device__ __forceinline__ float2* MlaSplits::states_of(int row, int split) const {
  return states + (static_cast<int64_t>(row) * results_of_row() + split) * n_heads;
}

/// The softmax of a run so far, and what the next split's state makes of it: sums are multiplied by `keep`, the split's
/// values by `share`.
struct Running {
  float largest = -INFINITY;
  float sum = 0;
  float keep = 0;
  float share = 0;
  __device__ __forceinline__ void add(float2 state) {
    const float now = fmaxf(largest, state.x);
    keep = exp2f(largest - now);
    share = __fmul_rn(state.y, exp2f(state.x - now));
    largest = now;
    sum = __fmaf_rn(sum, keep, share);
  }
};
__device__ __forceinline__ float add_to_run(float sum, float keep, float share, float value) {
  return __fmaf_rn(share, value, __fmul_rn(keep, sum));
}

struct FoldMemory {
  float keep[kMostSplits];
  float share[kMostSplits];
  float inverse[kMostRuns];
  float weights[kMostRuns];
  float4 sums[kFoldGroups][kSplitValues / 8][2];
};

/// Splits of a row's context; may be asked for before the wait for the kernel before.
__device__ __forceinline__ int count_splits(const MlaSplits& splits, int row) {
  const int n = splits.positions[row] + 1;
  const int length = split_length(n);
  return (n + length - 1) / length;
}

/// Eight f16 as f32.
__device__ __forceinline__ void to_floats(float (&to)[8], uint4 halves) {
  const uint32_t words[4] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = __half22float2(*reinterpret_cast<const __half2*>(&words[i]));
    to[2 * i] = pair.x;
    to[2 * i + 1] = pair.y;
  }
}

/// A warp finds the shares of a row's runs, and of the splits in them.
__device__ __forceinline__ void find_shares(FoldMemory& memory, const MlaSplits& splits, int row, int n_splits,
                                            int head) {
  const int run = static_cast<int>(threadIdx.x) % 32;
  const int first = run * kRunSplits;
  Running running;
  if (first < n_splits && splits.in_runs) {
    const float2 state = splits.states_of(row, run)[head];
    running.largest = state.x;
    running.sum = state.y;
  } else if (first < n_splits) {
    float2 states[kRunSplits];
#pragma unroll
    for (int i = 0; i < kRunSplits; ++i)
      states[i] = splits.states_of(row, min(first + i, n_splits - 1))[head];  // all on their way at once
#pragma unroll
    for (int i = 0; i < kRunSplits; ++i) {
      if (first + i >= n_splits) break;
      running.add(states[i]);
      memory.keep[first + i] = running.keep;
      memory.share[first + i] = running.share;
    }
  }
  const float weight = running.sum * exp2f(running.largest - warp_max(running.largest));
  memory.weights[run] = weight / warp_sum(weight);
  memory.inverse[run] = 1.0f / running.sum;
}

/// A block of at least kFoldThreads threads calls store(value, four values) for all values of one head of one row,
/// which has n_splits. They are added in an order that depends on the context's length alone. Ends with a barrier.
template <class Store>
__device__ __forceinline__ void fold_splits(FoldMemory& memory, const MlaSplits& splits, int row, int n_splits,
                                            int head, Store store) {
  const int thread = static_cast<int>(threadIdx.x);
  const int group = thread / (kSplitValues / 8);
  const int chunk = thread % (kSplitValues / 8);
  const int n_runs = (n_splits + kRunSplits - 1) / kRunSplits;
  const auto halves_of = [&](int i) {
    return reinterpret_cast<const uint4*>(splits.values_of(row, i) + head * kSplitValues)[chunk];
  };
  const int of_run = splits.in_runs ? 1 : kRunSplits;
  // On its way while the shares are found.
  const uint4 first = thread < kFoldThreads && group < n_runs ? halves_of(group * of_run) : make_uint4(0, 0, 0, 0);
  if (thread < 32) find_shares(memory, splits, row, n_splits, head);
  __syncthreads();
  if (thread < kFoldThreads) {
    float sum[8] = {};
#pragma unroll 2
    for (int run = group; run < n_runs; run += kFoldGroups) {
      float values[8] = {};
      if (splits.in_runs) {
        to_floats(values, run == group ? first : halves_of(run));
      } else {
        const float inverse = memory.inverse[run];
#pragma unroll
        for (int i = 0; i < kRunSplits; ++i) {
          const int split = run * kRunSplits + i;
          if (split >= n_splits) break;
          float of_split[8];
          to_floats(of_split, run == group && i == 0 ? first : halves_of(split));
#pragma unroll
          for (int v = 0; v < 8; ++v)
            values[v] = add_to_run(values[v], memory.keep[split], memory.share[split], of_split[v]);
        }
#pragma unroll
        for (int v = 0; v < 8; ++v) values[v] = __half2float(__float2half_rn(__fmul_rn(values[v], inverse)));
      }
      const float weight = memory.weights[run];
#pragma unroll
      for (int v = 0; v < 8; ++v) sum[v] = __fmaf_rn(weight, values[v], sum[v]);
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
