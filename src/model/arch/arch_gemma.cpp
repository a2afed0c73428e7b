// SPDX-License-Identifier: Apache-2.0
//
// Gemma 1, 2 and 3. Common to them: embeddings times sqrt(d_model), GELU (tanh) gates, tied head, and norm weights that
// the converter has already raised by one. Gemma 2 adds soft-caps, post-norms and a window on every other layer;
// Gemma 3 trades the soft-caps for q/k norms and has a window with a RoPE base of its own on five layers of six.
#include <cmath>

#include "model/arch/arch.h"
#include "model/arch/parts.h"

namespace glint {
namespace {

ModelSpec gemma_base(Keys& keys) {
  ModelSpec model = common_spec(keys, Head::kMayBeTied);
  model.embedding_scale = std::sqrt(static_cast<float>(model.d_model));
  return model;
}

GluSpec gemma_glu(const Keys& keys) {
  return {.d_ff = keys.integer("feed_forward_length"), .activation = Activation::kGeluTanh};
}

}  // namespace

ModelSpec gemma_spec(Keys& keys) {
  ModelSpec model = gemma_base(keys);
  const GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  model.layers.assign(static_cast<size_t>(block_count(keys)), {.attention = gqa, .ffn = gemma_glu(keys)});
  return model;
}

ModelSpec gemma2_spec(Keys& keys) {
  ModelSpec model = gemma_base(keys);
  const int n_layers = block_count(keys);
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  // No key carries query_pre_attn_scalar: it is the head's width except in the 27B, where it is d_model / n_heads.
  constexpr int kLayersOf27B = 46;
  if (n_layers == kLayersOf27B) gqa.scale = 1 / std::sqrt(static_cast<float>(model.d_model / model.n_heads));
  gqa.softcap = static_cast<float>(keys.number_or("attn_logit_softcapping", 50, 0, 1e6));
  model.logit_softcap = static_cast<float>(keys.number_or("final_logit_softcapping", 30, 0, 1e6));
  const int window = keys.integer_or("attention.sliding_window", 4096);
  for (int i = 0; i < n_layers; ++i) {
    gqa.window = i % 2 == 0 ? window : 0;
    model.layers.push_back({.attention = gqa, .ffn = gemma_glu(keys), .post_norms = true});
  }
  return model;
}

ModelSpec gemma3_spec(Keys& keys) {
  ModelSpec model = gemma_base(keys);
  const int n_layers = block_count(keys);
  GqaSpec global = common_gqa(keys, model, /*interleaved=*/false);
  global.qk_norm = true;
  // As in Gemma 2, the 27B alone scales by d_model / n_heads.
  constexpr int kLayersOf27B = 62;
  if (n_layers == kLayersOf27B) global.scale = 1 / std::sqrt(static_cast<float>(model.d_model / model.n_heads));
  global.softcap = static_cast<float>(keys.number_or("attn_logit_softcapping", 0, 0, 1e6));
  model.logit_softcap = static_cast<float>(keys.number_or("final_logit_softcapping", 0, 0, 1e6));
  GqaSpec local = global;
  local.window = keys.integer_or("attention.sliding_window", 0);
  // Context extension applies to the global layers alone.
  local.rope.inverse_frequency =
      inverse_frequencies(keys.number_or("rope.freq_base_swa", 10000, 2, 1e12), local.rope.n_dims);
  local.rope.scale = 1;
  constexpr int kGlobalEvery = 6;
  for (int i = 0; i < n_layers; ++i) {
    const GqaSpec& gqa = (i + 1) % kGlobalEvery == 0 ? global : local;
    model.layers.push_back({.attention = gqa, .ffn = gemma_glu(keys), .post_norms = true});
  }
  return model;
}

}  // namespace glint
