// SPDX-License-Identifier: Apache-2.0
#include "model/kv_cache.h"

#include <numeric>

#include "base/check.h"

namespace glint {
namespace {

KvLayer layer_shape(const LayerSpec& layer, KvFormat format) {
  if (const auto* gqa = std::get_if<GqaSpec>(&layer.attention)) {
    return {.k_dtype = format.k, .v_dtype = format.v, .n_kv = gqa->n_kv, .d_k = gqa->d_head, .d_v = gqa->d_head};
  }
  const auto& mla = std::get<MlaSpec>(layer.attention);
  return {.k_dtype = format.k, .v_dtype = format.k, .n_kv = 1, .d_k = mla.kv_rank + mla.d_rope, .d_v = mla.kv_rank};
}

bool has_values(const LayerSpec& layer) { return std::holds_alternative<GqaSpec>(layer.attention); }

int64_t v_row_bytes(const LayerSpec& layer, KvFormat format) {
  if (!has_values(layer)) return 0;
  const KvLayer shape = layer_shape(layer, format);
  return row_bytes(shape.v_dtype, static_cast<int64_t>(shape.n_kv) * shape.d_v);
}

}  // namespace

int64_t kv_bytes_per_token(const LayerSpec& layer, KvFormat format) {
  return layer_shape(layer, format).k_row_bytes() + v_row_bytes(layer, format);
}

int64_t kv_bytes_per_token(const ModelSpec& spec, KvFormat format) {
  int64_t bytes = 0;
  for (const LayerSpec& layer : spec.layers) bytes += kv_bytes_per_token(layer, format);
  return bytes;
}

void check_kv_format(const ModelSpec& spec, KvFormat format) {
  const auto check = [](const char* what, DType dtype, int n_kv, int d) {
    const int block = traits(dtype).block_elements;
    // Heads are read one by one, so each must be whole blocks.
    if (d % block != 0) {
      fail("cache type {} for {}: heads of {} values are no whole blocks of {}; use f16", traits(dtype).name, what, d, block);
    }
    (void)n_kv;
  };
  for (const LayerSpec& layer : spec.layers) {
    const KvLayer shape = layer_shape(layer, format);
    check("keys", shape.k_dtype, shape.n_kv, shape.d_k);
    check("values", shape.v_dtype, shape.n_kv, shape.d_v);
  }
}

KvCache::KvCache(Backend& backend, const ModelSpec& spec, KvFormat format, int n_ctx, int n_sequences, bool nextn)
    : n_ctx_(n_ctx), n_sequences_(n_sequences) {
  check_kv_format(spec, format);
  const int n_pages = (n_ctx + kPageTokens - 1) / kPageTokens + (n_sequences - 1);
  max_pages_ = (n_ctx + kPageTokens - 1) / kPageTokens;
  const int64_t n_rows = static_cast<int64_t>(n_pages) * kPageTokens;
  std::vector<LayerSpec> layers = spec.layers;
  if (nextn) layers.insert(layers.end(), spec.nextn_layers.begin(), spec.nextn_layers.end());
  for (const LayerSpec& layer : layers) {
    KvLayer shape = layer_shape(layer, format);
    storage_.push_back(backend.allocate(static_cast<size_t>(n_rows * shape.k_row_bytes())));
    shape.k = storage_.back()->data();
    if (has_values(layer)) {
      storage_.push_back(backend.allocate(static_cast<size_t>(n_rows * v_row_bytes(layer, format))));
      shape.v = storage_.back()->data();
    }
    layers_.push_back(shape);
  }
  page_table_.assign(static_cast<size_t>(n_sequences) * static_cast<size_t>(max_pages_), 0);
  pages_of_.assign(static_cast<size_t>(n_sequences), 0);
  free_pages_.resize(static_cast<size_t>(n_pages));
  std::iota(free_pages_.rbegin(), free_pages_.rend(), 0);  // the lowest page is taken first
}

bool KvCache::reserve(int sequence, int n_tokens) {
  GLINT_CHECK(sequence >= 0 && sequence < n_sequences_);
  if (n_tokens > n_ctx_) fail("{} tokens do not fit the context of {}; raise it with -c", n_tokens, n_ctx_);
  int& held = pages_of_[static_cast<size_t>(sequence)];
  const int needed = (n_tokens + kPageTokens - 1) / kPageTokens;
  const bool grows = needed > held;
  while (held < needed) {
    if (free_pages_.empty()) fail("the cache of {} tokens is full; raise it with -c", n_ctx_);
    page_table_[static_cast<size_t>(sequence) * static_cast<size_t>(max_pages_) + static_cast<size_t>(held++)] = free_pages_.back();
    free_pages_.pop_back();
  }
  return grows;
}

void KvCache::truncate(int sequence, int n_tokens) {
  GLINT_CHECK(sequence >= 0 && sequence < n_sequences_ && n_tokens >= 0);
  int& held = pages_of_[static_cast<size_t>(sequence)];
  const int needed = (n_tokens + kPageTokens - 1) / kPageTokens;
  while (held > needed) {
    free_pages_.push_back(page_table_[static_cast<size_t>(sequence) * static_cast<size_t>(max_pages_) + static_cast<size_t>(--held)]);
  }
}

int64_t KvCache::bytes() const {
  int64_t total = 0;
  for (const auto& buffer : storage_) total += static_cast<int64_t>(buffer->bytes());
  return total;
}

}  // namespace glint
