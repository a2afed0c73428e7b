// SPDX-License-Identifier: Apache-2.0
#include "cuda/moe_block.h"

#include "cuda/device/input.cuh"
#include "cuda/matmul.h"
#include "cuda/matvec_experts.h"
#include "cuda/route.h"
#include "cuda/row_ops.h"

namespace glint::cuda {
namespace {

/// Rows up to which each slot goes by itself, in kernels that also choose the experts: more share experts, and have
/// enough blocks without such haste.
constexpr int kMostTogether = 2;

const float* floats(const Weight& w) {
  return static_cast<const float*>(w.data);
}

bool same_packed(const Weight& a, const Weight& b) {
  return a.dtype != DType::kF32 && b.dtype != DType::kF32 && packed_format(a.dtype) == packed_format(b.dtype);
}

bool has_fast_path(const BlockContext& block, const MoeShape& shape, const MoeLayerWeights& weights) {
  const MoeWeights& experts = weights.experts;
  if (block.post_norm || !experts.up || experts.router.dtype != DType::kF32 || shape.n_experts > kMostExperts)
    return false;
  if (!same_packed(experts.gate, experts.up) || experts.down.dtype == DType::kF32) return false;
  // Rows of inner activations are read in whole quarters of a tile.
  if (shape.d_ff % 64 != 0 || shape.d_ff_shared % 64 != 0) return false;
  if (shape.d_ff_shared == 0) return true;
  const GluWeights& shared = weights.shared;
  return same_packed(shared.gate, shared.up) && shared.down.dtype != DType::kF32 && shared.down.bias == nullptr;
}

RouterInput router_input(Tensor x, const BlockContext& block, const MoeLayerWeights& weights) {
  return {.x = x,
          .norm = floats(block.norm),
          .eps = block.eps,
          .router = floats(weights.experts.router),
          .bias = weights.experts.router.bias};
}

void few_tokens(const Stream& stream, Tensor x, const BlockContext& block, const MoeShape& shape,
                const MoeLayerWeights& weights, const Routing& routing, Tensor logits) {
  const MatvecInput in{.x = x.data,
                       .row_stride = x.row_stride,
                       .head_stride = 0,
                       .n_tokens = x.n_rows,
                       .scale = 1,
                       .norm = floats(block.norm),
                       .eps = block.eps};
  DownInput down{.inner = block.scratch.moe.gate.data, .inner_stride = shape.d_ff};
  PackedMatrix down_shared;
  if (shape.d_ff_shared > 0) {
    matvec_glu_and_router(
        stream, {.out = block.scratch.gate.data, .row_stride = shape.d_ff_shared, .activation = shape.activation}, in,
        PackedMatrix(weights.shared.gate), PackedMatrix(weights.shared.up), logits, router_input(x, block, weights));
    down.shared = block.scratch.gate.data;
    down.shared_stride = shape.d_ff_shared;
    down_shared = PackedMatrix(weights.shared.down);
  } else {
    router_logits(stream, logits, router_input(x, block, weights));
  }
  matvec_experts_glu(stream,
                     {.out = block.scratch.moe.gate.data,
                      .row_stride = shape.d_ff,
                      .activation = shape.activation,
                      .gate_bias = weights.experts.gate.bias,
                      .up_bias = weights.experts.up.bias},
                     in, PackedMatrix(weights.experts.gate), PackedMatrix(weights.experts.up), routing, logits,
                     shape.route);
  matvec_down(stream, x, down, PackedMatrix(weights.experts.down), weights.experts.down.bias, down_shared, routing);
}

void many_tokens(const Stream& stream, Workspace& workspace, Tensor x, const BlockContext& block, const MoeShape& shape,
                 const MoeLayerWeights& weights, const Routing& routing) {
  const int n = x.n_rows;
  const int n_slots = n * routing.top_k;
  // Halves live in scratch of f32: each fits twice over.
  auto* normed = reinterpret_cast<__half*>(block.scratch.normed.data);
  const int64_t columns = half_columns(x.width);
  to_half(stream, normed, x, 1, floats(block.norm), block.eps);
  const HalfRows in{.data = normed, .row_stride = columns, .head_stride = 0, .n_rows = n};

  const auto inner_rows = [](__half* data, int d_ff, int n_rows) -> HalfRows {
    return {.data = data, .row_stride = half_columns(d_ff), .head_stride = 0, .n_rows = n_rows};
  };
  const Tensor delta = Tensor::matrix(block.scratch.delta.data, n, x.width);
  const bool has_shared = shape.d_ff_shared > 0;
  if (has_shared) {
    auto* inner = reinterpret_cast<__half*>(block.scratch.gate.data);
    const HalfRows rows = inner_rows(inner, shape.d_ff_shared, n);
    matmul_glu(stream, {.out = inner, .row_stride = rows.row_stride, .activation = shape.activation}, in,
               PackedMatrix(weights.shared.gate), PackedMatrix(weights.shared.up), nullptr);
    matmul(stream, Store::kF32,
           {.out = delta.data,
            .row_stride = delta.row_stride,
            .head_stride = 0,
            .bias = nullptr,
            .scale = 1 / kInnerScale},
           rows, PackedMatrix(weights.shared.down));
  }
  int32_t* memory = workspace.integers(stream, group_integers(n_slots, shape.n_experts));
  ExpertGroups groups = group_by_expert(stream, routing, shape.n_experts, routing.top_k,
                                        tokens_of_tile(n_slots, shape.n_experts), memory);
  auto* inner = reinterpret_cast<__half*>(block.scratch.moe.gate.data);
  const HalfRows rows = inner_rows(inner, shape.d_ff, n_slots);
  matmul_glu(stream,
             {.out = inner,
              .row_stride = rows.row_stride,
              .activation = shape.activation,
              .gate_bias = weights.experts.gate.bias,
              .up_bias = weights.experts.up.bias},
             in, PackedMatrix(weights.experts.gate), PackedMatrix(weights.experts.up), &groups);
  groups.slots_per_row = 1;
  const Tensor expert_out = Tensor::matrix(block.scratch.moe.expert_out.data, n_slots, x.width);
  matmul_grouped(stream, Store::kF32,
                 {.out = expert_out.data,
                  .row_stride = x.width,
                  .head_stride = 0,
                  .bias = weights.experts.down.bias,
                  .scale = 1 / kInnerScale},
                 rows, PackedMatrix(weights.experts.down), groups);
  add_combined(stream, x, has_shared ? delta : Tensor{}, expert_out, routing);
}

}  // namespace

bool moe_block(const Stream& stream, Workspace& workspace, Tensor x, const BlockContext& block, const MoeShape& shape,
               const MoeLayerWeights& weights) {
  if (!has_fast_path(block, shape, weights)) return false;
  const MoeScratch& scratch = block.scratch.moe;
  const Routing routing{scratch.routing.expert, scratch.routing.weight, x.n_rows, shape.route.top_k};
  const Tensor logits = Tensor::matrix(scratch.logits.data, x.n_rows, shape.n_experts);
  const PackedMatrix shared_down = shape.d_ff_shared > 0 ? PackedMatrix(weights.shared.down) : PackedMatrix();
  const bool fits =
      matvec_experts_fit(stream, PackedMatrix(weights.experts.gate), PackedMatrix(weights.experts.down),
                         shape.d_ff_shared > 0 ? &shared_down : nullptr, shape.n_experts, shape.route.top_k);
  if (x.n_rows <= kMostTogether && fits) {
    few_tokens(stream, x, block, shape, weights, routing, logits);
  } else {
    router_logits(stream, logits, router_input(x, block, weights));
    route(stream, routing, logits, shape.route);
    many_tokens(stream, workspace, x, block, shape, weights, routing);
  }
  return true;
}

}  // namespace glint::cuda
