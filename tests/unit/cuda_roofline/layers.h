// SPDX-License-Identifier: Apache-2.0
//
// A few layers of GLM-4.7-Flash with random weights on any backend (on the emulated card of its tiny kin), and steps
// that run one half of a layer as the decoder does.
#pragma once

#include <cmath>

#include "base/half.h"
#include "gguf/synth.h"
#include "model/blocks.h"
#include "model/kv_cache.h"
#include "model/load.h"
#include "model/scratch.h"
#include "tests/unit/backend/operands.h"
#include "tests/unit/cuda_roofline/card.h"

namespace glint::roofline_test {

/// Residuals that calls take in turns: each token chooses experts of its own.
inline constexpr int kResiduals = 16;
inline constexpr int kLayers = 3;  // the first is dense

/// New rows of each of some sequences.
struct Step {
  int n_sequences, n_past, n_new;
  int n_rows() const { return n_sequences * n_new; }
};

inline const gguf::File& glm_file() {
  static const std::vector<std::byte> kImage = [] {
    gguf::Writer writer;
    gguf::synthesize(
        {.model = is_emulated() ? "glm-4.7-flash-tiny" : "glm-4.7-flash", .type = "q4_k_m", .layers = kLayers}, writer);
    return writer.image();
  }();
  static const gguf::File kFile = gguf::File::parse(kImage, "glm.gguf");
  return kFile;
}

inline DecoderOptions options_for(int n_ctx, int n_sequences, int max_tokens) {
  DecoderOptions options;
  options.n_ctx = n_ctx;
  options.n_sequences = n_sequences;
  options.max_tokens = max_tokens;
  return options;
}

/// Some copies of a few layers of the model on one backend, with all that running one of them takes.
class Layers {
 public:
  Layers(Backend& backend, const DecoderOptions& options, int n_models)
      : backend_(backend),
        models_(load(backend, n_models)),
        scratch_(backend, spec(), options),
        cache_(backend, spec(), options) {
    backend.prepare(step_limits(spec(), options));
  }

  const ModelSpec& spec() const { return models_[0].spec; }
  const LayerWeights& weights(int layer) const { return models_[0].weights.layers[static_cast<size_t>(layer)]; }
  int n_models() const { return static_cast<int>(models_.size()); }

  /// Gives each sequence its pages.
  void begin(const Step& step) {
    KvPages& pages = cache_.pages();
    for (int s = 0; s < pages.n_sequences(); ++s) pages.truncate(s, 0);
    for (int s = 0; s < step.n_sequences; ++s) pages.reserve(s, 0, step.n_past + step.n_new);
    std::vector<int32_t> positions, sequences;
    segments_.clear();
    for (int s = 0; s < step.n_sequences; ++s) {
      segments_.push_back({s, s * step.n_new, step.n_new, step.n_past});
      for (int i = 0; i < step.n_new; ++i) positions.push_back(step.n_past + i);
      sequences.insert(sequences.end(), static_cast<size_t>(step.n_new), s);
    }
    positions_ = std::make_unique<backend_test::DeviceInts>(backend_, positions);
    sequences_ = std::make_unique<backend_test::DeviceInts>(backend_, sequences);
    pages_ = std::make_unique<backend_test::DeviceInts>(
        backend_, std::vector<int32_t>(pages.table().begin(), pages.table().end()));
    batch_ = {.n_tokens = step.n_rows(),
              .ids = nullptr,
              .positions = positions_->data(),
              .sequences = sequences_->data(),
              .page_table = pages_->data(),
              .max_pages = pages.max_pages(),
              .host_segments = segments_};
  }
  const Batch& batch() const { return batch_; }
  /// Of a step's rows one alone.
  Batch batch_of(int row) const {
    Batch batch = batch_;
    batch.n_tokens = 1;
    batch.positions += row;
    batch.sequences += row;
    batch.host_segments = {};
    return batch;
  }

  void attention(Tensor x, const Batch& batch, int model, int layer) {
    const auto at = static_cast<size_t>(layer);
    const LayerWeights& w = models_[static_cast<size_t>(model)].weights.layers[at];
    const auto& mla = std::get<MlaSpec>(spec().layers[at].attention);
    const RopeParams rope{mla.rope.n_dims, mla.rope.interleaved, mla.rope.scale, scratch_.inverse_frequencies[at]};
    run_attention({backend_, spec(), cache_.layer(layer), rope}, x,
                  {batch, spec().eps, w.attention_norm, w.post_attention_norm, scratch_.block}, mla,
                  std::get<MlaWeights>(w.attention));
  }
  void experts(Tensor x, const Batch& batch, int model, int layer) {
    const auto at = static_cast<size_t>(layer);
    const LayerWeights& w = models_[static_cast<size_t>(model)].weights.layers[at];
    run_ffn({backend_, spec(), cache_.layer(layer), {}}, x,
            {batch, spec().eps, w.ffn_norm, w.post_ffn_norm, scratch_.block}, std::get<MoeSpec>(spec().layers[at].ffn),
            std::get<MoeLayerWeights>(w.ffn));
  }

  std::vector<uint16_t> cached_rows(int layer) {
    std::vector<uint16_t> rows(static_cast<size_t>(cache_.bytes()) / kLayers / sizeof(uint16_t));
    backend_.download(rows.data(), cache_.layer(layer).k, rows.size() * sizeof(uint16_t));
    return rows;
  }
  void set_cached_rows(int layer, const std::vector<uint16_t>& rows) {
    backend_.upload(cache_.layer(layer).k, rows.data(), rows.size() * sizeof(uint16_t));
  }
  /// Latents of unit variance.
  void fill_cache() {
    const std::vector<float> values = backend_test::random_values(cached_rows(0).size(), 41, std::sqrt(3.0f));
    std::vector<uint16_t> rows;
    for (float v : values) rows.push_back(f32_to_f16(v));
    for (int layer = 0; layer < kLayers; ++layer) set_cached_rows(layer, rows);
  }

 private:
  static std::vector<LoadedModel> load(Backend& backend, int n_models) {
    std::vector<LoadedModel> models;
    for (int i = 0; i < n_models; ++i) models.push_back(load_model(glm_file(), backend));
    return models;
  }

  Backend& backend_;
  std::vector<LoadedModel> models_;
  Scratch scratch_;
  KvCache cache_;
  std::unique_ptr<backend_test::DeviceInts> positions_, sequences_, pages_;  // of the step, with what follows
  std::vector<Segment> segments_;
  Batch batch_;
};

/// The residuals of a step: kResiduals times n_rows rows, each of which begins a row later.
class Residuals {
 public:
  Residuals(Backend& backend, int n_rows, int d_model)
      : backend_(backend),
        n_rows_(n_rows),
        d_model_(d_model),
        values_(backend_test::random_values(size(n_rows + kResiduals), 77)) {
    for (int i = 0; i < kResiduals; ++i) {
      buffers_.push_back(backend.allocate(size(n_rows) * sizeof(float)));
      backend.upload(buffers_.back()->data(), values_.data() + size(i), size(n_rows) * sizeof(float));
    }
  }
  Tensor operator[](int i) const {
    return Tensor::matrix(buffers_[static_cast<size_t>(i % kResiduals)]->floats(), n_rows_, d_model_);
  }
  /// Of the first, as it was.
  std::vector<float> row(int r) const {
    const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(size(r));
    return {begin, begin + d_model_};
  }
  /// Of the first, as it is.
  std::vector<float> download_row(int r) const {
    std::vector<float> values(static_cast<size_t>(d_model_));
    backend_.download(values.data(), (*this)[0].row(r), values.size() * sizeof(float));
    return values;
  }

 private:
  size_t size(int n_rows) const { return static_cast<size_t>(n_rows) * static_cast<size_t>(d_model_); }

  Backend& backend_;
  int n_rows_, d_model_;
  std::vector<float> values_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace glint::roofline_test
