// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-V2, V2-Lite, V3, R1, Kimi-K2 and GLM-4.7-Flash share this name: multi-head latent attention and a mixture of
// experts with a shared one. What a reader must know:
//   - attention.key_length and value_length describe the latent cache where key_length_mla and value_length_mla are also
//     there; those are then the widths of a real head. Files of before mid-2025 have only the first pair, and mean heads.
//   - softmax is scaled by the width of a whole head, 1/sqrt(d_nope + d_rope), not by that of the cache row.
//   - RoPE turns adjacent pairs of the last d_rope values of a head.
//   - router scores are sigmoids wherever a correction bias exists; early GLM-4.7-Flash files say softmax or nothing.
#include <cmath>

#include "base/check.h"
#include "model/arch/arch.h"

namespace glint {
namespace {

enum GatingKey { kAbsent = 0, kSoftmaxKey = 1, kSigmoidKey = 2, kSoftmaxAfterTopKKey = 3 };

/// The first block with experts; its tensors tell what the metadata may not.
std::string first_moe_block(int n_dense) { return "blk." + std::to_string(n_dense) + "."; }

Gate read_gate(Keys& keys, bool has_correction_bias) {
  const int value = keys.integer_or("expert_gating_func", kAbsent, 0, 3);
  const bool by_user = keys.overridden("expert_gating_func");
  // A correction bias only makes sense with sigmoid scores (arXiv 2412.19437, section 2.1.2).
  if (has_correction_bias && !by_user) {
    if (value == kAbsent) {
      keys.note("the file does not say how experts are scored; sigmoid is used, as its correction bias implies");
    } else if (value != kSigmoidKey) {
      keys.warn(fmt::format("{} is {} (softmax), but the router has a correction bias, which goes with sigmoid: an early, "
                            "wrong conversion; sigmoid is used",
                            keys.full("expert_gating_func"), value),
                fmt::format("download a newer file; to use softmax all the same: --override-kv {}=int:{}",
                            keys.full("expert_gating_func"), value));
    }
    return Gate::kSigmoid;
  }
  switch (value) {
    case kSigmoidKey: return Gate::kSigmoid;
    case kSoftmaxAfterTopKKey: return Gate::kSoftmaxAfterTopK;
    default: return Gate::kSoftmax;  // DeepSeek-V2's, which has no key
  }
}

MlaSpec read_mla(Keys& keys, const ModelSpec& model) {
  MlaSpec mla;
  mla.q_rank = keys.integer_or("attention.q_lora_rank", 0);
  mla.kv_rank = keys.integer("attention.kv_lora_rank");
  mla.d_rope = keys.integer("rope.dimension_count", 2, 1 << 16);
  const bool latent_keys = keys.integer_or("attention.key_length_mla", 0) > 0;
  const std::string suffix = latent_keys ? "_mla" : "";
  const int d_head = keys.integer("attention.key_length" + suffix, mla.d_rope + 1, 1 << 16);
  mla.d_nope = d_head - mla.d_rope;
  mla.d_v = keys.integer("attention.value_length" + suffix, 1, 1 << 16);
  mla.joint_kv_b = !keys.has_tensor("blk.0.attn_k_b.weight");
  if (mla.joint_kv_b) keys.note("attention weights are in the older joint layout (attn_kv_b); they are split at load");
  mla.eps = model.eps;
  mla.rope = rope_spec(keys, mla.d_rope, /*interleaved=*/true);
  mla.scale = 1 / std::sqrt(static_cast<float>(d_head));
  if (keys.string_or("rope.scaling.type", "none") == "yarn") {
    // DeepSeek moves YaRN's attention factor from cos and sin into the softmax scale, squared: the key is 0.1 * mscale_all_dim.
    const float multiplier = keys.number_or("rope.scaling.yarn_log_multiplier", 0, 0, 100);
    if (multiplier > 0) {
      const double factor = keys.number("rope.scaling.factor", 1e-3, 1e6);
      const double mscale = factor > 1 ? multiplier * std::log(factor) + 1 : 1;
      mla.scale = static_cast<float>(mscale * mscale / std::sqrt(static_cast<double>(d_head)));
      mla.rope.scale = 1;
    }
  }
  return mla;
}

}  // namespace

ModelSpec deepseek2_spec(Keys& keys) {
  ModelSpec model = common_spec(keys);
  const MlaSpec mla = read_mla(keys, model);
  const int n_trunk = trunk_blocks(keys);
  const bool has_experts = keys.integer_or("expert_count", 0, 0, 65536) > 0;
  const int n_dense = has_experts ? keys.integer_or("leading_dense_block_count", 0, 0, 4096) : n_trunk;
  const GluSpec glu{.d_ff = n_dense > 0 ? keys.integer("feed_forward_length") : 0};
  MoeSpec moe;
  if (has_experts) {
    moe = common_moe(keys);
    const std::string block = first_moe_block(n_dense);
    moe.selection_bias = keys.has_tensor(block + "exp_probs_b.bias");
    moe.fused_gate_up = keys.has_tensor(block + "ffn_gate_up_exps.weight");
    moe.route.gate = read_gate(keys, moe.selection_bias);
    moe.route.n_groups = std::max(1, keys.integer_or("expert_group_count", 1, 0, moe.n_experts));
    moe.route.n_groups_used = std::max(1, keys.integer_or("expert_group_used_count", moe.route.n_groups, 0, moe.route.n_groups));
    if (moe.n_experts % moe.route.n_groups != 0) {
      fail("{}: {} experts cannot form {} equal groups", keys.file().name(), moe.n_experts, moe.route.n_groups);
    }
    if (moe.route.gate == Gate::kSigmoid && !keys.has("expert_weights_scale")) {
      keys.warn("the file has no " + keys.full("expert_weights_scale") + "; expert outputs are not scaled",
                "GLM-4.7-Flash needs --override-kv " + keys.full("expert_weights_scale") + "=float:1.8");
    }
  }
  for (int i = 0; i < n_trunk; ++i) {
    model.layers.push_back({.attention = mla, .ffn = i < n_dense ? FfnSpec{glu} : FfnSpec{moe}});
  }
  model.nextn_layers.assign(static_cast<size_t>(nextn_blocks(keys, n_trunk)), {.attention = mla, .ffn = moe});
  return model;
}

}  // namespace glint
