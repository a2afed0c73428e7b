// SPDX-License-Identifier: Apache-2.0
//
// Runs a model: token ids in, logits out. One loop for every architecture (decoder.cpp); what differs lives in the
// overloads of attention_*.cpp and ffn_*.cpp, chosen by the spec's variants. All memory is allocated in the constructor.
// One thread at a time.
// Tested by tests/unit/model/golden_test.cpp (against Hugging Face) and decoder_test.cpp (invariants).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/kv_cache.h"
#include "model/load.h"
#include "model/scratch.h"

namespace glint {

struct DecoderOptions {
  int n_ctx = 4096;      // tokens of cache in all
  int n_sequences = 1;
  int max_tokens = 512;  // rows of one step
  KvFormat kv;
  bool nextn = false;    // the prediction block is used; load_model must have been told so
};

/// One row of a step. Rows of one sequence are consecutive, ascend by one in position, and continue what is cached.
struct Row {
  int32_t id = 0;
  int32_t position = 0;
  int32_t sequence = 0;
};

class Decoder {
 public:
  /// `model` must outlive the decoder.
  Decoder(const LoadedModel& model, Backend& backend, const DecoderOptions& options);

  /// Computes at most max_tokens rows and appends them to the cache. Throws Error for an id outside the vocabulary, a
  /// position outside the context, or a full cache.
  void forward(std::span<const Row> rows);
  /// Logits of rows of the last forward, [indices.size(), n_vocab]; valid until the next call of logits.
  std::span<const float> logits(std::span<const int> indices);

  /// The prediction block (arXiv 2412.19437, section 2.2): pairs the hidden states of the last forward's rows with the
  /// ids that follow them (next_ids, one a row) and appends to its own cache layer. Afterwards nextn_logits(i) are
  /// those of the token after next_ids[i].
  void forward_nextn(std::span<const int32_t> next_ids);
  std::span<const float> nextn_logits(std::span<const int> indices);

  /// Forgets what a sequence holds past n_tokens.
  void truncate(int sequence, int n_tokens) { cache_.truncate(sequence, n_tokens); }

  const ModelSpec& spec() const { return model_.spec; }
  const DecoderOptions& options() const { return options_; }
  const KvCache& cache() const { return cache_; }
  /// Bytes of working memory besides weights and cache.
  int64_t scratch_bytes() const { return scratch_.bytes(); }

 private:
  void upload(std::span<const Row> rows);
  void run_layer(const LayerSpec& spec, const LayerWeights& weights, int layer, bool first);
  std::span<const float> head_logits(Tensor hidden, std::span<const int> indices, const Weight& norm, const Weight& head);

  const LoadedModel& model_;
  Backend& backend_;
  DecoderOptions options_;
  KvCache cache_;
  Scratch scratch_;
  std::vector<std::unique_ptr<Buffer>> rope_tables_;
  std::vector<RopeParams> rope_;  // [n_layers + n_nextn]
  Batch batch_;
  std::vector<Row> rows_;  // of the last forward
  std::vector<float> host_logits_;
};

}  // namespace glint
