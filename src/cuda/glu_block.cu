// SPDX-License-Identifier: Apache-2.0
#include "cuda/glu_block.h"

#include "cuda/device/input.cuh"
#include "cuda/matmul.h"
#include "cuda/matvec.h"
#include "cuda/matvec_experts.h"
#include "cuda/row_ops.h"

namespace glint::cuda {
namespace {

bool has_fast_path(int d_model, const GluShape& shape, const GluWeights& weights) {
  for (const Weight* w : {&weights.gate, &weights.up, &weights.down}) {
    if (w->dtype == DType::kF32) return false;
  }
  // Rows of inner activations are read in whole quarters of a tile.
  return halves_fit(d_model) && packed_format(weights.gate.dtype) == packed_format(weights.up.dtype) &&
         shape.d_ff % 64 == 0;
}

void few_tokens(const Stream& stream, Tensor out, bool add, Tensor x, const BlockContext& block, const GluShape& shape,
                const GluWeights& weights) {
  const Tensor inner = Tensor::matrix(block.scratch.gate.data, x.n_rows, shape.d_ff);
  matvec_glu(stream,
             {.out = inner.data,
              .row_stride = inner.row_stride,
              .activation = shape.activation,
              .gate_bias = weights.gate.bias,
              .up_bias = weights.up.bias},
             norm_input(x, block.norm, block.eps), PackedMatrix(weights.gate), PackedMatrix(weights.up));
  matvec(stream,
         {.out = out.data,
          .row_stride = out.row_stride,
          .head_stride = 0,
          .bias = weights.down.bias,
          .scale = 1 / kInnerScale,
          .add = add},
         {.x = inner.data, .row_stride = inner.row_stride, .head_stride = 0, .n_tokens = x.n_rows},
         PackedMatrix(weights.down));
}

void many_tokens(const Stream& stream, Tensor out, bool add, Tensor x, const BlockContext& block, const GluShape& shape,
                 const GluWeights& weights) {
  // Halves live in scratch of f32, which has room for each twice.
  auto* normed = reinterpret_cast<__half*>(block.scratch.normed.data);
  auto* inner = reinterpret_cast<__half*>(block.scratch.gate.data);
  to_half(stream, normed, x, 1, static_cast<const float*>(block.norm.data), block.eps);
  const auto rows = [&](const __half* data, int width) {
    return HalfRows{.data = data, .row_stride = half_columns(width), .head_stride = 0, .n_rows = x.n_rows};
  };
  matmul_glu(stream, inner, half_columns(shape.d_ff), rows(normed, x.width),
             {.gate = PackedMatrix(weights.gate),
              .up = PackedMatrix(weights.up),
              .gate_bias = weights.gate.bias,
              .up_bias = weights.up.bias,
              .activation = shape.activation},
             {});
  matmul(stream, add ? Store::kF32Add : Store::kF32,
         {.out = out.data,
          .row_stride = out.row_stride,
          .head_stride = 0,
          .bias = weights.down.bias,
          .scale = 1 / kInnerScale},
         rows(inner, shape.d_ff), PackedMatrix(weights.down));
}

}  // namespace

bool glu_block(const Stream& stream, Tensor x, const BlockContext& block, const GluShape& shape,
               const GluWeights& weights) {
  if (!has_fast_path(x.width, shape, weights)) return false;
  const bool has_post_norm = static_cast<bool>(block.post_norm);
  const Tensor out = has_post_norm ? Tensor::matrix(block.scratch.delta.data, x.n_rows, x.width) : x;
  if (x.n_rows <= kMostInTurn) {
    few_tokens(stream, out, !has_post_norm, x, block, shape, weights);
  } else {
    many_tokens(stream, out, !has_post_norm, x, block, shape, weights);
  }
  if (has_post_norm) add_normed(stream, x, out, block.eps, static_cast<const float*>(block.post_norm.data));
  return true;
}

}  // namespace glint::cuda
