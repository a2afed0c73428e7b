// SPDX-License-Identifier: Apache-2.0
//
// Phi-3, 3.5 and Phi-4-mini: q, k, v in one matrix and gate, up in another. Long-context files carry two sets of
// frequency divisors; Hugging Face takes the short set while a sequence fits the original context. Keys in the cache
// cannot be re-rotated, so glint decides once, by the context that a session is opened with.
#include <cmath>

#include "model/arch/arch.h"
#include "model/arch/parts.h"

namespace glint {
namespace {

void add_longrope(const Keys& keys, const ModelSpec& model, RopeSpec& rope) {
  const int n = rope.n_dims / 2;
  const std::vector<float> short_divisors = keys.divisors("rope_factors_short.weight", n);
  const std::vector<float> long_divisors = keys.divisors("rope_factors_long.weight", n);
  rope.long_inverse_frequency = rope.inverse_frequency;
  for (size_t i = 0; i < short_divisors.size(); ++i) {
    rope.inverse_frequency[i] /= short_divisors[i];
    rope.long_inverse_frequency[i] /= long_divisors[i];
  }
  rope.long_from = keys.integer("rope.scaling.original_context_length", 2, 1 << 30);
  // The same for both sets (transformers' longrope); files carry the result since mid-2024.
  const double growth = static_cast<double>(model.n_ctx_train) / rope.long_from;
  const double scale = growth > 1 ? std::sqrt(1 + std::log(growth) / std::log(rope.long_from)) : 1;
  rope.scale = static_cast<float>(keys.number_or("rope.scaling.attn_factor", scale, 0, 1e3));
}

}  // namespace

ModelSpec phi3_spec(Keys& keys) {
  ModelSpec model = common_spec(keys, Head::kMayBeTied);
  GqaSpec gqa = common_gqa(keys, model, /*interleaved=*/false);
  gqa.fused_qkv = true;
  gqa.window = keys.integer_or("attention.sliding_window", 0, 0, 1 << 30);
  if (keys.has_tensor("rope_factors_long.weight") || keys.has_tensor("rope_factors_short.weight")) {
    add_longrope(keys, model, gqa.rope);
  }
  const GluSpec glu{.d_ff = keys.integer("feed_forward_length"), .fused_gate_up = true};
  model.layers.assign(static_cast<size_t>(block_count(keys)), {.attention = gqa, .ffn = glu});
  return model;
}

}  // namespace glint
