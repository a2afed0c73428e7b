// SPDX-License-Identifier: Apache-2.0
//
// A position in untrusted little-endian bytes that cannot leave them. Used by header.cpp, which tells the cursor what
// it is about to read, so that a short file is reported as "ends inside tensor 12 of 844" and not as a number.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/printable.h"

namespace glint::gguf {

static_assert(std::endian::native == std::endian::little, "GGUF values are copied as they lie");

class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& file_name) : bytes_(bytes), file_name_(file_name) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return bytes_.size() - position_; }

  /// What is read from here on, for messages: the `index`-th of `count` `kind`s, and its name once known.
  void enter(const char* kind, uint64_t index, uint64_t count) {
    kind_ = kind;
    index_ = index;
    count_ = count;
    name_ = {};
  }
  void set_name(std::string_view name) { name_ = name; }

  /// "model.gguf: tensor 12 of 844 (blk.0.attn_norm.weight)"
  std::string place() const {
    std::string place = fmt::format("{}: {}", file_name_, kind_);
    if (count_ > 0) place += fmt::format(" {} of {}", index_ + 1, count_);
    if (!name_.empty()) place += fmt::format(" ({})", printable(name_));
    return place;
  }

  template <class T>
  T read() {
    require(1, sizeof(T), "value");
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  std::string_view read_string() {
    const auto length = read<uint64_t>();
    require(length, 1, "string");
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, length);
    position_ += length;
    return text;
  }

  /// Throws Error unless `count` items of at least `item_bytes` each are left.
  void require(uint64_t count, uint64_t item_bytes, const char* what) const {
    if (count <= left() / item_bytes) return;
    fail("{}: a {} of {} x {} bytes at offset {} does not fit in the file's {} bytes: incomplete download or damage",
         place(), what, count, item_bytes, position_, bytes_.size());
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& file_name_;
  uint64_t position_ = 0;
  const char* kind_ = "header";
  uint64_t index_ = 0;
  uint64_t count_ = 0;
  std::string_view name_;
};

}  // namespace glint::gguf
