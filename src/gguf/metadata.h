// SPDX-License-Identifier: Apache-2.0
//
// The key-value part of a GGUF file. Strings and string arrays point into the mapped file, so a vocabulary of
// 150,000 tokens costs no copies. Read-only after load; safe to read from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace glint::gguf {

/// GGUF's value type ids.
enum class ValueType : uint32_t {
  kUint8 = 0, kInt8 = 1, kUint16 = 2, kInt16 = 3, kUint32 = 4, kInt32 = 5, kFloat32 = 6, kBool = 7, kString = 8,
  kArray = 9, kUint64 = 10, kInt64 = 11, kFloat64 = 12,
};

/// An array, flattened to the widest C++ type of its kind. Nested arrays are refused by the reader.
struct Array {
  ValueType element_type = ValueType::kUint32;
  std::variant<std::vector<int64_t>, std::vector<uint64_t>, std::vector<double>, std::vector<bool>,
               std::vector<std::string_view>>
      values;  // int64 for signed types, uint64 for unsigned types, double for floats
  size_t size() const;
};

/// One value. Integers keep their sign kind, so that 2^64-1 survives.
struct Value {
  ValueType type = ValueType::kUint32;
  std::variant<int64_t, uint64_t, double, bool, std::string_view, Array> data;
};

/// Ordered key-value list. Every typed getter throws Error that names the file, the key, and expected and found type;
/// the `_or` forms return the default only when the key is absent, never when its type is wrong.
class Metadata {
 public:
  explicit Metadata(std::string file_name = "") : file_name_(std::move(file_name)) {}

  /// Appends; throws Error when the key exists already.
  void add(std::string_view key, Value value);
  /// Replaces or appends (command-line overrides). `storage` keeps override strings alive.
  void set(std::string_view key, Value value);
  /// Parses and applies llama.cpp's KEY=TYPE:VALUE[,KEY=TYPE:VALUE...] (TYPE int float bool str), for any key.
  void apply_override(std::string_view text);

  const Value* find(std::string_view key) const;
  bool contains(std::string_view key) const { return find(key) != nullptr; }

  /// Integers of any width and sign; a value outside int64 is an Error.
  int64_t integer(std::string_view key) const;
  int64_t integer_or(std::string_view key, int64_t absent) const;
  /// Floats, and integers too.
  double number(std::string_view key) const;
  double number_or(std::string_view key, double absent) const;
  bool boolean(std::string_view key) const;
  bool boolean_or(std::string_view key, bool absent) const;
  std::string_view string(std::string_view key) const;
  std::string_view string_or(std::string_view key, std::string_view absent) const;
  /// Arrays; a scalar is not an array.
  const std::vector<std::string_view>& strings(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;
  std::vector<bool> booleans(std::string_view key) const;

  struct Entry {
    std::string_view key;
    Value value;
    bool overridden = false;  // set by apply_override
  };
  const std::vector<Entry>& entries() const { return entries_; }
  const std::string& file_name() const { return file_name_; }

 private:
  std::string file_name_;
  std::vector<Entry> entries_;
  // The implementation adds a hash index and owned storage for overrides.
};

}  // namespace glint::gguf
