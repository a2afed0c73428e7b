// SPDX-License-Identifier: Apache-2.0
#include "model/kv_cache.h"

#include "base/check.h"

namespace glint {
namespace {

/// A layer without storage. `v` stays null where values are a prefix of the keys.
KvLayer layer_shape(const LayerSpec& layer, KvFormat format) {
  if (const auto* gqa = std::get_if<GqaSpec>(&layer.attention)) {
    return {.k_dtype = format.k, .v_dtype = format.v, .n_kv = gqa->n_kv, .d_k = gqa->d_head, .d_v = gqa->d_head};
  }
  const auto& mla = std::get<MlaSpec>(layer.attention);
  return {.k_dtype = format.k, .v_dtype = format.k, .n_kv = 1, .d_k = mla.kv_rank + mla.d_rope, .d_v = mla.kv_rank};
}

bool has_values(const LayerSpec& layer) {
  return std::holds_alternative<GqaSpec>(layer.attention);
}

std::vector<LayerSpec> cached_layers(const ModelSpec& spec, bool nextn) {
  std::vector<LayerSpec> layers = spec.layers;
  if (nextn) layers.insert(layers.end(), spec.nextn_layers.begin(), spec.nextn_layers.end());
  return layers;
}

void check_dtype(const char* what, DType dtype, int d_head) {
  if (dtype != DType::kF32 && dtype != DType::kF16 && dtype != DType::kBF16 && dtype != DType::kQ8_0) {
    fail("cache type {} for {} is not possible; known are f32, f16, bf16 and q8_0", traits(dtype).name, what);
  }
  // Heads are read one by one, so each must be whole blocks.
  const int block = traits(dtype).block_elements;
  if (d_head % block != 0) {
    fail("cache type {} for {}: heads of {} values are no whole blocks of {}; use f16", traits(dtype).name, what,
         d_head, block);
  }
}

}  // namespace

KvBytes kv_bytes(const LayerSpec& layer, KvFormat format) {
  const KvLayer shape = layer_shape(layer, format);
  KvBytes bytes{.k = shape.k_row_bytes()};
  if (has_values(layer)) bytes.v = row_bytes(shape.v_dtype, static_cast<int64_t>(shape.n_kv) * shape.d_v);
  return bytes;
}

KvBytes kv_bytes(const ModelSpec& spec, KvFormat format, bool nextn) {
  KvBytes sum;
  for (const LayerSpec& layer : cached_layers(spec, nextn)) {
    const KvBytes bytes = kv_bytes(layer, format);
    sum.k += bytes.k;
    sum.v += bytes.v;
  }
  return sum;
}

int64_t kv_bytes_per_token(const ModelSpec& spec, KvFormat format) {
  return kv_bytes(spec, format).total();
}

void check_kv_format(const ModelSpec& spec, KvFormat format) {
  for (const LayerSpec& layer : cached_layers(spec, /*nextn=*/true)) {
    const KvLayer shape = layer_shape(layer, format);
    check_dtype("keys", shape.k_dtype, shape.d_k);
    check_dtype("values", shape.v_dtype, shape.d_v);
  }
}

bool can_cache(const ModelSpec& spec, KvFormat format) {
  try {
    check_kv_format(spec, format);
    return true;
  } catch (const Error&) {
    return false;
  }
}

int64_t KvCache::bytes_for(const ModelSpec& spec, const DecoderOptions& options, const AllocationBytes& allocation) {
  int64_t total = 0;
  for (const LayerSpec& layer : cached_layers(spec, options.nextn)) {
    const KvBytes bytes = kv_bytes(layer, options.kv);
    total += allocation(capacity(options) * bytes.k);
    if (bytes.v > 0) total += allocation(capacity(options) * bytes.v);
  }
  return total;
}

int64_t KvCache::capacity(const DecoderOptions& options) {
  return (static_cast<int64_t>(pages_for(options.n_ctx)) + options.n_sequences - 1) * kPageTokens;
}

KvCache::KvCache(Backend& backend, const ModelSpec& spec, const DecoderOptions& options)
    : backend_(backend), pages_(options.n_ctx, options.n_sequences) {
  check_kv_format(spec, options.kv);
  const int64_t n_rows = capacity(options);
  const auto allocate = [&](int64_t row_bytes) {
    storage_.push_back(backend.allocate(static_cast<size_t>(n_rows * row_bytes)));
    return storage_.back()->data();
  };
  for (const LayerSpec& layer : cached_layers(spec, options.nextn)) {
    KvLayer shape = layer_shape(layer, options.kv);
    const KvBytes bytes = kv_bytes(layer, options.kv);
    shape.k = allocate(bytes.k);
    if (bytes.v > 0) shape.v = allocate(bytes.v);
    layers_.push_back(shape);
  }
  GLINT_CHECK(n_rows == static_cast<int64_t>(pages_.n_pages()) * kPageTokens);
}

void KvCache::copy_shared() {
  for (const KvPages::Copy& copy : pages_.take_copies()) {
    for_each_storage([&](std::byte* storage, int64_t bytes) {
      // A page of every format is whole 32-bit words, and copying those keeps every bit.
      const auto words = [&](int32_t page) {
        return Tensor::matrix(reinterpret_cast<float*>(storage + page * bytes), 1, static_cast<int>(bytes / 4));
      };
      backend_.copy(words(copy.to), words(copy.from));
    });
  }
}

void KvCache::save_page(int32_t page, std::span<std::byte> destination) {
  GLINT_CHECK(static_cast<int64_t>(destination.size()) == page_bytes());
  copy_shared();
  for_each_storage([&](const std::byte* storage, int64_t bytes) {
    backend_.download(destination.data(), storage + page * bytes, static_cast<size_t>(bytes));
    destination = destination.subspan(static_cast<size_t>(bytes));
  });
}

void KvCache::load_page(int32_t page, std::span<const std::byte> source) {
  GLINT_CHECK(static_cast<int64_t>(source.size()) == page_bytes());
  copy_shared();  // the page may have been another's, of which a copy is still to be made
  for_each_storage([&](std::byte* storage, int64_t bytes) {
    backend_.upload(storage + page * bytes, source.data(), static_cast<size_t>(bytes));
    source = source.subspan(static_cast<size_t>(bytes));
  });
}

int64_t KvCache::bytes() const {
  int64_t total = 0;
  for (const auto& buffer : storage_) total += static_cast<int64_t>(buffer->bytes());
  return total;
}

}  // namespace glint
