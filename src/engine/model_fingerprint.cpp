// SPDX-License-Identifier: Apache-2.0
#include "engine/model_fingerprint.h"

#include <algorithm>
#include <bit>
#include <type_traits>
#include <variant>

namespace glint {
namespace {

/// To be raised whenever kernels or page layouts change what a page holds.
constexpr uint64_t kGeneration = 1;
constexpr size_t kSampleBytes = 4096;

void add(Sha256& hash, const gguf::Value& value);

template <class T>
void add_one(Sha256& hash, const T& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    hash.add(value.size());
    hash.add(value);
  } else if constexpr (std::is_same_v<T, double>) {
    hash.add(std::bit_cast<uint64_t>(value));
  } else if constexpr (std::is_same_v<T, gguf::Array>) {
    hash.add(value.size());
    std::visit(
        [&](const auto& elements) {
          for (const auto element : elements) add_one(hash, element);
        },
        value.values);
  } else {
    hash.add(static_cast<uint64_t>(value));
  }
}

void add(Sha256& hash, const gguf::Value& value) {
  std::visit([&](const auto& data) { add_one(hash, data); }, value.data);
}

void add(Sha256& hash, const HostTensor& tensor) {
  hash.add(tensor.name.size());
  hash.add(std::string_view(tensor.name));
  hash.add(static_cast<uint64_t>(tensor.dtype));
  for (int64_t dim : tensor.dims) hash.add(static_cast<uint64_t>(dim));
  const std::span<const std::byte> bytes = tensor.bytes;
  const size_t n = std::min(bytes.size(), kSampleBytes);
  hash.add(bytes.first(n));
  hash.add(bytes.subspan((bytes.size() - n) / 2, n));
  hash.add(bytes.last(n));
}

}  // namespace

Digest model_fingerprint(const gguf::File& file, const ModelSpec& spec, const DecoderOptions& options,
                         std::string_view backend) {
  Sha256 hash;
  hash.add(kGeneration);
  hash.add(backend);
  hash.add(static_cast<uint64_t>(options.kv.k));
  hash.add(static_cast<uint64_t>(options.kv.v));
  hash.add(static_cast<uint64_t>(options.nextn));
  // Of how ids become rows; with overrides applied. Words and names change nothing.
  for (const gguf::Metadata::Entry& entry : file.metadata().entries()) {
    if (entry.key.starts_with("tokenizer.") ||
        (entry.key.starts_with("general.") && entry.key != "general.architecture"))
      continue;
    hash.add(entry.key);
    add(hash, entry.value);
  }
  // Of longrope's two tables the context chooses one.
  for (const LayerSpec& layer : spec.layers) {
    const RopeSpec& rope =
        std::visit([](const auto& attention) -> const RopeSpec& { return attention.rope; }, layer.attention);
    hash.add(static_cast<uint64_t>(!rope.long_inverse_frequency.empty() && options.n_ctx > rope.long_from), 1);
  }
  for (const HostTensor& tensor : file.tensors()) add(hash, tensor);
  return hash.digest();
}

}  // namespace glint
