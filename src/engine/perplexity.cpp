// SPDX-License-Identifier: Apache-2.0
#include "engine/perplexity.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/check.h"

namespace glint {
namespace {

constexpr int kBlockRows = 32;  // 20 MB of logits of the largest vocabularies

}  // namespace

ChunkedText::ChunkedText(std::vector<int32_t> ids, const ChunkOptions& options, std::optional<int32_t> bos)
    : ids_(std::move(ids)), bos_(bos) {
  if (options.n_ctx < 3)
    fail("-c {}: a chunk needs at least 3 tokens, of which the second half is scored", options.n_ctx);
  if (options.stride < 0 || options.stride > options.n_ctx) {
    fail("--ppl-stride {}: expected 0 (none) to the chunk's {} tokens", options.stride, options.n_ctx);
  }
  if (options.n_chunks == 0) fail("--chunks 0: expected at least one, or -1 for all");
  const auto n_ids = static_cast<int64_t>(ids_.size());
  length_ = options.n_ctx + options.stride / 2;
  step_ = options.stride > 0 ? options.stride : length_;
  first_ = options.stride > 0 ? length_ - options.stride - 1 : length_ / 2;
  if (n_ids < length_) {
    fail("the text has {} tokens, less than one chunk of {}: give a longer text or a smaller chunk with -c", n_ids,
         length_);
  }
  const int64_t most = (n_ids - length_) / step_ + 1;
  n_chunks_ = static_cast<int>(options.n_chunks < 0 ? most : std::min<int64_t>(most, options.n_chunks));
  ids_.resize(static_cast<size_t>((n_chunks_ - 1) * int64_t{step_} + length_));
}

Chunk ChunkedText::operator[](int index) const {
  GLINT_CHECK(index >= 0 && index < n_chunks_);
  const auto begin = ids_.begin() + int64_t{index} * step_;
  Chunk chunk{{begin, begin + length_}, first_};
  if (bos_) chunk.ids[0] = *bos_;
  return chunk;
}

PerplexityRun::PerplexityRun(Engine& engine, Progress progress)
    : engine_(engine), progress_(std::move(progress)), pool_(engine.options().n_threads) {}

std::span<const float> PerplexityRun::row(std::span<const float> logits, int index) const {
  const auto n_vocab = static_cast<size_t>(engine_.model().spec.n_vocab);
  return logits.subspan(static_cast<size_t>(index) * n_vocab, n_vocab);
}

void PerplexityRun::for_each_block(std::span<Engine* const> engines, const Chunk& chunk, const Block& fn) {
  const auto n_ids = static_cast<int>(chunk.ids.size());
  int step = n_ids;
  for (Engine* engine : engines) {
    engine->check_ids(chunk.ids);
    engine->decoder().truncate(0, 0);
    engine->cached_ids(0).clear();
    step = std::min(step, engine->options().n_ubatch);
  }
  for (int at = 0; at < n_ids - 1; at += step) {
    // The last id is never fed: nothing asks what follows it.
    const int end = std::min(n_ids - 1, at + step);
    std::vector<Row> rows;
    for (int i = at; i < end; ++i) rows.push_back({chunk.ids[static_cast<size_t>(i)], i, 0});
    for (Engine* engine : engines) {
      engine->decoder().forward(rows);
      engine->cached_ids(0).assign(chunk.ids.begin(), chunk.ids.begin() + end);
    }
    for (int first = std::max(at, chunk.first); first < end; first += kBlockRows) {
      std::vector<int> indices(static_cast<size_t>(std::min(kBlockRows, end - first)));
      std::iota(indices.begin(), indices.end(), first - at);
      std::vector<std::span<const float>> logits;
      for (Engine* engine : engines) logits.push_back(engine->decoder().logits(indices));
      fn(first, static_cast<int>(indices.size()), logits);
      if (progress_) progress_(first + static_cast<int>(indices.size()) - chunk.first, chunk.n_scored());
    }
  }
}

void PerplexityRun::score(const Chunk& chunk, std::vector<double>& nll, LogitsFileWriter* file) {
  const auto n_codes = file == nullptr ? size_t{0} : static_cast<size_t>(file->shape().row_codes());
  std::vector<uint16_t> codes;
  for_each_block(std::array{&engine_}, chunk, [&](int first, int n, std::span<const std::span<const float>> logits) {
    codes.resize(static_cast<size_t>(n) * n_codes);
    const size_t before = nll.size();
    nll.resize(before + static_cast<size_t>(n));
    pool_.parallel_for(n, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const Distribution tested = softmax_of(row(logits[0], static_cast<int>(i)));
        nll[before + static_cast<size_t>(i)] = -tested.log_p(chunk.ids[static_cast<size_t>(first + i + 1)]);
        if (file != nullptr) encode_row(tested, std::span(codes).subspan(static_cast<size_t>(i) * n_codes, n_codes));
      }
    });
    if (file != nullptr) file->add(codes);
  });
}

void PerplexityRun::compare_with(Engine& base, const Chunk& chunk, DivergenceSamples& divergence) {
  GLINT_CHECK(base.model().spec.n_vocab == engine_.model().spec.n_vocab);
  std::array<PositionDivergence, kBlockRows> block;
  for_each_block(std::array{&engine_, &base}, chunk,
                 [&](int first, int n, std::span<const std::span<const float>> logits) {
                   pool_.parallel_for(n, 1, [&](int64_t begin, int64_t end, int) {
                     for (int64_t i = begin; i < end; ++i) {
                       const int index = static_cast<int>(i);
                       block[static_cast<size_t>(i)] =
                           compare(softmax_of(row(logits[1], index)), softmax_of(row(logits[0], index)),
                                   chunk.ids[static_cast<size_t>(first + i + 1)]);
                     }
                   });
                   for (int i = 0; i < n; ++i) divergence.add(block[static_cast<size_t>(i)]);
                 });
}

void PerplexityRun::compare_with(const LogitsFile& base, int index, const Chunk& chunk, DivergenceSamples& divergence) {
  const auto n_vocab = static_cast<size_t>(engine_.model().spec.n_vocab);
  GLINT_CHECK(static_cast<size_t>(base.shape().n_vocab) == n_vocab && base.shape().n_scored() == chunk.n_scored());
  std::array<PositionDivergence, kBlockRows> block;
  std::vector<float> values(static_cast<size_t>(pool_.size()) * n_vocab);
  for_each_block(std::array{&engine_}, chunk, [&](int first, int n, std::span<const std::span<const float>> logits) {
    pool_.parallel_for(n, 1, [&](int64_t begin, int64_t end, int thread) {
      const auto scratch = std::span(values).subspan(static_cast<size_t>(thread) * n_vocab, n_vocab);
      for (int64_t i = begin; i < end; ++i) {
        const int position = first + static_cast<int>(i);
        block[static_cast<size_t>(i)] =
            compare(base.row(index, position - chunk.first, scratch), softmax_of(row(logits[0], static_cast<int>(i))),
                    chunk.ids[static_cast<size_t>(position) + 1], kLeastStoredLogP);
      }
    });
    for (int i = 0; i < n; ++i) divergence.add(block[static_cast<size_t>(i)]);
  });
}

}  // namespace glint
