// SPDX-License-Identifier: Apache-2.0
#include "model/scratch.h"

#include <algorithm>

#include "model/decoder.h"

namespace glint {
namespace {

/// The largest width each tensor takes over all layers.
struct Widths {
  int q = 0, kv = 0, attended = 0, q_low = 0, latent = 0, d_ff = 0;
  int kv_rank = 0;
  int n_experts = 0, top_k = 0, d_ff_expert = 0;

  void add(const ModelSpec& model, const LayerSpec& layer) {
    if (const auto* gqa = std::get_if<GqaSpec>(&layer.attention)) {
      q = std::max(q, model.n_heads * gqa->d_head);
      kv = std::max(kv, gqa->n_kv * gqa->d_head);
      attended = std::max(attended, model.n_heads * gqa->d_head);
    } else {
      const auto& mla = std::get<MlaSpec>(layer.attention);
      q = std::max(q, model.n_heads * (mla.d_nope + mla.d_rope));
      attended = std::max(attended, model.n_heads * mla.d_v);
      q_low = std::max(q_low, mla.q_rank);
      latent = std::max(latent, mla.kv_rank + mla.d_rope);
      kv_rank = std::max(kv_rank, mla.kv_rank);
    }
    if (const auto* glu = std::get_if<GluSpec>(&layer.ffn)) {
      d_ff = std::max(d_ff, glu->d_ff);
    } else {
      const auto& moe = std::get<MoeSpec>(layer.ffn);
      d_ff = std::max(d_ff, moe.d_ff_shared);
      n_experts = std::max(n_experts, moe.n_experts);
      top_k = std::max(top_k, moe.route.top_k);
      d_ff_expert = std::max(d_ff_expert, moe.fused_gate_up ? 2 * moe.d_ff : moe.d_ff);
    }
  }
};

}  // namespace

Tensor Scratch::tensor(Backend& backend, int n_rows, int width) {
  if (width == 0) return {};
  buffers_.push_back(backend.allocate(static_cast<size_t>(n_rows) * static_cast<size_t>(width) * sizeof(float)));
  return Tensor::matrix(buffers_.back()->floats(), n_rows, width);
}

int32_t* Scratch::integers(Backend& backend, int64_t n) {
  buffers_.push_back(backend.allocate(static_cast<size_t>(n) * sizeof(int32_t)));
  return static_cast<int32_t*>(buffers_.back()->data());
}

Scratch::Scratch(Backend& backend, const ModelSpec& spec, const DecoderOptions& options) {
  const int n = options.max_tokens;
  const int d_model = spec.d_model;
  Widths widths;
  for (const LayerSpec& layer : spec.layers) widths.add(spec, layer);
  if (options.nextn) {
    for (const LayerSpec& layer : spec.nextn_layers) widths.add(spec, layer);
    pair = tensor(backend, n, 2 * d_model);
  }
  x = tensor(backend, n, d_model);
  normed = tensor(backend, n, d_model);
  delta = tensor(backend, n, d_model);
  zeros = tensor(backend, 1, d_model);
  const std::vector<float> zero_row(static_cast<size_t>(d_model), 0.0f);
  backend.upload(zeros.data, zero_row.data(), zero_row.size() * sizeof(float));
  zeros.n_rows = n;
  zeros.row_stride = 0;
  q = tensor(backend, n, widths.q);
  k = tensor(backend, n, widths.kv);
  v = tensor(backend, n, widths.kv);
  attended = tensor(backend, n, widths.attended);
  q_low = tensor(backend, n, widths.q_low);
  latent = tensor(backend, n, widths.latent);
  q_latent = tensor(backend, n, spec.n_heads * widths.latent);
  o_latent = tensor(backend, n, spec.n_heads * widths.kv_rank);
  gate = tensor(backend, n, widths.d_ff);
  up = tensor(backend, n, widths.d_ff);
  if (widths.n_experts > 0) {
    const int n_slots = n * widths.top_k;
    moe.logits = tensor(backend, n, widths.n_experts);
    moe.routing.expert = integers(backend, n_slots);
    moe.routing.weight = reinterpret_cast<float*>(integers(backend, n_slots));
    moe.routing.n_tokens = n;
    moe.routing.top_k = widths.top_k;
    moe.gate = tensor(backend, n_slots, widths.d_ff_expert);
    moe.up = tensor(backend, n_slots, widths.d_ff_expert);
    moe.expert_out = tensor(backend, n_slots, d_model);
  }
  head_rows = tensor(backend, kLogitRows, d_model);
  logits = tensor(backend, kLogitRows, spec.n_vocab);
  ids = integers(backend, n);
  positions = integers(backend, n);
  sequences = integers(backend, n);
  head_index = integers(backend, kLogitRows);
  const int64_t max_pages = (options.n_ctx + kPageTokens - 1) / kPageTokens;
  pages = integers(backend, options.n_sequences * max_pages);
}

int64_t Scratch::bytes() const {
  int64_t total = 0;
  for (const auto& buffer : buffers_) total += static_cast<int64_t>(buffer->bytes());
  return total;
}

}  // namespace glint
