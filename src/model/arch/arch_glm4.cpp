// SPDX-License-Identifier: Apache-2.0
//
// GLM-4 (0414: biases, post-norms, adjacent pairs over half of each head, fused gate_up) and GLM-4.5/4.6/4.7 (glm4moe:
// rotated halves over half of each head, sigmoid routing, the first layers dense, one prediction block at the end).
#include "model/arch/arch.h"
#include "model/arch/parts.h"

namespace glint {

ModelSpec glm4_spec(Keys& keys) {
  ModelSpec model = common_spec(keys, Head::kMayBeTied);
  lint_glm_turns(keys);
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/true);
  gqa.bias = keys.some_block_has("attn_q.bias");  // GLM-4-32B has none
  const GluSpec glu{.d_ff = keys.integer("feed_forward_length"), .fused_gate_up = true};
  // GLM-4-9B-0414's older relatives have no post-norms.
  const bool post_norms = keys.some_block_has("post_ffw_norm.weight") || keys.some_block_has("post_attention_norm.weight");
  model.layers.assign(static_cast<size_t>(block_count(keys)),
                      {.attention = gqa, .ffn = glu, .post_norms = post_norms});
  return model;
}

ModelSpec glm4moe_spec(Keys& keys) {
  ModelSpec model = common_spec(keys, Head::kOwn);
  lint_glm_turns(keys);
  model.ffn_norm_name = "post_attention_norm";  // a pre-norm all the same: the converter kept Hugging Face's name
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  gqa.bias = keys.some_block_has("attn_q.bias");
  // GLM-4.5 and 4.6 norm q and k, GLM-4.5-Air does not; no key says so.
  gqa.qk_norm = keys.some_block_has("attn_q_norm.weight") || keys.some_block_has("attn_k_norm.weight");
  const BlockSplit blocks = split_blocks(keys);
  const int n_dense = keys.integer_or("leading_dense_block_count", 1, 0, blocks.n_trunk);
  GluSpec glu;
  if (n_dense > 0) glu.d_ff = keys.integer("feed_forward_length");
  MoeSpec moe = common_moe(keys);
  moe.selection_bias = true;
  moe.route.gate = read_gate(keys, /*has_correction_bias=*/true, Gate::kSigmoid);
  for (int i = 0; i < blocks.n_trunk; ++i) {
    model.layers.push_back({.attention = gqa, .ffn = i < n_dense ? FfnSpec{glu} : FfnSpec{moe}});
  }
  model.nextn_layers.assign(static_cast<size_t>(blocks.n_nextn), {.attention = gqa, .ffn = moe});
  return model;
}

}  // namespace glint
