// SPDX-License-Identifier: Apache-2.0
//
// A few layers of GLM-4.7-Flash or Llama 3 8B with random weights on any backend (on the emulated card of their tiny
// kin), and steps that run one half of a layer as the decoder does.
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
inline constexpr int kLayers = 3;  // of GLM the first is dense

/// New rows of each of some sequences.
struct Step {
  int n_sequences, n_past, n_new;
  int n_rows() const { return n_sequences * n_new; }
  /// Of a query with a key that it sees.
  double n_pairs() const { return n_rows() * (n_past + (n_new + 1) / 2.0); }
};

/// A synthetic model's file in memory.
class SynthFile {
 public:
  explicit SynthFile(const char* model) : image_(image_of(model)), file_(gguf::File::parse(image_, "synth.gguf")) {}
  const gguf::File& file() const { return file_; }

 private:
  static std::vector<std::byte> image_of(const char* model) {
    gguf::Writer writer;
    gguf::synthesize({.model = model, .type = "q4_k_m", .layers = kLayers}, writer);
    return writer.image();
  }

  std::vector<std::byte> image_;
  gguf::File file_;
};

inline const gguf::File& glm_file() {
  static const SynthFile kFile(is_emulated() ? "glm-4.7-flash-tiny" : "glm-4.7-flash");
  return kFile.file();
}
inline const gguf::File& llama_file() {
  static const SynthFile kFile(is_emulated() ? "llama-tiny" : "llama-3-8b");
  return kFile.file();
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
  Layers(Backend& backend, const gguf::File& file, const DecoderOptions& options, int n_models)
      : backend_(backend),
        models_(load(backend, file, n_models)),
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
    const BlockContext block{batch, spec().eps, w.attention_norm, w.post_attention_norm, scratch_.block};
    std::visit(
        [&](const auto& attention, const auto& weights) {
          const RopeSpec& of = attention.rope;
          const RopeParams rope{of.n_dims, of.interleaved, of.scale, scratch_.inverse_frequencies[at]};
          const StepContext step{backend_, spec(), cache_.layer(layer), rope};
          if constexpr (requires { run_attention(step, x, block, attention, weights); })
            run_attention(step, x, block, attention, weights);
        },
        spec().layers[at].attention, w.attention);
  }
  void feed_forward(Tensor x, const Batch& batch, int model, int layer) {
    const auto at = static_cast<size_t>(layer);
    const LayerWeights& w = models_[static_cast<size_t>(model)].weights.layers[at];
    const BlockContext block{batch, spec().eps, w.ffn_norm, w.post_ffn_norm, scratch_.block};
    const StepContext step{backend_, spec(), cache_.layer(layer), {}};
    std::visit(
        [&](const auto& ffn, const auto& weights) {
          if constexpr (requires { run_ffn(step, x, block, ffn, weights); }) run_ffn(step, x, block, ffn, weights);
        },
        spec().layers[at].ffn, w.ffn);
  }

  /// A layer's cache, f16: keys (latents), then values if it keeps any.
  std::vector<uint16_t> cached_rows(int layer) {
    std::vector<uint16_t> rows(static_cast<size_t>(cache_.bytes()) / kLayers / sizeof(uint16_t));
    for_each_part(layer, rows.size(), [&](void* part, size_t first, size_t n) {
      backend_.download(rows.data() + first, part, n * sizeof(uint16_t));
    });
    return rows;
  }
  void set_cached_rows(int layer, const std::vector<uint16_t>& rows) {
    for_each_part(layer, rows.size(), [&](void* part, size_t first, size_t n) {
      backend_.upload(part, rows.data() + first, n * sizeof(uint16_t));
    });
  }
  /// Values of unit variance.
  void fill_cache() {
    const std::vector<float> values = backend_test::random_values(cached_rows(0).size(), 41, std::sqrt(3.0f));
    std::vector<uint16_t> rows;
    for (float v : values) rows.push_back(f32_to_f16(v));
    for (int layer = 0; layer < kLayers; ++layer) set_cached_rows(layer, rows);
  }

 private:
  static std::vector<LoadedModel> load(Backend& backend, const gguf::File& file, int n_models) {
    std::vector<LoadedModel> models;
    for (int i = 0; i < n_models; ++i) models.push_back(load_model(file, backend));
    return models;
  }
  /// fn(memory, first value, values) of keys and of values.
  template <class Fn>
  void for_each_part(int layer, size_t n_values, Fn fn) const {
    const KvLayer& of = cache_.layer(layer);
    const size_t n_keys = of.v != nullptr ? n_values / 2 : n_values;
    fn(of.k, 0, n_keys);
    if (of.v != nullptr) fn(of.v, n_keys, n_values - n_keys);
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
