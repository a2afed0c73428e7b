// SPDX-License-Identifier: Apache-2.0
//
// gpt-oss: biases everywhere, a learned sink logit a head, a window on even layers, YaRN, experts chosen by logits and
// weighted by a softmax over the chosen, and a clamped SwiGLU.
#include "model/arch/arch.h"
#include "model/arch/parts.h"

namespace glint {

ModelSpec gpt_oss_spec(Keys& keys) {
  ModelSpec model = common_spec(keys, Head::kOwn);
  model.ffn_norm_name = "post_attention_norm";  // a pre-norm all the same
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  gqa.bias = true;
  gqa.output_bias = true;
  gqa.sinks = true;
  if (uses_yarn(keys)) {
    YarnParams yarn = yarn_params(keys);
    // The published models set "truncate": false, for which GGUF has no key; their original context tells them apart.
    constexpr double kPublishedContext = 4096;
    yarn.whole_dims = yarn.original_context != kPublishedContext;
    gqa.rope.inverse_frequency = yarn_inverse_frequencies(rope_base(keys), gqa.rope.n_dims, yarn);
  }
  MoeSpec moe = common_moe(keys);
  moe.activation = Activation::kGptOssSwiglu;
  moe.bias = true;
  moe.route.gate = Gate::kSoftmaxAfterTopK;
  const int window = keys.integer_or("attention.sliding_window", 128);
  const int n_layers = block_count(keys);
  for (int i = 0; i < n_layers; ++i) {
    gqa.window = i % 2 == 0 ? window : 0;
    model.layers.push_back({.attention = gqa, .ffn = moe});
  }
  return model;
}

}  // namespace glint
