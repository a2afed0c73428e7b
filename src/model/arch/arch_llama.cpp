// SPDX-License-Identifier: Apache-2.0
//
// Llama 2 and 3, Mistral, Mixtral, SmolLM2 and all that share the name. The converter permutes q and k rows, so pairs are
// adjacent here although Hugging Face rotates halves. Llama 3's scaled frequencies come as the tensor rope_freqs.weight.
#include "model/arch/arch.h"
#include "model/arch/parts.h"

namespace glint {

ModelSpec llama_spec(Keys& keys) {
  ModelSpec model = common_spec(keys, Head::kMayBeTied);
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/true);
  gqa.bias = keys.some_block_has("attn_q.bias");
  gqa.output_bias = keys.some_block_has("attn_output.bias");
  FfnSpec ffn;
  if (keys.integer_or("expert_count", 0) > 0) {
    MoeSpec moe = common_moe(keys);
    moe.route.gate = Gate::kSoftmax;
    moe.route.renormalise = true;  // Mixtral: softmax over the chosen, which is the same
    ffn = moe;
  } else {
    ffn = GluSpec{.d_ff = keys.integer("feed_forward_length")};
  }
  model.layers.assign(static_cast<size_t>(block_count(keys)), {.attention = gqa, .ffn = ffn});
  return model;
}

}  // namespace glint
