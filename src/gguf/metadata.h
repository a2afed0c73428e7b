// SPDX-License-Identifier: Apache-2.0
//
// The key-value part of a GGUF file. Strings and string arrays point into the mapped file, so a vocabulary of
// 150,000 tokens costs no copies. Read-only after load; safe to read from any thread.
// Tested by tests/unit/gguf/metadata_test.cpp and override_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace glint::gguf {

/// GGUF's value type ids.
enum class ValueType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

/// "u32", "string", "array": how messages and listings call a type.
std::string_view value_type_name(ValueType type);

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

  /// Appends; throws Error when the key exists already. The key and all strings must outlive this object.
  void add(std::string_view key, Value value);
  /// Replaces or appends, and marks the entry as overridden; the key and all strings are copied.
  void set(std::string_view key, Value value);
  /// Parses and applies llama.cpp's KEY=TYPE:VALUE[,KEY=TYPE:VALUE...] (TYPE int float bool str), for any key, whether
  /// the file has it or not and whatever its type was there. An item in double quotes may hold commas ("" is a quote).
  /// Throws Error, and applies nothing, when any item is malformed or names a key that says how the file is laid out.
  void apply_override(std::string_view text);

  /// Logarithmic time: an ordered index, because a hostile file can flood a hash. nullptr when absent.
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
    bool overridden = false;  // by set() or apply_override()
  };
  const std::vector<Entry>& entries() const { return entries_; }
  const std::string& file_name() const { return file_name_; }

 private:
  const Value& require(std::string_view key, const char* expected) const;
  const Array& require_array(std::string_view key, const char* expected) const;
  [[noreturn]] void wrong_type(std::string_view key, const Value& value, const char* expected) const;
  std::string_view keep(std::string_view text);

  std::string file_name_;
  std::vector<Entry> entries_;
  std::map<std::string_view, size_t> index_;                 // key -> position in entries_
  std::vector<std::shared_ptr<const std::string>> storage_;  // texts of overrides; shared, so that copies stay valid
};

}  // namespace glint::gguf
