// SPDX-License-Identifier: Apache-2.0
//
// DESCRIPTION
// The values a template computes with: Python's, as far as a sandboxed template can tell. A Value is cheap to copy
// (scalars inline, the rest shared) and immutable once made, except for objects that are mutable by design (namespace,
// loop). Strings, lists, tuples and dicts are charged to the rendering's Meter; nesting is bounded by kMaxValueDepth,
// so every recursive walk over a value is bounded too.
//
// Missing is not a value a template can see: it marks a variable or argument that has none.
// Threads: literals of a template are shared between renderings on several threads (reference counts are atomic);
// everything else belongs to one rendering.
// Tested by tests/unit/text/jinja_value_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/meter.h"
#include "text/jinja/text.h"

namespace glint::jinja {

class Dict;
class Object;
struct String;
struct List;
struct Tuple;

struct Missing {};
struct None {};

/// The result of a failed look-up: prints as nothing and is false; any other use reports `message`.
struct Undefined {
  std::string message;
};

/// Order of the alternatives of Value.
enum class Kind { kMissing, kNone, kBool, kInt, kFloat, kUndefined, kString, kList, kTuple, kDict, kObject };

class Value {
 public:
  Value() = default;
  Value(None none) : data_(none) {}
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(std::shared_ptr<const Undefined> value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<const String> value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<const List> value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<const Tuple> value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<const Dict> value) : data_(std::move(value)) {}
  explicit Value(std::shared_ptr<Object> value) : data_(std::move(value)) {}

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool missing() const { return is(Kind::kMissing); }
  bool none() const { return is(Kind::kNone); }
  bool undefined() const { return is(Kind::kUndefined); }

  /// The alternative, null when the value is another.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  const double* floating() const { return std::get_if<double>(&data_); }
  const Undefined* as_undefined() const { return pointer<std::shared_ptr<const Undefined>>(); }
  const String* string() const { return pointer<std::shared_ptr<const String>>(); }
  const List* list() const { return pointer<std::shared_ptr<const List>>(); }
  const Tuple* tuple() const { return pointer<std::shared_ptr<const Tuple>>(); }
  const Dict* dict() const { return pointer<std::shared_ptr<const Dict>>(); }
  Object* object() const { return pointer<std::shared_ptr<Object>>(); }
  std::shared_ptr<Object> shared_object() const { return std::get<std::shared_ptr<Object>>(data_); }

  /// The text of a string, null for anything else.
  const Text* text() const;
  /// The items of a list or a tuple, null for anything else.
  const std::vector<Value>* items() const;
  /// Same object (Python's `is`): scalars by kind and value.
  bool same_as(const Value& other) const;

 private:
  template <class Pointer>
  auto pointer() const -> typename Pointer::element_type* {
    const Pointer* held = std::get_if<Pointer>(&data_);
    return held != nullptr ? held->get() : nullptr;
  }

  std::variant<Missing, None, bool, int64_t, double, std::shared_ptr<const Undefined>, std::shared_ptr<const String>,
               std::shared_ptr<const List>, std::shared_ptr<const Tuple>, std::shared_ptr<const Dict>,
               std::shared_ptr<Object>>
      data_;
};

struct String {
  Text text;
  bool markup;  // came through `safe` or `escape`: adding plain text to it escapes that text
  Charge charge;
};

struct List {
  std::vector<Value> items;
  int depth;
  Charge charge;
};

struct Tuple {
  std::vector<Value> items;
  int depth;
  Charge charge;
};

/// A mapping in insertion order. Keys are hashable values; equal keys (1, 1.0 and true are one) keep the first place
/// and the last value. Look-up is O(log n): no hash, so no input can make it degrade.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;

  Dict(Meter* meter, std::vector<Entry> entries);

  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  int depth() const { return depth_; }

  /// The value of `key`, null if there is none. `key` must be hashable.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;

 private:
  template <class Compare>
  const Value* find_by(Compare&& compare) const;

  std::vector<Entry> entries_;
  std::vector<uint32_t> by_key_;  // indices of entries_ in key order; empty for small dicts
  int depth_ = 0;
  Charge charge_;
};

/// Lists of values that grow item by item, charged as they grow.
class ListBuilder {
 public:
  explicit ListBuilder(Meter& meter) : meter_(meter), charge_(&meter, 0) {}
  void append(Value value) {
    charge_.grow(sizeof(Value));
    items_.push_back(std::move(value));
  }
  size_t size() const { return items_.size(); }
  std::vector<Value>& items() { return items_; }
  Value take_list();
  Value take_tuple();

 private:
  Meter& meter_;
  std::vector<Value> items_;
  Charge charge_;
};

/// Constructors; a null meter charges nothing. They throw Error when the value would nest too deep.
Value make_string(Meter* meter, Text text, bool markup = false);
Value make_string(Meter* meter, std::string_view text, bool trusted);
Value make_list(Meter* meter, std::vector<Value> items);
Value make_tuple(Meter* meter, std::vector<Value> items);
Value make_dict(Meter* meter, std::vector<Dict::Entry> entries);
Value make_undefined(Meter* meter, std::string message);

/// Containers around scalars: 0 for a scalar, 1 for [1], 2 for [[1]].
int depth_of(const Value& value);
/// `depth`, or Error if it is over kMaxValueDepth.
int checked_depth(int depth);
/// The greatest depth among `values`.
int greatest_depth(const std::vector<Value>& values);

/// Python's name of the value's type, for messages: "str", "dict", ...
std::string_view type_name(const Value& value);

/// Key order of dicts: total over hashable values, equal exactly for keys that Python takes for the same.
int compare_keys(const Value& a, const Value& b);
/// Error "unhashable type" for a list or dict, also inside a tuple.
void require_hashable(const Value& value);
/// -1, 0 or 1 by exact value; 2 when one is NaN. Both must be bool, int or float.
int compare_numbers(const Value& a, const Value& b);
bool is_number(const Value& value);  // bool, int or float

}  // namespace glint::jinja
