// SPDX-License-Identifier: Apache-2.0
//
// The paged cache of keys and values, or of MLA's latent rows. A sequence is a list of pages (kPageTokens tokens each);
// all layers share the list. Pages are handed out when a sequence grows and taken back when it is cut, so memory is
// fixed and sequences of different length share it. Layers with a window keep all tokens, as others do. Used by the
// decoder alone, from its thread. Tested by tests/unit/model/kv_cache_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/decoder_options.h"
#include "model/spec.h"

namespace glint {

/// Bytes that one token takes: keys (of MLA the whole row) and values.
struct KvBytes {
  int64_t k = 0;
  int64_t v = 0;  // 0 for MLA: values are a prefix of the key row
  int64_t total() const { return k + v; }
};
KvBytes kv_bytes(const LayerSpec& layer, KvFormat format);
/// Over all layers of the trunk and, with `nextn`, the prediction blocks.
KvBytes kv_bytes(const ModelSpec& spec, KvFormat format, bool nextn = false);
/// GLM-4.7-Flash at f16: 54,144.
int64_t kv_bytes_per_token(const ModelSpec& spec, KvFormat format);
/// Throws Error for formats that no cache can have, and when heads of this model are no whole blocks of one.
void check_kv_format(const ModelSpec& spec, KvFormat format);

class KvCache {
 public:
  /// Room for options.n_ctx tokens in all, rounded up to whole pages, and at most n_sequences sequences. Prediction
  /// blocks get layers behind the trunk's when options.nextn. Throws Error when memory does not suffice.
  KvCache(Backend& backend, const ModelSpec& spec, const DecoderOptions& options);

  /// Tokens that the pages hold: n_ctx rounded up, and a page for each further sequence, whose last page may be part
  /// full.
  static int64_t capacity(const DecoderOptions& options);

  /// Makes room for n_tokens of a sequence; throws Error, and takes no page, when too few are free.
  void reserve(int sequence, int n_tokens);
  /// Gives back pages past n_tokens.
  void truncate(int sequence, int n_tokens);

  const KvLayer& layer(int index) const { return layers_[static_cast<size_t>(index)]; }
  /// [n_sequences, max_pages]; entries past a sequence's pages are valid page numbers but not its own.
  std::span<const int32_t> page_table() const { return page_table_; }
  int max_pages() const { return max_pages_; }
  int n_free_pages() const { return static_cast<int>(free_pages_.size()); }
  int n_sequences() const { return static_cast<int>(pages_of_.size()); }
  int64_t bytes() const;

 private:
  int32_t& page(int sequence, int index) {
    return page_table_[static_cast<size_t>(sequence) * static_cast<size_t>(max_pages_) + static_cast<size_t>(index)];
  }

  int n_ctx_;
  int max_pages_;
  std::vector<std::unique_ptr<Buffer>> storage_;
  std::vector<KvLayer> layers_;
  std::vector<int32_t> page_table_;
  std::vector<int> pages_of_;        // [n_sequences] pages held
  std::vector<int32_t> free_pages_;  // taken from the back
};

}  // namespace glint
