// SPDX-License-Identifier: Apache-2.0
#include "model/decoder.h"

#include <algorithm>

#include "base/check.h"
#include "model/blocks.h"

namespace glint {
namespace {

RopeParams rope_params(const LayerSpec& layer, const float* inverse_frequency) {
  const RopeSpec& rope = std::visit([](const auto& spec) -> const RopeSpec& { return spec.rope; }, layer.attention);
  return {.n_dims = rope.n_dims,
          .interleaved = rope.interleaved,
          .scale = rope.scale,
          .inverse_frequency = inverse_frequency};
}

}  // namespace

Decoder::Decoder(const LoadedModel& model, Backend& backend, const DecoderOptions& options, Backend* host)
    : model_(model),
      backend_(backend),
      options_(options),
      cache_(backend, model.spec, options),
      scratch_(backend, model.spec, options),
      host_(options.n_on_host() > 0 ? host : nullptr) {
  GLINT_CHECK(options.n_on_host() == 0 || host != nullptr);
  if (host_ != nullptr) host_scratch_ = std::make_unique<Scratch>(*host_, model.spec, options);
  // Prediction asked for, then a file that has none: an Error of the user's; blocks that were not loaded: a bug.
  if (options.nextn && model.spec.nextn_layers.empty()) fail("the model has no prediction block (nextn)");
  GLINT_CHECK(!options.nextn || model.weights.nextn.size() == model.spec.nextn_layers.size());
  host_rows_.reserve(3 * static_cast<size_t>(options.max_tokens));
  const auto n_rows = static_cast<size_t>(std::max(scratch_.n_logit_rows, options.n_sequences));
  host_logits_ = backend.allocate_host(n_rows * static_cast<size_t>(model.spec.n_vocab) * sizeof(float));
  backend.prepare(step_limits(model.spec, options));
  for (const std::vector<LayerSpec>* layers : {&model.spec.layers, &model.spec.nextn_layers}) {
    if (layers == &model.spec.nextn_layers && !options.nextn) break;
    for (const LayerSpec& layer : *layers)
      rope_.push_back(rope_params(layer, scratch_.inverse_frequencies[rope_.size()]));
  }
}

void Decoder::check_rows(std::span<const Row> rows) const {
  if (rows.size() > static_cast<size_t>(options_.max_tokens)) {
    fail("a step of {} tokens is longer than the {} that were prepared for", rows.size(), options_.max_tokens);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (row.id < 0 || row.id >= spec().n_vocab)
      fail("token id {} is outside the vocabulary of {}", row.id, spec().n_vocab);
    GLINT_CHECK(row.sequence >= 0 && row.sequence < options_.n_sequences && row.position >= 0);
    // What lies between the cached tokens and a row beyond them was never written.
    const bool continues = i > 0 && rows[i - 1].sequence == row.sequence;
    GLINT_CHECK(continues ? row.position == rows[i - 1].position + 1 : row.position <= n_cached(row.sequence));
  }
}

void Decoder::upload(std::span<const Row> rows) {
  check_rows(rows);
  KvPages& pages = cache_.pages();
  for (size_t first = 0, end; first < rows.size(); first = end) {
    end = first + 1;
    while (end < rows.size() && rows[end].sequence == rows[first].sequence) ++end;
    pages.reserve(rows[first].sequence, rows[first].position, rows[end - 1].position + 1);
  }
  cache_.copy_shared();
  const size_t n = rows.size();
  host_rows_.resize(3 * n);
  host_segments_.clear();
  for (size_t i = 0; i < n; ++i) {
    const Row& row = rows[i];
    if (host_segments_.empty() || host_segments_.back().sequence != row.sequence) {
      host_segments_.push_back({row.sequence, static_cast<int>(i), 0, row.position});
    }
    ++host_segments_.back().n_rows;
    host_rows_[i] = row.id;
    host_rows_[n + i] = row.position;
    host_rows_[2 * n + i] = row.sequence;
    pages.written(row.sequence, row.position + 1);
  }
  backend_.upload(scratch_.rows, host_rows_.data(), host_rows_.size() * sizeof(int32_t));
  if (!std::ranges::equal(pages.table(), uploaded_pages_)) {
    uploaded_pages_.assign(pages.table().begin(), pages.table().end());
    backend_.upload(scratch_.pages, uploaded_pages_.data(), uploaded_pages_.size() * sizeof(int32_t));
  }
  batch_ = {.n_tokens = static_cast<int>(n),
            .ids = scratch_.rows,
            .positions = scratch_.rows + n,
            .sequences = scratch_.rows + 2 * n,
            .page_table = scratch_.pages,
            .max_pages = pages.max_pages(),
            .host_segments = host_segments_};
}

void Decoder::run_layer(Tensor x, const LayerSpec& layer, const LayerWeights& weights, int index) {
  const StepContext step{backend_, spec(), cache_.layer(index), rope_[static_cast<size_t>(index)]};
  std::visit(
      [&](const auto& attention) {
        using Weights = typename WeightsOf<std::decay_t<decltype(attention)>>::type;
        run_attention(step, x,
                      {batch_, spec().eps, weights.attention_norm, weights.post_attention_norm, scratch_.block},
                      attention, std::get<Weights>(weights.attention));
      },
      layer.attention);
  if (options_.is_on_host(index)) return run_ffn_on_host(x, layer, weights, step);
  std::visit(
      [&](const auto& ffn) {
        using Weights = typename WeightsOf<std::decay_t<decltype(ffn)>>::type;
        run_ffn(step, x, {batch_, spec().eps, weights.ffn_norm, weights.post_ffn_norm, scratch_.block}, ffn,
                std::get<Weights>(weights.ffn));
      },
      layer.ffn);
}

void Decoder::run_ffn_on_host(Tensor x, const LayerSpec& layer, const LayerWeights& weights, const StepContext& step) {
  const Tensor rows = host_scratch_->x.rows(0, x.n_rows);
  const size_t bytes = static_cast<size_t>(x.n_rows) * static_cast<size_t>(x.width) * sizeof(float);
  GLINT_CHECK(x.row_stride == x.width && rows.row_stride == x.width);
  backend_.download(rows.data, x.data, bytes);
  const StepContext there{*host_, step.spec, step.cache, step.rope};
  std::visit(
      [&](const auto& ffn) {
        using Weights = typename WeightsOf<std::decay_t<decltype(ffn)>>::type;
        run_ffn(there, rows, {batch_, spec().eps, weights.ffn_norm, weights.post_ffn_norm, host_scratch_->block}, ffn,
                std::get<Weights>(weights.ffn));
      },
      layer.ffn);
  backend_.upload(x.data, rows.data, bytes);
}

void Decoder::forward(std::span<const Row> rows) {
  if (rows.empty()) return;
  upload(rows);
  const Tensor x = scratch_.x.rows(0, batch_.n_tokens);
  const auto run = [&] {
    backend_.embed(x, batch_.ids, spec().embedding_scale, model_.weights.embedding);
    for (size_t i = 0; i < spec().layers.size(); ++i) {
      run_layer(x, spec().layers[i], model_.weights.layers[i], static_cast<int>(i));
    }
  };
  if (host_ != nullptr) return run();
  backend_.replay(batch_.n_tokens, run);
}

void Decoder::warm_up() {
  if (backend_.recorded_tokens() == 0) return;
  const int n_recorded = std::min(backend_.recorded_tokens(), options_.max_tokens);
  std::vector<Row> rows;
  // Each size that is recorded twice; and a larger one, which takes other ways.
  for (int n = 1; n <= std::min(n_recorded + 1, options_.max_tokens); ++n) {
    if (n > options_.n_ctx) break;
    rows.push_back({0, n - 1, 0});
    if (host_ != nullptr && n > 1 && n <= n_recorded) continue;  // nothing is recorded then
    for (int i = 0; i < 2; ++i) {
      forward(rows);
      truncate(0, 0);
    }
  }
  logits(std::vector<int>{0});
}

void Decoder::for_each_normed_part(Tensor hidden, std::span<const int> indices, const Weight& norm,
                                   const std::function<void(size_t at, Tensor normed)>& fn) {
  const auto most = static_cast<size_t>(scratch_.n_logit_rows);
  for (size_t at = 0; at < indices.size(); at += most) {
    const std::span<const int> part = indices.subspan(at, std::min(most, indices.size() - at));
    for (int index : part) GLINT_CHECK(index >= 0 && index < batch_.n_tokens);
    const Tensor normed = scratch_.head_rows.rows(0, static_cast<int>(part.size()));
    if (part.size() == 1) {
      backend_.rms_norm(normed, hidden.rows(part[0], 1), spec().eps, norm);
    } else {
      backend_.upload(scratch_.head_index, part.data(), part.size_bytes());
      backend_.gather_rows(normed, hidden, scratch_.head_index);
      backend_.rms_norm(normed, normed, spec().eps, norm);
    }
    fn(at, normed);
  }
}

std::span<const float> Decoder::hidden(std::span<const int> indices) {
  const auto d_model = static_cast<size_t>(spec().d_model);
  const size_t n_values = indices.size() * d_model;
  if (!host_hidden_ || host_hidden_->bytes() < n_values * sizeof(float)) {
    host_hidden_ = backend_.allocate_host(n_values * sizeof(float));
  }
  for_each_normed_part(scratch_.x.rows(0, batch_.n_tokens), indices, model_.weights.output_norm,
                       [&](size_t at, Tensor normed) {
                         GLINT_CHECK(normed.row_stride == spec().d_model);
                         const size_t bytes = static_cast<size_t>(normed.n_rows) * d_model * sizeof(float);
                         backend_.download(host_hidden_->floats() + at * d_model, normed.data, bytes);
                       });
  return {host_hidden_->floats(), n_values};
}

void Decoder::for_each_head_part(Tensor hidden, std::span<const int> indices, const Weight& norm, const Weight& head,
                                 const std::function<void(size_t at, Tensor logits)>& fn) {
  for_each_normed_part(hidden, indices, norm, [&](size_t at, Tensor normed) {
    const Tensor logits = scratch_.logits.rows(0, normed.n_rows);
    backend_.matmul(logits, normed, head);
    if (spec().logit_scale != 1 || spec().logit_softcap > 0) {
      backend_.scale_softcap(logits, spec().logit_scale, spec().logit_softcap);
    }
    fn(at, logits);
  });
}

std::span<const float> Decoder::head_logits(Tensor hidden, std::span<const int> indices, const Weight& norm,
                                            const Weight& head) {
  const auto n_vocab = static_cast<size_t>(spec().n_vocab);
  const size_t n_values = indices.size() * n_vocab;
  if (host_logits_->bytes() < n_values * sizeof(float)) {
    host_logits_ = backend_.allocate_host(n_values * sizeof(float));
  }
  for_each_head_part(hidden, indices, norm, head, [&](size_t at, Tensor logits) {
    const size_t bytes = static_cast<size_t>(logits.n_rows) * n_vocab * sizeof(float);
    backend_.download(host_logits_->floats() + at * n_vocab, logits.data, bytes);
  });
  return {host_logits_->floats(), n_values};
}

std::span<const TopEntry> Decoder::top_logits(std::span<const int> indices, int k) {
  host_top_.resize(indices.size() * static_cast<size_t>(k));
  for_each_head_part(scratch_.x.rows(0, batch_.n_tokens), indices, model_.weights.output_norm, model_.weights.head,
                     [&](size_t at, Tensor logits) {
                       backend_.top(scratch_.top, logits, k);
                       backend_.download(
                           host_top_.data() + at * static_cast<size_t>(k), scratch_.top,
                           static_cast<size_t>(logits.n_rows) * static_cast<size_t>(k) * sizeof(TopEntry));
                     });
  return host_top_;
}

std::span<const float> Decoder::logits(std::span<const int> indices) {
  return head_logits(scratch_.x.rows(0, batch_.n_tokens), indices, model_.weights.output_norm, model_.weights.head);
}

}  // namespace glint
