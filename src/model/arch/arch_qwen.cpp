// SPDX-License-Identifier: Apache-2.0
//
// Qwen2 (biases on q, k, v), Qwen3 (RMS norm of every q and k head before RoPE) and Qwen3-MoE (softmax over all experts,
// then the chosen are renormalised). All rotate halves.
#include "model/arch/arch.h"
#include "model/arch/parts.h"

namespace glint {
namespace {

ModelSpec dense(const Keys& keys, const ModelSpec& model, const GqaSpec& gqa) {
  ModelSpec result = model;
  const GluSpec glu{.d_ff = keys.integer("feed_forward_length")};
  result.layers.assign(static_cast<size_t>(block_count(keys)), {.attention = gqa, .ffn = glu});
  return result;
}

}  // namespace

ModelSpec qwen2_spec(Keys& keys) {
  const ModelSpec model = common_spec(keys, Head::kMayBeTied);
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  gqa.bias = true;
  return dense(keys, model, gqa);
}

ModelSpec qwen3_spec(Keys& keys) {
  const ModelSpec model = common_spec(keys, Head::kMayBeTied);
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  gqa.bias = keys.some_block_has("attn_q.bias");
  gqa.qk_norm = true;
  return dense(keys, model, gqa);
}

ModelSpec qwen3moe_spec(Keys& keys) {
  ModelSpec model = common_spec(keys, Head::kMayBeTied);
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  gqa.qk_norm = true;
  MoeSpec moe = common_moe(keys);
  moe.route.gate = Gate::kSoftmax;
  // Written by no converter; every published Qwen3-MoE has norm_topk_prob = true.
  moe.route.renormalise = keys.boolean_or("expert_weights_norm", true);
  model.layers.assign(static_cast<size_t>(block_count(keys)), {.attention = gqa, .ffn = moe});
  return model;
}

}  // namespace glint
