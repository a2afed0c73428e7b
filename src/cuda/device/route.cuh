// SPDX-License-Identifier: Apache-2.0
//
// Choosing experts: the choice of backend/ref_route.cpp by one warp, and a block's share of making the logits first.
#pragma once

#include "cuda/device/dot.cuh"
#include "cuda/device/norm.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/rank.cuh"
#include "cuda/route.h"

namespace glint::cuda {

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
  __syncwarp();
}

/// Score of a group of experts: the best choice, or with sigmoid gates the sum of the best two.
__device__ __forceinline__ float group_score(const float* choice, int size, Gate gate) {
  float first = -INFINITY;
  float second = -INFINITY;
  for (int i = 0; i < size; ++i) {
    if (choice[i] > first) {
      second = first;
      first = choice[i];
    } else if (choice[i] > second) {
      second = choice[i];
    }
  }
  return gate == Gate::kSigmoid && size > 1 ? first + second : first;
}

/// Makes NaN-proof "taken" marks of all experts outside the best groups: lane g scores group g.
__device__ __forceinline__ void exclude_weak_groups(const float* choice, bool* taken, int n_experts,
                                                    const RouteParams& params) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int size = n_experts / params.n_groups;
  RankKey key = lane < params.n_groups ? rank_key(group_score(choice + lane * size, size, params.gate), lane) : 0;
  for (int i = lane; i < n_experts; i += 32) taken[i] = true;
  __syncwarp();
  for (int used = 0; used < params.n_groups_used; ++used) {
    const int group = index_of(warp_first(key));
    if (lane == group) key = 0;
    for (int i = lane; i < size; i += 32) taken[group * size + i] = false;
  }
  __syncwarp();
}

/// One warp chooses for one token. `scratch`: route_scratch_bytes of shared memory, this warp's own.
__device__ __forceinline__ void route_token(int32_t* expert, float* weight, const float* logits, int n_experts,
                                            const RouteParams& params, float* scratch) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float* scores = scratch;
  float* choice = scratch + n_experts;
  bool* taken = reinterpret_cast<bool*>(scratch + 2 * n_experts);
  float* chosen = scratch + 3 * n_experts;  // weights of the chosen, until they are final
  for (int i = lane; i < n_experts; i += 32) {
    const float logit = logits[i];
    scores[i] = params.gate == Gate::kSigmoid ? 1.0f / (1.0f + expf(-logit)) : logit;
    taken[i] = false;
  }
  __syncwarp();
  if (params.gate == Gate::kSoftmax) warp_softmax(scores, n_experts);
  for (int i = lane; i < n_experts; i += 32) {
    choice[i] = params.selection_bias != nullptr ? scores[i] + params.selection_bias[i] : scores[i];
    if (logits[i] != logits[i]) choice[i] = logits[i];
  }
  __syncwarp();
  if (params.n_groups > 1) exclude_weak_groups(choice, taken, n_experts, params);
  for (int s = 0; s < params.top_k; ++s) {
    RankKey key = 0;
    for (int i = lane; i < n_experts; i += 32) {
      if (!taken[i]) key = max(key, rank_key(choice[i], i));
    }
    const int best = index_of(warp_first(key));
    if (lane == 0) {
      expert[s] = best;
      chosen[s] = scores[best];
      taken[best] = true;
    }
    __syncwarp();
  }
  if (lane == 0) {
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
      weight[s] = (params.renormalise ? chosen[s] / sum : chosen[s]) * params.scale;
    }
  }
}

/// Bytes of shared memory that a warp's route_token takes.
constexpr size_t route_scratch_bytes(int n_experts) {
  return static_cast<size_t>(n_experts) * 4 * sizeof(float);
}
/// Bytes that route_part takes.
constexpr size_t route_part_bytes(int n_tokens, int d_model, int n_experts) {
  const size_t normed = static_cast<size_t>(n_tokens) * static_cast<size_t>(d_model) * sizeof(float);
  const size_t scratch = static_cast<size_t>(n_tokens) * route_scratch_bytes(n_experts);
  return normed > scratch ? normed : scratch;
}

/// A block makes the logits of experts [part * n_warps, + n_warps) for tokens [tile * kTokens, + kTokens); the last of
/// n_parts blocks to finish a tile chooses for its tokens. `normed`: route_part_bytes of shared memory. Waits for the
/// kernel before.
template <int kTokens>
__device__ __forceinline__ void route_part(const Routing& out, Tensor logits, const RouterInput& in,
                                           const RouteParams& params, int32_t* arrived, float* normed, int part,
                                           int n_parts, int tile) {
  __shared__ float reduce_scratch[kNormThreads / 32];
  __shared__ int is_last;
  const int n_warps = static_cast<int>(blockDim.x) / 32;
  const int width = in.x.width;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int first = tile * kTokens;
  const int n_tokens = min(kTokens, in.x.n_rows - first);
  const int expert = part * n_warps + warp;
  const float* router = in.router + static_cast<int64_t>(min(expert, logits.width - 1)) * width;
  for (int i = static_cast<int>(threadIdx.x) % 32 * 32; i < width; i += 32 * 32) prefetch_to_l2(router + i);
  wait_for_previous_kernel();
  for (int t = 0; t < n_tokens; ++t) {
    const float* x = in.x.data + (first + t) * in.x.row_stride;
    const BlockRow row(x, width);
    const float scale = rms_scale(row, width, in.eps, reduce_scratch);
    row.for_each([&](int at, float4 v) {
      const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (at + i < width) normed[t * width + at + i] = __fmul_rn(__fmul_rn(values[i], scale), in.norm[at + i]);
      }
    });
    __syncthreads();
  }
  if (expert < logits.width) {
    float dots[kTokens];
    warp_dots<kTokens>(dots, router, width, [&](int t) { return normed + min(t, n_tokens - 1) * width; });
    if (threadIdx.x % 32 == 0) {
#pragma unroll
      for (int t = 0; t < kTokens; ++t) {
        if (t >= n_tokens) continue;
        logits.data[(first + t) * logits.row_stride + expert] =
            in.bias != nullptr ? dots[t] + in.bias[expert] : dots[t];
      }
    }
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) is_last = atomicAdd(&arrived[tile], 1) == n_parts - 1 ? 1 : 0;
  __syncthreads();
  if (is_last != 0) {
    __threadfence();
    if (threadIdx.x == 0) arrived[tile] = 0;
    for (int t = warp; t < n_tokens; t += n_warps) {
      const int64_t token = first + t;
      route_token(out.expert + token * params.top_k, out.weight + token * params.top_k,
                  logits.data + token * logits.row_stride, logits.width, params, normed + warp * 4 * logits.width);
    }
  }
}

}  // namespace glint::cuda
