// SPDX-License-Identifier: Apache-2.0
#include "model/blocks.h"

namespace glint {

void run_attention(const StepContext& step, Tensor x, const BlockContext& block, const GqaSpec& spec,
                   const GqaWeights& weights) {
  const GqaShape shape{.n_heads = step.spec.n_heads,
                       .n_kv = spec.n_kv,
                       .d_head = spec.d_head,
                       .qk_norm = spec.qk_norm,
                       .scale = spec.scale,
                       .softcap = spec.softcap,
                       .window = spec.window};
  step.backend.gqa_block(x, block, shape, weights, step.cache, step.rope);
}

void run_attention(const StepContext& step, Tensor x, const BlockContext& block, const MlaSpec& spec,
                   const MlaWeights& weights) {
  const MlaShape shape{.n_heads = step.spec.n_heads,
                       .q_rank = spec.q_rank,
                       .kv_rank = spec.kv_rank,
                       .d_nope = spec.d_nope,
                       .d_rope = spec.d_rope,
                       .d_v = spec.d_v,
                       .scale = spec.scale,
                       .eps = spec.eps};
  step.backend.mla_block(x, block, shape, weights, step.cache, step.rope);
}

void run_ffn(const StepContext& step, Tensor x, const BlockContext& block, const GluSpec& spec,
             const GluWeights& weights) {
  step.backend.glu_block(x, block, {.d_ff = spec.d_ff, .activation = spec.activation}, weights);
}

void run_ffn(const StepContext& step, Tensor x, const BlockContext& block, const MoeSpec& spec,
             const MoeLayerWeights& weights) {
  MoeShape shape{.n_experts = spec.n_experts,
                 .d_ff = spec.d_ff,
                 .d_ff_shared = spec.d_ff_shared,
                 .activation = spec.activation,
                 .route = spec.route};
  shape.route.selection_bias = static_cast<const float*>(weights.selection_bias.data);
  step.backend.moe_block(x, block, shape, weights);
}

}  // namespace glint
