// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-V2, V2-Lite, V3, R1, Kimi-K2 and GLM-4.7-Flash share this name: multi-head latent attention and a mixture of
// experts with a shared one. What a reader must know:
//   - attention.key_length and value_length describe the latent cache where key_length_mla and value_length_mla are also
//     there; those are then the widths of a real head. Files without the second pair mean heads by the first.
//   - softmax is scaled by the width of a whole head, 1/sqrt(d_nope + d_rope), not by that of the cache row.
//   - RoPE turns adjacent pairs of the last d_rope values of a head.
//   - V2 scores experts by softmax and has no key that says so; V3's kind scores by sigmoid with a correction bias that
//     only chooses. GLM-4.7-Flash is of V3's kind, but its first conversions say softmax or nothing.
#include <cmath>

#include "base/check.h"
#include "model/arch/arch.h"
#include "model/arch/parts.h"

namespace glint {
namespace {

/// By shape, as neither the architecture's name nor any key tells it from DeepSeek. Pruned and extended variants differ
/// in experts and vocabulary, not in attention.
bool is_glm_flash(const Keys& keys, const ModelSpec& model, const MlaSpec& mla) {
  return model.n_heads == 20 && mla.q_rank == 768 && mla.kv_rank == 512 && keys.integer_or("expert_count", 0) > 0;
}

/// What conversions of GLM-4.7-Flash are known to leave out or get wrong, the gate apart.
void lint_glm_flash(Keys& keys) {
  const auto suggest = [&](const char* name, const char* value) {
    return fmt::format("--override-kv {}={}", keys.full(name), value);
  };
  if (!keys.has("expert_weights_scale")) {
    keys.error(keys.full("expert_weights_scale") + " is not in the file, so expert outputs are not scaled; GLM-4.7-Flash needs 1.8",
               suggest("expert_weights_scale", "float:1.8"));
  }
  if (!keys.has("expert_weights_norm")) {
    keys.error(keys.full("expert_weights_norm") + " is not in the file, so expert weights do not sum to one; GLM-4.7-Flash needs it",
               suggest("expert_weights_norm", "bool:true"));
  }
  if (keys.string_or("rope.scaling.type", "none") != "none") {
    keys.warn(keys.full("rope.scaling.type") + " is set, but GLM-4.7-Flash was trained for its whole context without scaling",
              suggest("rope.scaling.type", "str:none"));
  }
}

MlaSpec read_mla(Keys& keys, const ModelSpec& model) {
  constexpr int kMaxWidth = 1 << 14;  // of a part of a head; times the most heads it stays an int
  MlaSpec mla;
  mla.q_rank = keys.integer_or("attention.q_lora_rank", 0);  // V2-Lite has none
  mla.kv_rank = keys.integer("attention.kv_lora_rank", 1, 4 * kMaxWidth);
  mla.d_rope = keys.integer("rope.dimension_count", 2, kMaxWidth);
  const bool latent_keys = keys.integer_or("attention.key_length_mla", 0) > 0;
  const std::string suffix = latent_keys ? "_mla" : "";
  const int d_head = keys.integer("attention.key_length" + suffix, mla.d_rope + 1, 2 * kMaxWidth);
  mla.d_nope = d_head - mla.d_rope;
  mla.d_v = keys.integer("attention.value_length" + suffix, 1, kMaxWidth);
  // Some files carry both layouts; the split one is used as it is.
  mla.joint_kv_b = keys.some_block_has("attn_kv_b.weight") && !keys.some_block_has("attn_k_b.weight");
  if (mla.joint_kv_b) keys.note("attention weights are in the older joint layout (attn_kv_b); they are split at load");
  // Hugging Face runs these two norms with 1e-6 whatever the model's eps; every GGUF engine uses the file's.
  mla.eps = model.eps;
  mla.rope = rope_spec(keys, mla.d_rope, /*interleaved=*/true);
  mla.scale = 1 / std::sqrt(static_cast<float>(d_head));
  if (uses_yarn(keys)) {
    // DeepSeek moves YaRN's attention factor from cos and sin into the softmax scale, squared: the key is 0.1 * mscale_all_dim.
    const double multiplier = keys.number_or("rope.scaling.yarn_log_multiplier", 0, 0, 100);
    const double factor = yarn_params(keys).factor;
    if (multiplier > 0) {
      const double mscale = factor > 1 ? multiplier * std::log(factor) + 1 : 1;
      mla.scale = static_cast<float>(mscale * mscale / std::sqrt(static_cast<double>(d_head)));
      mla.rope.scale = 1;
    }
  }
  return mla;
}

MoeSpec read_moe(Keys& keys, bool glm_flash) {
  MoeSpec moe = common_moe(keys);
  moe.selection_bias = keys.some_block_has("exp_probs_b.bias");
  const bool like_v3 = moe.selection_bias || glm_flash;
  moe.route.gate = read_gate(keys, like_v3, like_v3 ? Gate::kSigmoid : Gate::kSoftmax);
  // Every published model with sigmoid scores has the bias, so a file that says sigmoid and has none has lost it.
  if (moe.route.gate == Gate::kSigmoid && !keys.overridden("expert_gating_func")) moe.selection_bias = true;
  return moe;
}

}  // namespace

ModelSpec deepseek2_spec(Keys& keys) {
  ModelSpec model = common_spec(keys, Head::kOwn);
  const bool has_experts = keys.integer_or("expert_count", 0) > 0;
  const MlaSpec mla = read_mla(keys, model);
  const BlockSplit blocks = split_blocks(keys);
  const bool glm_flash = is_glm_flash(keys, model, mla);
  if (glm_flash) lint_glm_flash(keys);
  lint_glm_turns(keys);
  const int n_dense = has_experts ? keys.integer_or("leading_dense_block_count", 0, 0, blocks.n_trunk) : blocks.n_trunk;
  GluSpec glu;
  if (n_dense > 0) glu.d_ff = keys.integer("feed_forward_length");
  const FfnSpec sparse = has_experts ? FfnSpec{read_moe(keys, glm_flash)} : FfnSpec{glu};
  for (int i = 0; i < blocks.n_trunk; ++i) {
    model.layers.push_back({.attention = mla, .ffn = i < n_dense ? FfnSpec{glu} : sparse});
  }
  model.nextn_layers.assign(static_cast<size_t>(blocks.n_nextn), {.attention = mla, .ffn = sparse});
  return model;
}

}  // namespace glint
