// SPDX-License-Identifier: Apache-2.0
//
// The methods of strings, lists, tuples, dicts and floats, as Python defines them and the sandbox allows them: what
// would change a list or dict in place is known but refused.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <span>
#include <string_view>

#include "text/jinja/runtime.h"

namespace glint::jinja {

struct Method {
  std::string_view name;
  /// Null: Python has it, templates may not call it.
  Value (*function)(Runtime& runtime, const Value& self, Arguments& arguments);
};

/// Sorted by name.
std::span<const Method> string_methods();
std::span<const Method> list_methods();
std::span<const Method> tuple_methods();
std::span<const Method> dict_methods();
std::span<const Method> float_methods();

/// Method `name` of values of `value`'s type, null if there is none.
const Method* find_method(const Value& value, std::string_view name);

/// self.method, ready to be called.
Value bind_method(const Value& self, const Method& method);

}  // namespace glint::jinja
