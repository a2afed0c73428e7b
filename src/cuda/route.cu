// SPDX-License-Identifier: Apache-2.0
#include "cuda/route.h"

#include "base/check.h"
#include "cuda/device/dot.cuh"
#include "cuda/device/norm.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/rank.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kGroupThreads = 256;

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

/// One warp chooses for one token. `scratch`: 2 floats and a flag for each expert, shared memory of this warp.
__device__ __forceinline__ void route_token(int32_t* expert, float* weight, const float* logits, int n_experts,
                                            const RouteParams& params, float* scratch) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float* scores = scratch;
  float* choice = scratch + n_experts;
  bool* taken = reinterpret_cast<bool*>(scratch + 2 * n_experts);
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
      weight[s] = scores[best];
      taken[best] = true;
    }
    __syncwarp();
  }
  if (lane == 0) {
    if (params.gate == Gate::kSoftmaxAfterTopK) {
      float largest = -INFINITY;
      for (int s = 0; s < params.top_k; ++s) largest = weight[s] > largest ? weight[s] : largest;
      float sum = 0;
      for (int s = 0; s < params.top_k; ++s) {
        const float v = weight[s];
        weight[s] = v != v ? 0.0f : v == largest ? 1.0f : expf(v - largest);
        sum += weight[s];
      }
      for (int s = 0; s < params.top_k; ++s) weight[s] = sum > 0 ? weight[s] / sum : 0.0f;
    }
    float sum = 1e-20f;
    for (int s = 0; s < params.top_k; ++s) {
      if (weight[s] != weight[s]) weight[s] = 0;
      sum += weight[s];
    }
    for (int s = 0; s < params.top_k; ++s)
      weight[s] = (params.renormalise ? weight[s] / sum : weight[s]) * params.scale;
  }
}

size_t route_scratch_bytes(int n_experts) {
  return static_cast<size_t>(n_experts) * (2 * sizeof(float) + sizeof(float));
}

/// One warp a token.
__global__ void __launch_bounds__(32) route_kernel(Routing out, Tensor logits, RouteParams params) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int64_t token = blockIdx.x;
  route_token(out.expert + token * params.top_k, out.weight + token * params.top_k,
              logits.data + token * logits.row_stride, logits.width, params, dynamic_shared<float>());
}

/// Grid: (experts / 8, tokens / kTokens). The block that finishes a tile of tokens last chooses for them.
template <int kTokens>
__global__ void __launch_bounds__(kNormThreads)
    route_normed_kernel(Routing out, Tensor logits, RouterInput in, RouteParams params, int32_t* arrived) {
  __shared__ float reduce_scratch[kNormThreads / 32];
  __shared__ int is_last;
  constexpr int kWarps = kNormThreads / 32;
  auto* normed = dynamic_shared<float>();  // [kTokens, d_model], later route_token's scratch
  const int width = in.x.width;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int first = static_cast<int>(blockIdx.y) * kTokens;
  const int n_tokens = min(kTokens, in.x.n_rows - first);
  const int expert = static_cast<int>(blockIdx.x) * kWarps + warp;
  const float* router = in.router + static_cast<int64_t>(min(expert, logits.width - 1)) * width;
  for (int i = static_cast<int>(threadIdx.x) % 32 * 32; i < width; i += 32 * 32) prefetch_to_l2(router + i);
  let_next_kernel_start();
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
    warp_dots<kTokens>(dots, router, width,
                       [&](int t) { return normed + min(t, n_tokens - 1) * width; });
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
  if (threadIdx.x == 0) is_last = atomicAdd(&arrived[blockIdx.y], 1) == static_cast<int>(gridDim.x) - 1 ? 1 : 0;
  __syncthreads();
  if (is_last != 0) {
    __threadfence();
    if (threadIdx.x == 0) arrived[blockIdx.y] = 0;
    for (int t = warp; t < n_tokens; t += kWarps) {
      const int64_t token = first + t;
      route_token(out.expert + token * params.top_k, out.weight + token * params.top_k,
                  logits.data + token * logits.row_stride, logits.width, params, normed + warp * 3 * logits.width);
    }
  }
}

/// One block an expert; each makes the whole histogram for itself.
__global__ void __launch_bounds__(kGroupThreads)
    group_kernel(const int32_t* expert_of, int n_slots, int n_experts, int32_t* slots, int32_t* slot_start,
                 int32_t* tile_start) {
  __shared__ int counts[kMostExperts];
  __shared__ int starts[2];
  __shared__ unsigned found[kGroupThreads / 32];
  const int thread = static_cast<int>(threadIdx.x);
  const int mine = static_cast<int>(blockIdx.x);
  for (int e = thread; e < n_experts; e += kGroupThreads) counts[e] = 0;
  __syncthreads();
  let_next_kernel_start();
  wait_for_previous_kernel();
  for (int i = thread; i < n_slots; i += kGroupThreads) atomicAdd(&counts[expert_of[i]], 1);
  __syncthreads();
  if (thread == 0) {
    int slot = 0;
    int tile = 0;
    for (int e = 0; e <= n_experts; ++e) {
      if (e == mine) starts[0] = slot;
      if (mine == 0) {
        slot_start[e] = slot;
        tile_start[e] = tile;
      }
      if (e == n_experts || (mine != 0 && e == mine)) break;
      slot += counts[e];
      tile += (counts[e] + kMatmulTokens - 1) / kMatmulTokens;
    }
  }
  __syncthreads();
  int at = starts[0];
  for (int base = 0; base < n_slots; base += kGroupThreads) {
    const int i = base + thread;
    const bool is_mine = i < n_slots && expert_of[i] == mine;
    const unsigned ballot = __ballot_sync(kAllLanes, is_mine ? 1 : 0);
    if (thread % 32 == 0) found[thread / 32] = ballot;
    __syncthreads();
    int before = 0;
    int total = 0;
    for (int w = 0; w < kGroupThreads / 32; ++w) {
      if (w < thread / 32) before += __popc(found[w]);
      total += __popc(found[w]);
    }
    if (is_mine) slots[at + before + __popc(ballot & ((1u << (thread % 32)) - 1))] = i;
    at += total;
    __syncthreads();
  }
}

template <int kTokens>
void start_normed(const Stream& stream, const Routing& out, Tensor logits, const RouterInput& in,
                  const RouteParams& params, int32_t* arrived) {
  constexpr size_t kWarps = kNormThreads / 32;
  const size_t scratch = kWarps * route_scratch_bytes(logits.width);
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(logits.width, kWarps)),
                               static_cast<unsigned>(blocks_for(in.x.n_rows, kTokens))),
                          dim3(kNormThreads),
                          std::max(scratch, kTokens * sizeof(float) * static_cast<size_t>(in.x.width))};
  launch(stream, shape, route_normed_kernel<kTokens>, out, logits, in, params, arrived);
}

}  // namespace

void route(const Stream& stream, const Routing& out, Tensor logits, const RouteParams& params) {
  GLINT_CHECK(logits.width <= kMostExperts && params.n_groups <= 32);
  launch(stream, {dim3(static_cast<unsigned>(logits.n_rows)), dim3(32), route_scratch_bytes(logits.width)},
         route_kernel, out, logits, params);
}

void route_normed(const Stream& stream, const Routing& out, Tensor logits, const RouterInput& in,
                  const RouteParams& params, int32_t* arrived) {
  GLINT_CHECK(logits.width <= kMostExperts && params.n_groups <= 32);
  if (in.x.n_rows <= 8) return start_normed<1>(stream, out, logits, in, params, arrived);
  start_normed<4>(stream, out, logits, in, params, arrived);
}

ExpertGroups group_by_expert(const Stream& stream, const Routing& routing, int n_experts, int slots_per_row,
                             int32_t* memory) {
  GLINT_CHECK(n_experts <= kMostExperts);
  const int n_slots = routing.n_tokens * routing.top_k;
  int32_t* slot_start = memory + n_slots;
  int32_t* tile_start = slot_start + n_experts + 1;
  launch(stream, {dim3(static_cast<unsigned>(n_experts)), dim3(kGroupThreads)}, group_kernel,
         static_cast<const int32_t*>(routing.expert), n_slots, n_experts, memory, slot_start, tile_start);
  return {.slots = memory,
          .slot_start = slot_start,
          .tile_start = tile_start,
          .n_experts = n_experts,
          .n_slots = n_slots,
          .slots_per_row = slots_per_row};
}

}  // namespace glint::cuda
