// SPDX-License-Identifier: Apache-2.0
//
// The paged cache of keys and values, or of MLA's latent rows. A sequence is a list of pages (kPageTokens tokens each);
// all layers share the list. Pages are handed out when a sequence grows and taken back when it is cut, so memory is fixed
// and sequences of different length share it.
// Tested by tests/unit/model/kv_cache_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "model/spec.h"

namespace glint {

struct KvFormat {
  DType k = DType::kF16;
  DType v = DType::kF16;
};

/// Bytes that one token takes in the cache of one layer.
int64_t kv_bytes_per_token(const LayerSpec& layer, KvFormat format);
/// The same over all layers of the trunk; GLM-4.7-Flash at f16: 54,144.
int64_t kv_bytes_per_token(const ModelSpec& spec, KvFormat format);
/// Throws Error when rows of this model are no whole blocks of a format.
void check_kv_format(const ModelSpec& spec, KvFormat format);

class KvCache {
 public:
  /// Room for n_ctx tokens in all, rounded up to whole pages, at most n_sequences sequences. Prediction blocks get layers
  /// behind the trunk's when `nextn`.
  KvCache(Backend& backend, const ModelSpec& spec, KvFormat format, int n_ctx, int n_sequences, bool nextn);

  /// Makes room for n_tokens of a sequence; throws Error when no page is free. Returns true when the table changed.
  bool reserve(int sequence, int n_tokens);
  /// Gives back pages past n_tokens.
  void truncate(int sequence, int n_tokens);

  const KvLayer& layer(int index) const { return layers_[static_cast<size_t>(index)]; }
  std::span<const int32_t> page_table() const { return page_table_; }  // [n_sequences, max_pages]
  int max_pages() const { return max_pages_; }
  int n_sequences() const { return n_sequences_; }
  int n_ctx() const { return n_ctx_; }
  int64_t bytes() const;

 private:
  int n_ctx_;
  int n_sequences_;
  int max_pages_;
  std::vector<std::unique_ptr<Buffer>> storage_;
  std::vector<KvLayer> layers_;
  std::vector<int32_t> page_table_;
  std::vector<int> pages_of_;       // [n_sequences] pages held
  std::vector<int32_t> free_pages_; // taken from the back
};

}  // namespace glint
