// SPDX-License-Identifier: Apache-2.0
//
// gpt-oss: biases everywhere, a learned sink logit a head, a window on even layers, YaRN, experts chosen by logits and
// weighted by a softmax over the chosen, and a clamped SwiGLU.
#include "model/arch/arch.h"

namespace glint {

ModelSpec gpt_oss_spec(Keys& keys) {
  ModelSpec model = common_spec(keys);
  model.ffn_norm_name = "post_attention_norm";
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  gqa.bias = true;
  gqa.output_bias = true;
  gqa.sinks = true;
  if (keys.string_or("rope.scaling.type", "none") == "yarn") {
    YarnParams yarn = yarn_params(keys);
    // The published models set "truncate": false, for which GGUF has no key; their original context tells them apart.
    constexpr double kPublishedContext = 4096;
    yarn.whole_dims = yarn.original_context != kPublishedContext;
    gqa.rope.inverse_frequency =
        yarn_inverse_frequencies(keys.number_or("rope.freq_base", 150000, 1, 1e12), gqa.rope.n_dims, yarn);
  }
  MoeSpec moe = common_moe(keys);
  moe.activation = Activation::kGptOssSwiglu;
  moe.bias = true;
  moe.route.gate = Gate::kSoftmaxAfterTopK;
  const int window = keys.integer_or("attention.sliding_window", 128);
  for (int i = 0; i < block_count(keys); ++i) {
    gqa.window = i % 2 == 0 ? window : 0;
    model.layers.push_back({.attention = gqa, .ffn = moe});
  }
  return model;
}

}  // namespace glint
