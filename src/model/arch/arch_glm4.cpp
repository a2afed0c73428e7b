// SPDX-License-Identifier: Apache-2.0
//
// GLM-4 (0414: biases, post-norms, adjacent pairs over half of each head, fused gate_up) and GLM-4.5/4.6/4.7 (glm4moe:
// rotated halves over half of each head, sigmoid routing, the first layers dense, one prediction block at the end).
#include "base/check.h"
#include "model/arch/arch.h"

namespace glint {

ModelSpec glm4_spec(Keys& keys) {
  ModelSpec model = common_spec(keys);
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/true);
  gqa.bias = keys.has_tensor("blk.0.attn_q.bias");
  const GluSpec glu{.d_ff = keys.integer("feed_forward_length"), .fused_gate_up = true};
  // GLM-4-9B-0414's older relatives have no post-norms.
  const bool post_norms = keys.has_tensor("blk.0.post_ffw_norm.weight");
  model.layers.assign(static_cast<size_t>(block_count(keys)),
                      {.attention = gqa, .ffn = glu, .post_norms = post_norms});
  return model;
}

ModelSpec glm4moe_spec(Keys& keys) {
  ModelSpec model = common_spec(keys);
  model.ffn_norm_name = "post_attention_norm";  // a pre-norm all the same: the converter kept Hugging Face's name
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  gqa.bias = keys.has_tensor("blk.0.attn_q.bias");
  gqa.qk_norm = keys.has_tensor("blk.0.attn_q_norm.weight");
  const GluSpec glu{.d_ff = keys.integer("feed_forward_length")};
  MoeSpec moe = common_moe(keys);
  moe.selection_bias = true;
  moe.route.gate = Gate::kSigmoid;
  if (keys.integer_or("expert_gating_func", 2) == 1) moe.route.gate = Gate::kSoftmax;
  const int n_trunk = trunk_blocks(keys);
  const int n_dense = keys.integer_or("leading_dense_block_count", 1, 0, 4096);
  for (int i = 0; i < n_trunk; ++i) {
    model.layers.push_back({.attention = gqa, .ffn = i < n_dense ? FfnSpec{glu} : FfnSpec{moe}});
  }
  model.nextn_layers.assign(static_cast<size_t>(nextn_blocks(keys, n_trunk)), {.attention = gqa, .ffn = moe});
  return model;
}

}  // namespace glint
