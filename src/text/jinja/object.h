// SPDX-License-Identifier: Apache-2.0
//
// Values with behaviour: functions, macros, loops, namespaces, ranges, generators. One virtual interface, so the
// interpreter knows none of them by name. Defaults describe an opaque object: true, not iterable, not callable.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace glint::jinja {

class Runtime;

/// Arguments of a call, already evaluated.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// Yields the items of an iterable one by one.
class Iterator {
 public:
  virtual ~Iterator() = default;
  /// False at the end; then `item` is left alone.
  virtual bool next(Runtime& runtime, Value& item) = 0;
};

class Object {
 public:
  /// `depth`: what depth_of() reports; an object that holds values must count them.
  explicit Object(int depth = 0) : depth_(checked_depth(depth)) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  int depth() const { return depth_; }

  virtual std::string_view type_name() const = 0;
  /// Attribute `name`, Missing if there is none.
  virtual Value attribute(Runtime&, std::string_view) { return Value(); }
  /// Item `key`, Missing if there is none.
  virtual Value item(Runtime&, const Value&) { return Value(); }
  /// Null if not iterable.
  virtual std::shared_ptr<Iterator> iterate(Runtime&) { return nullptr; }
  /// The same backwards; null if that is not possible.
  virtual std::shared_ptr<Iterator> iterate_backwards(Runtime&) { return nullptr; }
  virtual std::optional<int64_t> length(Runtime&) { return std::nullopt; }
  virtual bool truth(Runtime& runtime) { return length(runtime).value_or(1) != 0; }
  virtual bool callable() const { return false; }
  virtual Value call(Runtime& runtime, Arguments& arguments);
  /// Python's repr(); the default names the type.
  virtual void write_repr(Runtime& runtime, TextBuilder& out);
  virtual bool equals(Runtime&, Object& other) { return this == &other; }
  /// Drops what the object holds, so that cycles through it are freed at the end of a rendering.
  virtual void clear() {}

 private:
  int depth_;
};

}  // namespace glint::jinja
