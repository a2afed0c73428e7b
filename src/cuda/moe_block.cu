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
  if (!halves_fit(experts.router.n_in)) return false;
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
  const MatvecInput in = norm_input(x, block.norm, block.eps);
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

/// The block's input in f16, which the router leaves.
__half* normed_halves(const BlockContext& block) {
  return reinterpret_cast<__half*>(block.scratch.normed.data);
}

/// Slots sorted by expert, inner activations in f16. The shared expert goes with the chosen ones where its shape lets
/// it.
class ManyTokens {
 public:
  ManyTokens(const Stream& stream, Workspace& workspace, Tensor x, const BlockContext& block, const MoeShape& shape,
             const MoeLayerWeights& weights, const Routing& routing)
      : stream_(stream),
        x_(x),
        block_(block),
        shape_(shape),
        experts_(weights.experts),
        shared_(weights.shared),
        n_slots_(x.n_rows * routing.top_k),
        has_shared_(shape.d_ff_shared > 0) {
    const int tile_tokens =
        tokens_of_tile(stream, n_slots_, shape.n_experts, {PackedMatrix(experts_.gate), PackedMatrix(experts_.down)});
    groups_ = group_by_expert(stream, routing, shape.n_experts, routing.top_k, tile_tokens,
                              workspace.integers(stream, group_integers(n_slots_, shape.n_experts)));
  }

  void run(const Routing& routing) {
    gated({.data = normed_halves(block_), .row_stride = half_columns(x_.width), .n_rows = x_.n_rows});
    groups_.slots_per_row = 1;
    const Tensor expert_out = Tensor::matrix(block_.scratch.moe.expert_out.data, n_slots_, x_.width);
    const Tensor shared_out = Tensor::matrix(block_.scratch.delta.data, x_.n_rows, x_.width);
    down(expert_out, shared_out);
    add_combined(stream_, x_, has_shared_ ? shared_out : Tensor{}, expert_out, routing);
  }

 private:
  /// Inner activations: halves live in scratch of f32, which has room for each twice.
  __half* inner() const { return reinterpret_cast<__half*>(block_.scratch.moe.gate.data); }
  __half* shared_inner() const { return reinterpret_cast<__half*>(block_.scratch.gate.data); }

  void gated(const HalfRows& in) {
    SharedExpert shared;
    if (has_shared_) {
      shared = {.matrix = {PackedMatrix(shared_.gate), PackedMatrix(shared_.up)},
                .x = in,
                .out = {.out = shared_inner(), .row_stride = half_columns(shape_.d_ff_shared)}};
    }
    matmul_glu(stream_, inner(), half_columns(shape_.d_ff), in,
               {.gate = PackedMatrix(experts_.gate),
                .up = PackedMatrix(experts_.up),
                .gate_bias = experts_.gate.bias,
                .up_bias = experts_.up.bias,
                .activation = shape_.activation},
               groups_, shared);
  }

  void down(const Tensor& expert_out, const Tensor& shared_out) {
    SharedExpert shared;
    if (has_shared_) {
      shared = {.matrix = {PackedMatrix(shared_.down), {}},
                .x = {.data = shared_inner(), .row_stride = half_columns(shape_.d_ff_shared), .n_rows = x_.n_rows},
                .out = {.out = shared_out.data, .row_stride = shared_out.row_stride, .scale = 1 / kInnerScale}};
    }
    matmul_grouped(stream_,
                   {.out = expert_out.data,
                    .row_stride = expert_out.row_stride,
                    .bias = experts_.down.bias,
                    .scale = 1 / kInnerScale},
                   {.data = inner(), .row_stride = half_columns(shape_.d_ff), .n_rows = n_slots_},
                   PackedMatrix(experts_.down), groups_, shared);
  }

  const Stream& stream_;
  Tensor x_;
  const BlockContext& block_;
  const MoeShape& shape_;
  const MoeWeights& experts_;
  const GluWeights& shared_;
  ExpertGroups groups_;
  int n_slots_;
  bool has_shared_;
};

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
    RouterInput in = router_input(x, block, weights);
    in.normed = normed_halves(block);
    router_logits(stream, logits, in);
    route(stream, routing, logits, shape.route);
    ManyTokens(stream, workspace, x, block, shape, weights, routing).run(routing);
  }
  return true;
}

}  // namespace glint::cuda
