// SPDX-License-Identifier: Apache-2.0
//
// The memory of the paged cache: keys and values, or MLA's latent rows, of every layer. Who holds which page is the
// business of model/kv_pages.h; all layers share its lists. Layers with a window keep all tokens, as others do.
// Used by the decoder alone, from its thread.
// Tested by tests/unit/model/kv_cache_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/decoder_options.h"
#include "model/kv_pages.h"
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
bool can_cache(const ModelSpec& spec, KvFormat format);

class KvCache {
 public:
  /// Room for options.n_ctx tokens in all, rounded up to whole pages, and at most n_sequences sequences. Prediction
  /// blocks get layers behind the trunk's when options.nextn. Throws Error when memory does not suffice.
  KvCache(Backend& backend, const ModelSpec& spec, const DecoderOptions& options);

  /// Tokens that the pages hold: n_ctx rounded up, and a page for each further sequence, whose last page may be part
  /// full.
  static int64_t capacity(const DecoderOptions& options);
  /// What the constructor will allocate, each allocation counted as `allocation` says.
  static int64_t bytes_for(const ModelSpec& spec, const DecoderOptions& options, const AllocationBytes& allocation);

  KvPages& pages() { return pages_; }
  const KvPages& pages() const { return pages_; }
  /// Copies what sequences that stopped sharing a page need of it; before rows are written.
  void copy_shared();
  /// A page's rows of all layers, to or from host memory of page_bytes().
  void save_page(int32_t page, std::span<std::byte> destination);
  void load_page(int32_t page, std::span<const std::byte> source);
  int64_t page_bytes() const { return bytes() / pages_.n_pages(); }

  const KvLayer& layer(int index) const { return layers_[static_cast<size_t>(index)]; }
  int64_t bytes() const;

 private:
  /// Calls fn(memory, bytes of a page) for each layer's keys and values.
  template <class Fn>
  void for_each_storage(Fn&& fn) const {
    for (const auto& buffer : storage_) {
      fn(static_cast<std::byte*>(buffer->data()), static_cast<int64_t>(buffer->bytes()) / pages_.n_pages());
    }
  }

  Backend& backend_;
  KvPages pages_;
  std::vector<std::unique_ptr<Buffer>> storage_;
  std::vector<KvLayer> layers_;
};

}  // namespace glint
