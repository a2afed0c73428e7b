// SPDX-License-Identifier: Apache-2.0
//
// Binds the arguments of a call to the parameters of a built-in, by position and by name, as Python does, with Python's
// complaints. Used by every filter, test, method and global function.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "text/jinja/object.h"

namespace glint::jinja {

class Bound {
 public:
  /// `names` in order; an empty name is positional only. The first `n_required` must be given.
  Bound(std::string_view function, Arguments& arguments, std::initializer_list<std::string_view> names,
        size_t n_required = 0);

  /// Missing when not given.
  const Value& operator[](size_t index) const { return values_[index]; }
  bool given(size_t index) const { return !values_[index].missing(); }
  /// Given and not none.
  bool some(size_t index) const { return given(index) && !values_[index].none(); }

  /// Each throws Error for a value of another type.
  const Text& text(size_t index) const;
  int64_t integer(size_t index) const;
  int64_t integer_or(size_t index, int64_t otherwise) const { return given(index) ? integer(index) : otherwise; }
  bool truth_or(Runtime& runtime, size_t index, bool otherwise) const;

 private:
  [[noreturn]] void wrong_type(size_t index, std::string_view expected) const;

  std::string_view function_;
  std::vector<Value> values_;
};

/// Takes the named argument out of `arguments`; Missing if it was not given.
Value take_named(Arguments& arguments, std::string_view name);

/// The integer a bool or int stands for, null for anything else.
std::optional<int64_t> integer_value(const Value& value);

}  // namespace glint::jinja
