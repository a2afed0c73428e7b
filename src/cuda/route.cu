// SPDX-License-Identifier: Apache-2.0
#include "cuda/route.h"

#include <algorithm>

#include "base/check.h"
#include "cuda/device/input.cuh"
#include "cuda/device/route.cuh"
#include "cuda/launch.h"
#include "cuda/row_ops.h"

namespace glint::cuda {
namespace {

constexpr int kGroupThreads = 256;

constexpr int kChoiceThreads = 128;
/// Tokens of a block of the router: one where that makes enough blocks, else several, which share its rows of weights
/// and go in pairs, so that what one waits for the other does not.
constexpr int router_tokens(int n_rows) {
  return n_rows <= 32 ? 1 : n_rows <= 64 ? 2 : n_rows <= 256 ? 4 : n_rows <= 1024 ? 8 : 16;
}

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

/// A normed row in shared memory as f16, as to_half makes it.
__device__ __forceinline__ void write_halves(__half* to, const float* row, int width) {
  for (int at = 4 * static_cast<int>(threadIdx.x); at < half_columns(width); at += 4 * kNormThreads) {
    const auto value = [&](int i) { return at + i < width ? row[at + i] : 0.0f; };
    *reinterpret_cast<uint2*>(to + at) = to_halves(make_float4(value(0), value(1), value(2), value(3)));
  }
}

/// Grid: (experts / 8, tokens / tokens_of_block): a warp makes one expert's logits. Shared memory: the normed rows of
/// kTogether tokens. kHeld: the width suits HeldRow.
template <bool kHeld, int kTogether>
__global__ void __launch_bounds__(kNormThreads)
    router_logits_kernel(Tensor logits, RouterInput in, int tokens_of_block) {
  __shared__ float scratch[kTogether * (kNormThreads / 32)];
  auto* normed = dynamic_shared<float>();
  const int width = in.x.width;
  const int expert = static_cast<int>(blockIdx.x) * (kNormThreads / 32) + static_cast<int>(threadIdx.x) / 32;
  const float* router = in.router + static_cast<int64_t>(min(expert, logits.width - 1)) * width;
  const HeldRow held(router, kHeld ? width : 0);
  const BlockRow<kHeld> norm(in.norm, width);
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int first = static_cast<int>(blockIdx.y) * tokens_of_block;
  const int n_tokens = min(tokens_of_block, in.x.n_rows - first);
#pragma unroll 1
  for (int t = first; t < first + n_tokens; t += kTogether) {
    if (t > first) __syncthreads();  // all have read what is written now
    // Behind the last token the last once more.
    const auto token = [&](int i) { return min(t + i, in.x.n_rows - 1); };
    const auto row = [&](int i) { return BlockRow<kHeld>(in.x.data + token(i) * in.x.row_stride, width); };
    if constexpr (kTogether == 1) {
      const BlockRow<kHeld> rows[1] = {row(0)};
      norm_rows(normed, rows, norm, width, in.eps, scratch);
    } else {
      const BlockRow<kHeld> rows[2] = {row(0), row(1)};
      norm_rows(normed, rows, norm, width, in.eps, scratch);
    }
    if (blockIdx.x == 0 && in.normed != nullptr) {
      for (int i = 0; i < kTogether; ++i)
        write_halves(in.normed + static_cast<int64_t>(token(i)) * half_columns(width), normed + i * width, width);
    }
    float dots[kTogether];
    if constexpr (kHeld) {
      held.dots(dots, normed);
    } else {
      warp_dots<kTogether>(dots, router, width, [&](int i) { return normed + i * width; });
    }
    if (threadIdx.x % 32 != 0 || expert >= logits.width) continue;
#pragma unroll
    for (int i = 0; i < kTogether; ++i)
      logits.data[token(i) * logits.row_stride + expert] = in.bias != nullptr ? dots[i] + in.bias[expert] : dots[i];
  }
}

/// One block an expert; each makes the whole histogram for itself, and writes its expert's tiles; the first also those
/// that there might have been.
__global__ void __launch_bounds__(kGroupThreads)
    group_kernel(const int32_t* expert_of, int n_slots, int n_experts, int tile_tokens, int n_tiles, int32_t* n_used,
                 int4* tiles, int32_t* slots) {
  __shared__ int counts[kMostExperts];
  __shared__ int slots_before;
  __shared__ int tiles_before;
  __shared__ int tiles_of_all;
  __shared__ unsigned found[kGroupThreads / 32];
  const int thread = static_cast<int>(threadIdx.x);
  const int mine = static_cast<int>(blockIdx.x);
  for (int e = thread; e < n_experts; e += kGroupThreads) counts[e] = 0;
  if (thread == 0) slots_before = tiles_before = tiles_of_all = 0;
  __syncthreads();
  wait_for_previous_kernel();
  let_next_kernel_start();
  for (int i = thread; i < n_slots; i += kGroupThreads) atomicAdd(&counts[expert_of[i]], 1);
  __syncthreads();
  for (int e = thread; e < n_experts; e += kGroupThreads) {
    const int n = (counts[e] + tile_tokens - 1) / tile_tokens;
    atomicAdd(&tiles_of_all, n);
    if (e >= mine) continue;
    atomicAdd(&slots_before, counts[e]);
    atomicAdd(&tiles_before, n);
  }
  __syncthreads();
  for (int first = thread * tile_tokens; first < counts[mine]; first += kGroupThreads * tile_tokens) {
    tiles[tiles_before + first / tile_tokens] =
        make_int4(mine, slots_before + first, min(tile_tokens, counts[mine] - first), 0);
  }
  if (mine == 0 && thread == 0) *n_used = tiles_of_all;
  for (int t = tiles_of_all + thread; mine == 0 && t < n_tiles; t += kGroupThreads) tiles[t] = make_int4(0, 0, 0, 0);
  int at = slots_before;
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

}  // namespace

void route(const Stream& stream, const Routing& out, Tensor logits, const RouteParams& params) {
  GLINT_CHECK(logits.width <= kMostExperts && params.n_groups <= 32);
  const LaunchShape shape{dim3(static_cast<unsigned>(logits.n_rows)), dim3(kChoiceThreads),
                          ChoiceMemory::bytes(logits.width, params.top_k)};
  launch(stream, shape, route_kernel, out, logits, params);
}

void router_logits(const Stream& stream, Tensor logits, const RouterInput& in) {
  const int tokens = router_tokens(in.x.n_rows);
  const int together = std::min(tokens, 2);
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(logits.width, kNormThreads / 32)),
                               static_cast<unsigned>(blocks_for(in.x.n_rows, tokens))),
                          dim3(kNormThreads), static_cast<size_t>(together * in.x.width) * sizeof(float)};
  const bool aligned = in.x.width % 128 == 0 && in.x.row_stride % 4 == 0;
  const auto kernel = aligned ? (together == 1 ? router_logits_kernel<true, 1> : router_logits_kernel<true, 2>)
                              : (together == 1 ? router_logits_kernel<false, 1> : router_logits_kernel<false, 2>);
  launch(stream, shape, kernel, logits, in, tokens);
}

ExpertGroups group_by_expert(const Stream& stream, const Routing& routing, int n_experts, int slots_per_row,
                             int tile_tokens, int32_t* memory) {
  GLINT_CHECK(n_experts <= kMostExperts);
  const int n_slots = routing.n_tokens * routing.top_k;
  const int n_tiles = most_tiles(n_slots, n_experts, tile_tokens);
  int32_t* n_used = memory;
  auto* tiles = reinterpret_cast<int4*>(memory) + 1;
  auto* slots = reinterpret_cast<int32_t*>(tiles + n_tiles);
  launch(stream, {dim3(static_cast<unsigned>(n_experts)), dim3(kGroupThreads)}, group_kernel,
         static_cast<const int32_t*>(routing.expert), n_slots, n_experts, tile_tokens, n_tiles, n_used, tiles, slots);
  return {.slots = slots,
          .tiles = tiles,
          .n_used = n_used,
          .n_tiles = n_tiles,
          .tile_tokens = tile_tokens,
          .n_experts = n_experts,
          .slots_per_row = slots_per_row};
}

}  // namespace glint::cuda
