// SPDX-License-Identifier: Apache-2.0
//
// Choosing experts: the choice of backend/ref_route.cpp by one block, and a block's share of making the logits.
#pragma once

#include "cuda/device/dot.cuh"
#include "cuda/device/norm.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/rank.cuh"
#include "cuda/route.h"

namespace glint::cuda {

/// What a block needs in shared memory to choose for one token.
struct ChoiceMemory {
  RankKey* key;     // [n_experts] 0: not to be chosen
  float* score;     // [n_experts]
  float* chosen;    // [top_k] scores, then weights
  int32_t* expert;  // [top_k]
  static constexpr size_t bytes(int n_experts, int top_k) {
    return static_cast<size_t>(n_experts) * (sizeof(RankKey) + sizeof(float)) +
           static_cast<size_t>(top_k) * (sizeof(float) + sizeof(int32_t));
  }
  __device__ __forceinline__ ChoiceMemory(void* memory, int n_experts, int top_k)
      : key(static_cast<RankKey*>(memory)),
        score(reinterpret_cast<float*>(key + n_experts)),
        chosen(score + n_experts),
        expert(reinterpret_cast<int32_t*>(chosen + top_k)) {}
};

/// In place over n values of shared memory by one warp: a NaN gets no probability, +infinity takes all of it.
__device__ __forceinline__ void warp_softmax(float* x, int n) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float largest = -INFINITY;
  for (int i = lane; i < n; i += 32) largest = x[i] > largest ? x[i] : largest;
  largest = warp_max(largest);
  float sum = 0;
  for (int i = lane; i < n; i += 32) {
    const float v = x[i];
    const float numerator = v != v ? 0.0f : v == largest ? 1.0f : expf(v - largest);
    x[i] = numerator;
    sum += numerator;
  }
  sum = warp_sum(sum);
  for (int i = lane; i < n; i += 32) x[i] = sum > 0 ? x[i] / sum : 0.0f;
}

/// Score of a group of experts: the best choice, or with sigmoid gates the sum of the best two.
__device__ __forceinline__ float group_score(const RankKey* key, int size, Gate gate) {
  float first = -INFINITY;
  float second = -INFINITY;
  for (int i = 0; i < size; ++i) {
    const float choice = value_of(key[i]);
    if (choice > first) {
      second = first;
      first = choice;
    } else if (choice > second) {
      second = choice;
    }
  }
  return gate == Gate::kSigmoid && size > 1 ? first + second : first;
}

/// Clears the keys of experts outside the best groups: lane g of one warp scores group g.
__device__ __forceinline__ void exclude_weak_groups(RankKey* key, int n_experts, const RouteParams& params) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int size = n_experts / params.n_groups;
  const RankKey mine = lane < params.n_groups ? rank_key(group_score(key + lane * size, size, params.gate), lane) : 0;
  int rank = 0;
  for (int g = 0; g < params.n_groups; ++g) rank += __shfl_sync(kAllLanes, mine, g) > mine ? 1 : 0;
  const bool weak = lane < params.n_groups && rank >= params.n_groups_used;
  for (int i = 0; weak && i < size; ++i) key[lane * size + i] = 0;
}

/// A whole block chooses for one token: memory.expert holds the experts, best first, for all threads. Each expert
/// counts those that beat it, which takes fewer dependent steps than taking the best again and again. Whole warps.
__device__ __forceinline__ void choose_experts(const ChoiceMemory& memory, const float* logits, int n_experts,
                                               const RouteParams& params) {
  const int thread = static_cast<int>(threadIdx.x);
  const int n_threads = static_cast<int>(blockDim.x);
  for (int i = thread; i < n_experts; i += n_threads) {
    const float logit = logits[i];
    memory.score[i] = params.gate == Gate::kSigmoid ? 1.0f / (1.0f + expf(-logit)) : logit;
  }
  if (params.gate == Gate::kSoftmax) {
    __syncthreads();
    if (thread < 32) warp_softmax(memory.score, n_experts);
    __syncthreads();
  }
  for (int i = thread; i < n_experts; i += n_threads) {
    const float logit = logits[i];
    const float score = memory.score[i];
    const float choice = params.selection_bias != nullptr ? score + params.selection_bias[i] : score;
    memory.key[i] = rank_key(logit != logit ? logit : choice, i);
  }
  __syncthreads();
  if (params.n_groups > 1) {
    if (thread < 32) exclude_weak_groups(memory.key, n_experts, params);
    __syncthreads();
  }
  // Four threads of a warp share an expert's comparisons; all lanes make the same turns, for their exchange.
  for (int first = thread / 4; first - thread / 4 % 8 < n_experts; first += n_threads / 4) {
    const int i = min(first, n_experts - 1);
    const RankKey mine = memory.key[i];
    int rank = 0;
#pragma unroll 8
    for (int j = thread % 4; j < n_experts; j += 4) rank += memory.key[j] > mine ? 1 : 0;
    rank += __shfl_xor_sync(kAllLanes, rank, 1);
    rank += __shfl_xor_sync(kAllLanes, rank, 2);
    if (first < n_experts && thread % 4 == 0 && mine != 0 && rank < params.top_k) {
      memory.expert[rank] = i;
      memory.chosen[rank] = memory.score[i];
    }
  }
  __syncthreads();
}

/// One thread, after choose_experts: the weights of the chosen, to `expert` and `weight` [top_k].
__device__ __forceinline__ void write_choice(const ChoiceMemory& memory, const RouteParams& params, int32_t* expert,
                                             float* weight) {
  float* chosen = memory.chosen;
  if (params.gate == Gate::kSoftmaxAfterTopK) {
    float largest = -INFINITY;
    for (int s = 0; s < params.top_k; ++s) largest = chosen[s] > largest ? chosen[s] : largest;
    float sum = 0;
    for (int s = 0; s < params.top_k; ++s) {
      const float v = chosen[s];
      chosen[s] = v != v ? 0.0f : v == largest ? 1.0f : expf(v - largest);
      sum += chosen[s];
    }
    for (int s = 0; s < params.top_k; ++s) chosen[s] = sum > 0 ? chosen[s] / sum : 0.0f;
  }
  float sum = 1e-20f;
  for (int s = 0; s < params.top_k; ++s) {
    if (chosen[s] != chosen[s]) chosen[s] = 0;
    sum += chosen[s];
  }
  for (int s = 0; s < params.top_k; ++s) {
    expert[s] = memory.expert[s];
    weight[s] = (params.renormalise ? chosen[s] / sum : chosen[s]) * params.scale;
  }
}

/// A block of at least kNormThreads threads norms rows into shared memory, after each other. Contains barriers, also at
/// its end. `scratch` as rms_scales'.
template <bool kAligned, int kRows>
__device__ __forceinline__ void norm_rows(float* normed, const BlockRow<kAligned> (&rows)[kRows],
                                          const BlockRow<kAligned>& weights, int width, float eps, float* scratch) {
  float scales[kRows];
  rms_scales(scales, rows, width, eps, scratch);
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    rows[r].for_each_with(weights, [&](int at, float4 v, float4 w) {
      const float values[4] = {v.x, v.y, v.z, v.w};
      const float by[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (at + i < width) normed[r * width + at + i] = __fmul_rn(__fmul_rn(values[i], scales[r]), by[i]);
      }
    });
  }
  __syncthreads();
}

}  // namespace glint::cuda
