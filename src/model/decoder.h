// SPDX-License-Identifier: Apache-2.0
//
// Runs a model: token ids in, logits out. One loop for every architecture (decoder.cpp); what differs lives in the
// overloads of blocks.h, chosen by the spec's variants. All of the backend's memory is
// allocated in the constructor. One thread at a time.
// Tested by tests/unit/model/golden_test.cpp (against Hugging Face) and decoder_test.cpp (invariants).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/decoder_options.h"
#include "model/kv_cache.h"
#include "model/load.h"
#include "model/scratch.h"

namespace glint {

struct StepContext;

/// One row of a step. Rows of one sequence are consecutive, ascend by one in position, and continue what is cached or
/// replace it from their first position on.
struct Row {
  int32_t id = 0;
  int32_t position = 0;
  int32_t sequence = 0;
};

class Decoder {
 public:
  /// `model` must outlive the decoder. `host` computes what options.ffn_on_host says, if anything. Throws Error when
  /// memory does not suffice or a format cannot be cached.
  Decoder(const LoadedModel& model, Backend& backend, const DecoderOptions& options, Backend* host = nullptr);

  /// Runs what a backend sets up when it first meets it, so that nothing later allocates. Costs nothing where nothing
  /// is recorded. Only before the first step.
  void warm_up();

  /// Computes at most max_tokens rows and appends them to the cache. Throws Error, and changes nothing that was cached,
  /// for an id outside the vocabulary, a position outside the context, or a full cache.
  void forward(std::span<const Row> rows);
  /// Logits of rows of the last forward, [indices.size(), n_vocab] on the host; valid until the next logits are asked
  /// for.
  std::span<const float> logits(std::span<const int> indices);
  /// Only the k largest of each (Backend::top): [indices.size(), k]; valid until the next are asked for. With a device
  /// of its own (prefers_top) much less to wait for.
  std::span<const TopEntry> top_logits(std::span<const int> indices, int k);
  bool prefers_top() const { return backend_.prefers_top(); }

  /// What the head sees: rows of the last forward behind the final norm, [indices.size(), d_model] on the host; valid
  /// until the next are asked for.
  std::span<const float> hidden(std::span<const int> indices);

  /// The prediction block (arXiv 2412.19437, section 2.2): pairs the hidden states of the last forward's rows with the
  /// ids that follow them (next_ids, one a row) and appends to its own cache layer. Afterwards nextn_logits(i) are
  /// those of the token after next_ids[i]; logits() still answers for the trunk.
  void forward_nextn(std::span<const int32_t> next_ids);
  std::span<const float> nextn_logits(std::span<const int> indices);

  /// Forgets what a sequence holds past n_tokens.
  void truncate(int sequence, int n_tokens) { cache_.pages().truncate(sequence, n_tokens); }
  /// Tokens that a sequence has in the cache.
  int n_cached(int sequence) const { return cache_.pages().n_tokens(sequence); }

  const ModelSpec& spec() const { return model_.spec; }
  const DecoderOptions& options() const { return options_; }
  const KvCache& cache() const { return cache_; }
  /// For whoever lets sequences share pages, or fills them, between steps.
  KvCache& cache() { return cache_; }
  /// Bytes of working memory besides weights and cache.
  int64_t scratch_bytes() const { return scratch_.bytes(); }

 private:
  void check_rows(std::span<const Row> rows) const;
  void upload(std::span<const Row> rows);
  /// The layer's feed-forward by the host's backend: the rows go there and back.
  void run_ffn_on_host(Tensor x, const LayerSpec& layer, const LayerWeights& weights, const StepContext& step);
  /// x passes through one layer: attention, then feed-forward, each added to it.
  void run_layer(Tensor x, const LayerSpec& layer, const LayerWeights& weights, int index);
  /// Calls fn(first of indices, normed rows) for as many rows at a time as there is scratch for.
  void for_each_normed_part(Tensor hidden, std::span<const int> indices, const Weight& norm,
                            const std::function<void(size_t at, Tensor normed)>& fn);
  /// The same with their logits.
  void for_each_head_part(Tensor hidden, std::span<const int> indices, const Weight& norm, const Weight& head,
                          const std::function<void(size_t at, Tensor logits)>& fn);
  std::span<const float> head_logits(Tensor hidden, std::span<const int> indices, const Weight& norm,
                                     const Weight& head);

  const LoadedModel& model_;
  Backend& backend_;
  DecoderOptions options_;
  KvCache cache_;
  Scratch scratch_;
  Backend* host_;                          // null: the backend computes everything
  std::unique_ptr<Scratch> host_scratch_;  // the host's own; absent without it
  std::vector<RopeParams> rope_;           // [n_layers + n_nextn]
  Batch batch_;
  std::vector<int32_t> host_rows_;       // of the step, as Scratch::rows
  std::vector<int32_t> uploaded_pages_;  // the page table as the backend has it
  std::vector<Segment> host_segments_;   // of the step
  std::unique_ptr<Buffer> host_logits_;  // one row a sequence; grows where more are asked for
  std::vector<TopEntry> host_top_;
  std::unique_ptr<Buffer> host_hidden_;  // of hidden(); null until it is called
};

}  // namespace glint
