// SPDX-License-Identifier: Apache-2.0
#include "model/scratch.h"

#include <algorithm>

#include "base/check.h"

namespace glint {
namespace {

/// The largest width each tensor takes over all layers.
struct Widths {
  int q = 0, kv = 0, attended = 0, q_low = 0, latent = 0, d_ff = 0;
  int kv_rank = 0;
  int n_experts = 0, top_k = 0, d_gate_expert = 0, d_up_expert = 0;

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
      d_gate_expert = std::max(d_gate_expert, moe.fused_gate_up ? 2 * moe.d_ff : moe.d_ff);
      if (!moe.fused_gate_up) d_up_expert = std::max(d_up_expert, moe.d_ff);
    }
  }
};

std::vector<const LayerSpec*> run_layers(const ModelSpec& spec, const DecoderOptions& options) {
  std::vector<const LayerSpec*> layers;
  for (const LayerSpec& layer : spec.layers) layers.push_back(&layer);
  if (!options.nextn) return layers;
  for (const LayerSpec& layer : spec.nextn_layers) layers.push_back(&layer);
  return layers;
}

}  // namespace

StepLimits step_limits(const ModelSpec& spec, const DecoderOptions& options) {
  StepLimits limits{.max_tokens = options.max_tokens,
                    .n_ctx = options.n_ctx,
                    .n_sequences = options.n_sequences,
                    .d_model = spec.d_model,
                    .n_heads = spec.n_heads};
  const int64_t n = options.max_tokens;
  const auto add_input = [&](int64_t values) { limits.input_values = std::max(limits.input_values, values); };
  add_input(n * 2 * spec.d_model);  // the prediction block's pair
  const auto add = [&](const LayerSpec& layer) {
    if (const auto* gqa = std::get_if<GqaSpec>(&layer.attention)) {
      limits.d_head = std::max(limits.d_head, gqa->d_head);
      add_input(n * spec.n_heads * gqa->d_head);
    }
    if (const auto* glu = std::get_if<GluSpec>(&layer.ffn)) add_input(n * glu->d_ff);
    if (const auto* mla = std::get_if<MlaSpec>(&layer.attention)) {
      limits.d_latent = std::max(limits.d_latent, mla->kv_rank + mla->d_rope);
      limits.d_expanded = std::max(limits.d_expanded, spec.n_heads * (mla->d_nope + mla->d_v));
      add_input(n * spec.n_heads * std::max({mla->d_v, mla->kv_rank, mla->d_nope}));
      add_input(n * mla->q_rank);
    }
    if (const auto* moe = std::get_if<MoeSpec>(&layer.ffn)) {
      limits.n_experts = std::max(limits.n_experts, moe->n_experts);
      limits.top_k = std::max(limits.top_k, moe->route.top_k);
      add_input(n * std::max<int64_t>(moe->d_ff_shared, static_cast<int64_t>(moe->route.top_k) * moe->d_ff));
    }
  };
  for (const LayerSpec* layer : run_layers(spec, options)) add(*layer);
  return limits;
}

const std::vector<float>& rope_table(const LayerSpec& layer, int n_ctx) {
  const RopeSpec& rope = std::visit([](const auto& spec) -> const RopeSpec& { return spec.rope; }, layer.attention);
  const bool use_long = !rope.long_inverse_frequency.empty() && n_ctx > rope.long_from;
  return use_long ? rope.long_inverse_frequency : rope.inverse_frequency;
}

void Scratch::lay_out(const ModelSpec& spec, const DecoderOptions& options, const Allocate& allocate) {
  const int n = options.max_tokens;
  const int d_model = spec.d_model;
  const auto tensor = [&](int64_t n_rows, int64_t width) -> Tensor {
    if (width == 0) return {};
    auto* data = static_cast<float*>(allocate(static_cast<size_t>(n_rows * width) * sizeof(float)));
    return Tensor::matrix(data, static_cast<int>(n_rows), static_cast<int>(width));
  };
  const auto integers = [&](int64_t count) {
    return static_cast<int32_t*>(allocate(static_cast<size_t>(count) * sizeof(int32_t)));
  };
  Widths widths;
  for (const LayerSpec* layer : run_layers(spec, options)) widths.add(spec, *layer);
  if (options.nextn) {
    nextn_x = tensor(n, d_model);
    pair = tensor(n, 2LL * d_model);
  }
  x = tensor(n, d_model);
  block.normed = tensor(n, d_model);
  block.delta = tensor(n, d_model);
  block.zeros = tensor(1, d_model);
  block.zeros.n_rows = n;
  block.zeros.row_stride = 0;
  block.q = tensor(n, widths.q);
  block.k = tensor(n, widths.kv);
  block.v = tensor(n, widths.kv);
  block.attended = tensor(n, widths.attended);
  block.q_low = tensor(n, widths.q_low);
  block.latent = tensor(n, widths.latent);
  block.q_latent = tensor(n, static_cast<int64_t>(spec.n_heads) * widths.latent);
  block.o_latent = tensor(n, static_cast<int64_t>(spec.n_heads) * widths.kv_rank);
  block.gate = tensor(n, widths.d_ff);
  block.up = tensor(n, widths.d_ff);
  if (widths.n_experts > 0) {
    const int n_slots = n * widths.top_k;
    block.moe.logits = tensor(n, widths.n_experts);
    block.moe.routing.expert = integers(n_slots);
    block.moe.routing.weight = static_cast<float*>(allocate(static_cast<size_t>(n_slots) * sizeof(float)));
    block.moe.routing.n_tokens = n;
    block.moe.routing.top_k = widths.top_k;
    block.moe.gate = tensor(n_slots, widths.d_gate_expert);
    block.moe.up = tensor(n_slots, widths.d_up_expert);
    block.moe.expert_out = tensor(n_slots, d_model);
  }
  n_logit_rows = std::clamp(options.n_sequences, 16, 128);
  head_rows = tensor(n_logit_rows, d_model);
  logits = tensor(n_logit_rows, spec.n_vocab);
  top = static_cast<TopEntry*>(allocate(static_cast<size_t>(n_logit_rows) * kMostTop * sizeof(TopEntry)));
  rows = integers(3LL * n);
  head_index = integers(n_logit_rows);
  const int64_t max_pages = (static_cast<int64_t>(options.n_ctx) + kPageTokens - 1) / kPageTokens;
  pages = integers(options.n_sequences * max_pages);
  for (const LayerSpec* layer : run_layers(spec, options)) {
    const auto bytes = rope_table(*layer, options.n_ctx).size() * sizeof(float);
    inverse_frequencies.push_back(static_cast<float*>(allocate(bytes)));
  }
}

Scratch::Scratch(Backend& backend, const ModelSpec& spec, const DecoderOptions& options) {
  GLINT_CHECK(options.max_tokens >= 1);
  lay_out(spec, options, [&](size_t bytes) {
    buffers_.push_back(backend.allocate(bytes));
    bytes_ += static_cast<int64_t>(bytes);
    return buffers_.back()->data();
  });
  const std::vector<float> zero_row(static_cast<size_t>(spec.d_model), 0.0f);
  backend.upload(block.zeros.data, zero_row.data(), zero_row.size() * sizeof(float));
  const std::vector<const LayerSpec*> layers = run_layers(spec, options);
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::vector<float>& table = rope_table(*layers[i], options.n_ctx);
    backend.upload(inverse_frequencies[i], table.data(), table.size() * sizeof(float));
  }
}

int64_t Scratch::bytes_for(const ModelSpec& spec, const DecoderOptions& options, const AllocationBytes& allocation) {
  Scratch counted;
  counted.lay_out(spec, options, [&](size_t bytes) {
    counted.bytes_ += allocation(static_cast<int64_t>(bytes));
    return nullptr;
  });
  return counted.bytes_;
}

}  // namespace glint
