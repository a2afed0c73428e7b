// SPDX-License-Identifier: Apache-2.0
//
// The multi-token prediction block (arXiv 2412.19437, section 2.2), as DeepSeek-V3 and the GLM models have it:
//   u = eh_proj [norm(embedding of the next token) ; norm(output_norm(hidden state))], one decoder layer, norm, head.
// The embedding half comes first.
#include "base/check.h"
#include "model/decoder.h"

namespace glint {

void Decoder::forward_nextn(std::span<const int32_t> next_ids) {
  GLINT_CHECK(options_.nextn && !model_.weights.nextn.empty());
  GLINT_CHECK(next_ids.size() == static_cast<size_t>(batch_.n_tokens));
  const NextnWeights& weights = model_.weights.nextn[0];
  for (int32_t id : next_ids) {
    if (id < 0 || id >= spec().n_vocab) fail("token id {} is outside the vocabulary of {}", id, spec().n_vocab);
  }
  const int n = batch_.n_tokens;
  const Tensor x = scratch_.nextn_x.rows(0, n);
  const Tensor pair = scratch_.pair.rows(0, n);
  const Tensor embedding = pair.columns(0, spec().d_model);
  const Tensor hidden = pair.columns(spec().d_model, spec().d_model);
  backend_.upload(scratch_.rows, next_ids.data(), next_ids.size_bytes());
  backend_.embed(embedding, scratch_.rows, spec().embedding_scale,
                 weights.embedding ? weights.embedding : model_.weights.embedding);
  backend_.rms_norm(embedding, embedding, spec().eps, weights.embedding_norm);
  backend_.rms_norm(hidden, scratch_.x.rows(0, n), spec().eps, model_.weights.output_norm);
  backend_.rms_norm(hidden, hidden, spec().eps, weights.hidden_norm);
  backend_.matmul(x, pair, weights.eh_proj);
  run_layer(x, spec().nextn_layers[0], weights.layer, static_cast<int>(spec().layers.size()));
}

std::span<const float> Decoder::nextn_logits(std::span<const int> indices) {
  GLINT_CHECK(options_.nextn);
  const NextnWeights& weights = model_.weights.nextn[0];
  return head_logits(scratch_.nextn_x.rows(0, batch_.n_tokens), indices,
                     weights.head_norm ? weights.head_norm : model_.weights.output_norm,
                     weights.head ? weights.head : model_.weights.head);
}

}  // namespace glint
