// SPDX-License-Identifier: Apache-2.0
//
// Python's operators on values, and look-up as a sandboxed template sees it. Everything else (the interpreter, filters,
// methods) goes through these. Wrong operand types throw Error with Python's wording; an Undefined operand throws its
// own message.
// Tested by tests/unit/text/jinja_value_test.cpp and jinja_language_test.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "text/jinja/runtime.h"

namespace glint::jinja {

enum class Arithmetic { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
enum class Comparison { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kNotIn };

Value arithmetic(Runtime& runtime, Arithmetic op, const Value& a, const Value& b);
Value negate(Runtime& runtime, const Value& value);
Value positive(Runtime& runtime, const Value& value);
bool compare(Runtime& runtime, Comparison op, const Value& a, const Value& b);

bool truth(Runtime& runtime, const Value& value);
bool equal(Runtime& runtime, const Value& a, const Value& b);
/// a < b; Error for types that have no order between them.
bool less(Runtime& runtime, const Value& a, const Value& b);
bool contains(Runtime& runtime, const Value& container, const Value& item);

/// len(value), nothing if it has none.
std::optional<int64_t> length_of(Runtime& runtime, const Value& value);
/// Throws Error if `value` is not iterable.
std::shared_ptr<Iterator> iterate(Runtime& runtime, const Value& value);
/// Null if `value` cannot be walked backwards.
std::shared_ptr<Iterator> iterate_backwards(Runtime& runtime, const Value& value);
bool is_iterable(Runtime& runtime, const Value& value);
/// All items of an iterable.
std::vector<Value> collect(Runtime& runtime, const Value& value);

/// value.name: attribute first, then item. Undefined if there is neither; Error if `value` is Undefined.
Value get_attribute(Runtime& runtime, const Value& value, std::string_view name);
/// The attribute alone: a method, or a member of an object. Undefined if there is none.
Value get_attribute_only(Runtime& runtime, const Value& value, std::string_view name);
/// value[key]: item first, then (for a string key) attribute.
Value get_item(Runtime& runtime, const Value& value, const Value& key);
/// value[start:stop:step]; none stands for an omitted bound.
Value get_slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step);

/// value(arguments); Error if it is not callable.
Value call(Runtime& runtime, const Value& callee, Arguments& arguments);

/// Concatenation that keeps trust; used by + and join.
Value concatenate(Runtime& runtime, const Text& a, const Text& b, bool markup);
/// The text with & < > ' " as HTML entities.
Text escape_html(Runtime& runtime, const Text& text);

}  // namespace glint::jinja
