// SPDX-License-Identifier: Apache-2.0
//
// The blocks of GLM-4.7-Flash at full shape, with Q4_K_M's formats, as the decoder calls them: latent attention
// (products, mla_rows.cu, mla_decode.cu, mla_expand_sm90.cu with mla_prefill_sm90.cu, or mla_prefill.cu) and the
// mixture of experts (matvec_experts.cu, or route.cu with the grouped products); and those of Llama 3 8B: grouped-query
// attention (gqa_block.cu) and the gated feed-forward (glu_block.cu). Some rows against the CPU backend, which computes
// them alone over the card's cache, and the share of the card's limit.
#include <cmath>

#include "cpu/cpu_backend.h"
#include "tests/unit/cuda_roofline/card.h"
#include "tests/unit/cuda_roofline/layers.h"

namespace glint::roofline_test {
namespace {

/// Twelve values or weights are rounded to f16 on the longest way through a block, by 2^-11 / sqrt(3) at random; norms,
/// softmax and gates let the sum grow less than fourfold.
const double kTolerance = 4 * std::sqrt(12.0 / 3) * 0x1p-11;

/// |got - expected| / |expected - before|: the error against what was added.
double relative_error(const std::vector<float>& got, const std::vector<float>& expected,
                      const std::vector<float>& before) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]) - before[i], 2);
  }
  return std::isnan(error) ? HUGE_VAL : std::sqrt(error / norm);
}

double parameters_of(const Weight& w) {
  return static_cast<double>(w.count) * w.n_out * w.n_in;
}

void add_weight(Cost& cost, const Weight& w, int n_rows, double share_read = 1, double share_used = 1) {
  cost.bytes += share_read * w.count * w.n_out * static_cast<double>(row_bytes(w.dtype, w.n_in));
  cost.flops += 2 * share_used * n_rows * parameters_of(w);
}

Cost latent_cost(const Layers& layers, const Step& step) {
  const ModelSpec& spec = layers.spec();
  const auto& mla = std::get<MlaSpec>(spec.layers[0].attention);
  const auto& weights = std::get<MlaWeights>(layers.weights(0).attention);
  Cost cost{.bytes = 2.0 * step.n_rows() * spec.d_model * sizeof(float)};
  for (const Weight* w : {&weights.q_a, &weights.q_b, &weights.kv_a, &weights.k_b, &weights.v_b, &weights.output})
    add_weight(cost, *w, step.n_rows());
  cost.bytes += 2.0 * step.n_sequences * (step.n_past + step.n_new) * (mla.kv_rank + mla.d_rope);
  cost.flops += step.n_pairs() * 2 * spec.n_heads * (mla.d_nope + mla.d_rope + mla.d_v);
  return cost;
}

Cost grouped_cost(const Layers& layers, const Step& step) {
  const ModelSpec& spec = layers.spec();
  const auto& gqa = std::get<GqaSpec>(spec.layers[0].attention);
  const auto& weights = std::get<GqaWeights>(layers.weights(0).attention);
  Cost cost{.bytes = 2.0 * step.n_rows() * spec.d_model * sizeof(float)};
  for (const Weight* w : {&weights.q, &weights.k, &weights.v, &weights.output}) add_weight(cost, *w, step.n_rows());
  cost.bytes += 2.0 * step.n_sequences * (step.n_past + step.n_new) * 2 * gqa.n_kv * gqa.d_head;
  cost.flops += step.n_pairs() * 2 * spec.n_heads * 2 * gqa.d_head;
  return cost;
}

Cost gated_cost(const Layers& layers, int n_rows) {
  const auto& weights = std::get<GluWeights>(layers.weights(0).ffn);
  Cost cost{.bytes = 2.0 * n_rows * layers.spec().d_model * sizeof(float)};
  for (const Weight* w : {&weights.gate, &weights.up, &weights.down}) add_weight(cost, *w, n_rows);
  return cost;
}

Cost experts_cost(const Layers& layers, int n_rows) {
  const ModelSpec& spec = layers.spec();
  const auto& moe = std::get<MoeSpec>(spec.layers[1].ffn);
  const auto& weights = std::get<MoeLayerWeights>(layers.weights(1).ffn);
  Cost cost{.bytes = 2.0 * n_rows * spec.d_model * sizeof(float)};
  for (const Weight* w : {&weights.experts.router, &weights.shared.gate, &weights.shared.up, &weights.shared.down})
    add_weight(cost, *w, n_rows);
  // Tokens choose independently of each other; what two choose is read once.
  const double used = static_cast<double>(moe.route.top_k) / moe.n_experts;
  for (const Weight* w : {&weights.experts.gate, &weights.experts.up, &weights.experts.down})
    add_weight(cost, *w, n_rows, 1 - std::pow(1 - used, n_rows), used);
  return cost;
}

/// Attention of a model and what it costs.
struct Attention {
  const gguf::File& (*file)();
  Cost (*cost)(const Layers&, const Step&);
};
constexpr Attention kLatent{glm_file, latent_cost}, kGrouped{llama_file, grouped_cost};

/// Copies of Llama's three layers, so that none finds its weights in L2.
const int kLlamas = 3;

class Blocks : public KernelTest {
 protected:
  void attention(Card& card, const char* op, const Attention& of, const DecoderOptions& options, int n_models,
                 const std::vector<Step>& steps);
  void latent_attention(Card& card, const char* op, const std::vector<Step>& steps) {
    attention(card, op, kLatent, options_for(on_card(34816, 128), 32, on_card(2048, 66)), on_card(6, 1), steps);
  }

  std::unique_ptr<Backend> cpu_ = make_cpu_backend();
};

void Blocks::attention(Card& card, const char* op, const Attention& of, const DecoderOptions& options, int n_models,
                       const std::vector<Step>& steps) {
  Layers layers(card.backend(), of.file(), options, n_models);
  Layers expected(*cpu_, of.file(), options_for(options.n_ctx, options.n_sequences, 1), 1);
  layers.fill_cache();
  const int d_model = layers.spec().d_model;
  for (const Step& step : steps) {
    SCOPED_TRACE(fmt::format("{} sequences, {} past, {} new", step.n_sequences, step.n_past, step.n_new));
    const Residuals x(card.backend(), step.n_rows(), d_model);
    layers.begin(step);
    layers.attention(x[0], layers.batch(), 0, 0);
    expected.begin(step);
    expected.set_cached_rows(0, layers.cached_rows(0));
    for (const int row : {0, step.n_rows() / 2, step.n_rows() - 1}) {
      std::vector<float> values = x.row(row);
      expected.attention(Tensor::matrix(values.data(), 1, d_model), expected.batch_of(row), 0, 0);
      EXPECT_LE(relative_error(x.download_row(row), values, x.row(row)), kTolerance) << "row " << row;
    }
    card.measure({op, fmt::format("{} x {} at depth {}", step.n_sequences, step.n_new, step.n_past), step.n_rows()},
                 of.cost(layers, step), layers.n_models() * kLayers,
                 [&](int i) { layers.attention(x[i], layers.batch(), i / kLayers, i % kLayers); });
  }
}

TEST_F(Blocks, LatentAttention) {
  Card card;
  latent_attention(card, "mla_block",
                   is_emulated() ? std::vector<Step>{{1, 70, 1}, {3, 5, 1}, {1, 0, 66}}
                                 : std::vector<Step>{{1, 512, 1},
                                                     {1, 8192, 1},
                                                     {1, 32768, 1},
                                                     {8, 512, 1},
                                                     {32, 512, 1},
                                                     {1, 0, 512},
                                                     {1, 0, 2048},
                                                     {1, 32768, 2048}});
}

TEST_F(Blocks, LatentAttentionOnAnyCard) {
  Card card(/*generic_only=*/true);
  latent_attention(card, "mla_block, generic",
                   is_emulated() ? std::vector<Step>{{1, 0, 66}}
                                 : std::vector<Step>{{1, 8192, 1}, {1, 0, 512}, {1, 0, 2048}, {1, 8192, 2048}});
}

TEST_F(Blocks, GroupedAttention) {
  Card card;
  attention(card, "gqa_block", kGrouped, options_for(on_card(16384, 128), 8, on_card(512, 66)), on_card(kLlamas, 1),
            is_emulated() ? std::vector<Step>{{1, 70, 1}, {3, 5, 1}, {1, 0, 66}}
                          : std::vector<Step>{{1, 512, 1}, {1, 8192, 1}, {8, 512, 1}, {1, 0, 512}});
}

TEST_F(Blocks, GatedFeedForward) {
  const DecoderOptions options = options_for(64, 1, on_card(512, 12));
  Card card;
  Layers layers(card.backend(), llama_file(), options, on_card(kLlamas, 1));
  Layers expected(*cpu_, llama_file(), options_for(64, 1, 1), 1);
  const int d_model = layers.spec().d_model;
  for (const int n_rows : is_emulated() ? std::vector{1, 12} : std::vector{1, 8, 512}) {
    SCOPED_TRACE(n_rows);
    const Residuals x(card.backend(), n_rows, d_model);
    const Batch batch{.n_tokens = n_rows};
    layers.feed_forward(x[0], batch, 0, 0);
    for (const int row : {0, n_rows / 2, n_rows - 1}) {
      std::vector<float> values = x.row(row);
      expected.feed_forward(Tensor::matrix(values.data(), 1, d_model), {.n_tokens = 1}, 0, 0);
      EXPECT_LE(relative_error(x.download_row(row), values, x.row(row)), kTolerance) << "row " << row;
    }
    card.measure({"glu_block", "gate, up, down", n_rows}, gated_cost(layers, n_rows), layers.n_models() * kLayers,
                 [&](int i) { layers.feed_forward(x[i], batch, i / kLayers, i % kLayers); });
  }
}

TEST_F(Blocks, MixtureOfExperts) {
  const DecoderOptions options = options_for(64, 1, on_card(2048, 12));
  Card card;
  Layers layers(card.backend(), glm_file(), options, 1);
  Layers expected(*cpu_, glm_file(), options_for(64, 1, 1), 1);
  const int d_model = layers.spec().d_model;
  for (const int n_rows : is_emulated() ? std::vector{1, 12} : std::vector{1, 2, 8, 32, 128, 512, 2048}) {
    SCOPED_TRACE(n_rows);
    const Residuals x(card.backend(), n_rows, d_model);
    const Batch batch{.n_tokens = n_rows};
    layers.feed_forward(x[0], batch, 0, 1);
    for (const int row : {0, n_rows / 2, n_rows - 1}) {
      std::vector<float> values = x.row(row);
      expected.feed_forward(Tensor::matrix(values.data(), 1, d_model), {.n_tokens = 1}, 0, 1);
      EXPECT_LE(relative_error(x.download_row(row), values, x.row(row)), kTolerance) << "row " << row;
    }
    card.measure({"moe_block", "4 of 64 experts, one shared", n_rows}, experts_cost(layers, n_rows), kResiduals,
                 [&](int i) { layers.feed_forward(x[i], batch, 0, 1 + i % (kLayers - 1)); });
  }
}

}  // namespace
}  // namespace glint::roofline_test
