// SPDX-License-Identifier: Apache-2.0
#include "cuda/route.h"

#include "base/check.h"
#include "cuda/device/route.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kGroupThreads = 256;

/// One warp a token.
__global__ void __launch_bounds__(32) route_kernel(Routing out, Tensor logits, RouteParams params) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int64_t token = blockIdx.x;
  route_token(out.expert + token * params.top_k, out.weight + token * params.top_k,
              logits.data + token * logits.row_stride, logits.width, params, dynamic_shared<float>());
}

/// Grid: (experts / 8, tokens / kTokens).
template <int kTokens>
__global__ void __launch_bounds__(kNormThreads)
    route_normed_kernel(Routing out, Tensor logits, RouterInput in, RouteParams params, int32_t* arrived) {
  let_next_kernel_start();
  route_part<kTokens>(out, logits, in, params, arrived, dynamic_shared<float>(), static_cast<int>(blockIdx.x),
                      static_cast<int>(gridDim.x), static_cast<int>(blockIdx.y));
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
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(logits.width, kNormThreads / 32)),
                               static_cast<unsigned>(blocks_for(in.x.n_rows, kTokens))),
                          dim3(kNormThreads), route_part_bytes(kTokens, in.x.width, logits.width)};
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
