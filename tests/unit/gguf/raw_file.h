// SPDX-License-Identifier: Apache-2.0
//
// Builds GGUF images byte by byte, right or wrong, for the reader's tests: every count, type, length and offset can be
// a lie. Well-formed files are better made with gguf/writer.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "gguf/file.h"

namespace glint::gguf {

/// Appends plain values and GGUF strings.
class Bytes {
 public:
  template <class T>
  Bytes& add(T value) {
    static_assert(std::is_arithmetic_v<T>);
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof(T));
    return *this;
  }
  Bytes& text(std::string_view value) {  // without a length
    const auto* raw = reinterpret_cast<const std::byte*>(value.data());
    bytes_.insert(bytes_.end(), raw, raw + value.size());
    return *this;
  }
  Bytes& string(std::string_view value) { return add(uint64_t{value.size()}).text(value); }
  Bytes& append(const Bytes& other) {
    bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
    return *this;
  }
  Bytes& pad(size_t alignment) { return zeros((alignment - bytes_.size() % alignment) % alignment); }
  Bytes& zeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  const std::vector<std::byte>& get() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// A whole file; what is not set is right.
class RawFile {
 public:
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> n_keys, n_tensors;  // as claimed; by default the truth

  RawFile& key(std::string_view name, ValueType type, const Bytes& value) {
    return key(name, static_cast<uint32_t>(type), value);
  }
  RawFile& key(std::string_view name, uint32_t type, const Bytes& value) {
    keys_.string(name).add(type).append(value);
    ++keys_added_;
    return *this;
  }
  RawFile& u32(std::string_view name, uint32_t value) { return key(name, ValueType::kUint32, Bytes().add(value)); }
  RawFile& tensor(std::string_view name, const std::vector<uint64_t>& ne, uint32_t type, uint64_t offset) {
    tensors_.string(name).add(static_cast<uint32_t>(ne.size()));
    for (uint64_t size : ne) tensors_.add(size);
    tensors_.add(type).add(offset);
    ++tensors_added_;
    return *this;
  }
  RawFile& data(size_t bytes) {
    data_bytes_ = bytes;
    return *this;
  }

  std::vector<std::byte> bytes() const {
    Bytes all;
    all.text(magic).add(version).add(n_tensors.value_or(tensors_added_)).add(n_keys.value_or(keys_added_));
    all.append(keys_).append(tensors_).pad(32).zeros(data_bytes_);
    return all.get();
  }

 private:
  Bytes keys_, tensors_;
  uint64_t keys_added_ = 0, tensors_added_ = 0;
  size_t data_bytes_ = 0;
};

/// What parsing says, "" when it succeeds.
inline std::string refusal(const std::vector<std::byte>& bytes) {
  try {
    File::parse(bytes, "t.gguf");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
inline std::string refusal(const RawFile& file) {
  return refusal(file.bytes());
}

}  // namespace glint::gguf
