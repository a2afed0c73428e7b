// SPDX-License-Identifier: Apache-2.0
#include "cuda/gqa_block.h"

#include "cuda/attend.h"
#include "cuda/gqa_rows.h"
#include "cuda/matmul.h"
#include "cuda/matvec.h"
#include "cuda/row_ops.h"

namespace glint::cuda {
namespace {

/// One call of the block: its tensors and parts.
class GqaStep {
 public:
  GqaStep(const Stream& stream, Workspace& workspace, Tensor x, const BlockContext& block, const GqaShape& shape,
          const GqaWeights& weights, const KvLayer& cache, const RopeParams& rope_params)
      : stream_(stream),
        workspace_(workspace),
        x_(x),
        block_(block),
        shape_(shape),
        weights_(weights),
        cache_(cache),
        rope_params_(rope_params),
        q_(Tensor::matrix(block.scratch.q.data, x.n_rows, shape.n_heads * shape.d_head)),
        k_(Tensor::matrix(block.scratch.k.data, x.n_rows, shape.n_kv * shape.d_head)),
        v_(Tensor::matrix(block.scratch.v.data, x.n_rows, shape.n_kv * shape.d_head)),
        attended_(Tensor::matrix(block.scratch.attended.data, x.n_rows, shape.n_heads * shape.d_head)),
        delta_(Tensor::matrix(block.scratch.delta.data, x.n_rows, x.width)) {}

  bool has_fast_path() const {
    for (const Weight* w : {&weights_.q, &weights_.k, &weights_.v, &weights_.output}) {
      if (w->dtype == DType::kF32) return false;
    }
    return halves_fit(x_.width) && gqa_rows_support(rows(), cache_);
  }

  void few_tokens() {
    matvec_several(stream_, norm_input(x_, block_.norm, block_.eps),
                   {{output_of(q_, weights_.q), PackedMatrix(weights_.q)},
                    {output_of(k_, weights_.k), PackedMatrix(weights_.k)},
                    {output_of(v_, weights_.v), PackedMatrix(weights_.v)}});
    attend_rows();
    MatvecOutput out = output_of(block_.post_norm ? delta_ : x_, weights_.output);
    out.add = !block_.post_norm;
    matvec(stream_, out,
           {.x = attended_.data, .row_stride = attended_.row_stride, .head_stride = 0, .n_tokens = x_.n_rows},
           PackedMatrix(weights_.output));
    add_post_norm();
  }

  void many_tokens() {
    // Halves live in scratch of f32, which has room for each twice.
    auto* normed = reinterpret_cast<__half*>(block_.scratch.normed.data);
    to_half(stream_, normed, x_, 1, static_cast<const float*>(block_.norm.data), block_.eps);
    const HalfRows in = half_rows(normed, x_.width);
    matmul(stream_, Store::kF32, half_output_of(q_, weights_.q), in, PackedMatrix(weights_.q));
    matmul_both(stream_, {half_output_of(k_, weights_.k), half_output_of(v_, weights_.v)}, in,
                {PackedMatrix(weights_.k), PackedMatrix(weights_.v)});
    attend_rows();
    __half* attended = workspace_.halves(stream_, static_cast<int64_t>(x_.n_rows) * half_columns(attended_.width));
    to_half(stream_, attended, attended_, 1, nullptr, 0);
    matmul(stream_, block_.post_norm ? Store::kF32 : Store::kF32Add,
           half_output_of(block_.post_norm ? delta_ : x_, weights_.output), half_rows(attended, attended_.width),
           PackedMatrix(weights_.output));
    add_post_norm();
  }

 private:
  static MatvecOutput output_of(Tensor out, const Weight& w) {
    return {.out = out.data, .row_stride = out.row_stride, .head_stride = 0, .bias = w.bias};
  }
  static MatmulOutput half_output_of(Tensor out, const Weight& w) {
    return {.out = out.data, .row_stride = out.row_stride, .head_stride = 0, .bias = w.bias};
  }
  HalfRows half_rows(const __half* data, int width) const {
    return {.data = data, .row_stride = half_columns(width), .head_stride = 0, .n_rows = x_.n_rows};
  }

  GqaRows rows() const {
    const auto norm_of = [&](const Weight& w) { return shape_.qk_norm ? static_cast<const float*>(w.data) : nullptr; };
    return {.q = q_.split_heads(shape_.n_heads),
            .k = k_.split_heads(shape_.n_kv),
            .v = v_.split_heads(shape_.n_kv),
            .q_norm = norm_of(weights_.q_norm),
            .k_norm = norm_of(weights_.k_norm),
            .eps = block_.eps};
  }

  void attend_rows() {
    finish_gqa_rows(stream_, rows(), block_.batch, cache_, rope_params_);
    attend(stream_, attended_.split_heads(shape_.n_heads), q_.split_heads(shape_.n_heads), cache_, block_.batch,
           {.scale = shape_.scale,
            .softcap = shape_.softcap,
            .window = shape_.window,
            .sinks = static_cast<const float*>(weights_.sinks.data)},
           workspace_);
  }

  void add_post_norm() {
    if (!block_.post_norm) return;
    add_normed(stream_, x_, delta_, block_.eps, static_cast<const float*>(block_.post_norm.data));
  }

  const Stream& stream_;
  Workspace& workspace_;
  Tensor x_;
  const BlockContext& block_;
  const GqaShape& shape_;
  const GqaWeights& weights_;
  const KvLayer& cache_;
  const RopeParams& rope_params_;
  Tensor q_;         // [n, n_heads * d_head]
  Tensor k_;         // [n, n_kv * d_head]
  Tensor v_;         // [n, n_kv * d_head]
  Tensor attended_;  // [n, n_heads * d_head]
  Tensor delta_;     // [n, d_model]
};

}  // namespace

bool gqa_block(const Stream& stream, Workspace& workspace, Tensor x, const BlockContext& block, const GqaShape& shape,
               const GqaWeights& weights, const KvLayer& cache, const RopeParams& rope_params) {
  GqaStep step(stream, workspace, x, block, shape, weights, cache, rope_params);
  if (!step.has_fast_path()) return false;
  if (x.n_rows <= kMostInTurn) {
    step.few_tokens();
  } else {
    step.many_tokens();
  }
  return true;
}

}  // namespace glint::cuda
