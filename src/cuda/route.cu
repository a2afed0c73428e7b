// SPDX-License-Identifier: Apache-2.0
#include "cuda/route.h"

#include "base/check.h"
#include "cuda/device/route.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kGroupThreads = 256;

constexpr int kChoiceThreads = 128;

/// One block a token.
__global__ void __launch_bounds__(kChoiceThreads) route_kernel(Routing out, Tensor logits, RouteParams params) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int64_t token = blockIdx.x;
  const ChoiceMemory memory(dynamic_shared<void>(), logits.width, params.top_k);
  choose_experts(memory, logits.data + token * logits.row_stride, logits.width, params);
  if (threadIdx.x == 0)
    write_choice(memory, params, out.expert + token * params.top_k, out.weight + token * params.top_k);
}

/// Grid: (experts / 8, tokens / kTokens): a warp makes one expert's logits. Shared memory: the tokens' normed rows.
template <int kTokens>
__global__ void __launch_bounds__(kNormThreads) router_logits_kernel(Tensor logits, RouterInput in) {
  __shared__ float scratch[kNormThreads / 32];
  auto* normed = dynamic_shared<float>();
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int width = in.x.width;
  const int first = static_cast<int>(blockIdx.y) * kTokens;
  const int n_tokens = min(kTokens, in.x.n_rows - first);
  for (int t = 0; t < n_tokens; ++t) norm_row<false>(normed + t * width, in, first + t, scratch);
  const int expert = static_cast<int>(blockIdx.x) * (kNormThreads / 32) + static_cast<int>(threadIdx.x) / 32;
  if (expert >= logits.width) return;
  float dots[kTokens];
  warp_dots<kTokens>(dots, in.router + static_cast<int64_t>(expert) * width, width,
                     [&](int t) { return normed + min(t, n_tokens - 1) * width; });
  if (threadIdx.x % 32 != 0) return;
#pragma unroll
  for (int t = 0; t < kTokens; ++t) {
    if (t < n_tokens)
      logits.data[(first + t) * logits.row_stride + expert] = in.bias != nullptr ? dots[t] + in.bias[expert] : dots[t];
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
  wait_for_previous_kernel();
  let_next_kernel_start();
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
void start_logits(const Stream& stream, Tensor logits, const RouterInput& in) {
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(logits.width, kNormThreads / 32)),
                               static_cast<unsigned>(blocks_for(in.x.n_rows, kTokens))),
                          dim3(kNormThreads), static_cast<size_t>(kTokens * in.x.width) * sizeof(float)};
  launch(stream, shape, router_logits_kernel<kTokens>, logits, in);
}

}  // namespace

void route(const Stream& stream, const Routing& out, Tensor logits, const RouteParams& params) {
  GLINT_CHECK(logits.width <= kMostExperts && params.n_groups <= 32);
  const LaunchShape shape{dim3(static_cast<unsigned>(logits.n_rows)), dim3(kChoiceThreads),
                          ChoiceMemory::bytes(logits.width, params.top_k)};
  launch(stream, shape, route_kernel, out, logits, params);
}

void router_logits(const Stream& stream, Tensor logits, const RouterInput& in) {
  if (in.x.n_rows <= 8) return start_logits<1>(stream, logits, in);
  start_logits<4>(stream, logits, in);
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
