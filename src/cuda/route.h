// SPDX-License-Identifier: Apache-2.0
//
// Choosing experts on the card: router logits in f32, the choice of backend_ref's route_token, and the lists that
// grouped products take. Nothing of it is known to the host. Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include "cuda/device_memory.h"
#include "cuda/matmul.h"

namespace glint::cuda {

/// As Backend::route. n_experts <= kMostExperts.
inline constexpr int kMostExperts = 1024;
void route(const Stream& stream, const Routing& out, Tensor logits, const RouteParams& params);

/// logits = norm(x) . router^T + bias.
struct RouterInput {
  Tensor x;
  const float* norm = nullptr;  // [d_model]
  float eps = 0;
  const float* router = nullptr;  // [n_experts, d_model]
  const float* bias = nullptr;    // [n_experts]
  __half* normed = nullptr;       // [rows, half_columns(d_model)]: gets norm(x) as to_half makes it, if given
};
void router_logits(const Stream& stream, Tensor logits, const RouterInput& in);

/// Integers that ExpertGroups takes in memory, which begins at a multiple of 16 bytes.
constexpr int64_t group_integers(int64_t n_slots, int n_experts) {
  return n_slots + 4 * (most_tiles(n_slots, n_experts, kExpertTokens) + 1);
}
/// Sorts the slots of `routing` by expert into `memory` (group_integers of them), in tiles of tile_tokens.
ExpertGroups group_by_expert(const Stream& stream, const Routing& routing, int n_experts, int slots_per_row,
                             int tile_tokens, int32_t* memory);

}  // namespace glint::cuda
