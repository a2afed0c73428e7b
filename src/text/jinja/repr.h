// SPDX-License-Identifier: Apache-2.0
//
// Python's str() and repr() of values: what {{ ... }} prints. Strings keep their marks of trust; everything else prints
// as untrusted bytes.
// Tested by tests/unit/text/jinja_value_test.cpp.
#pragma once

#include <string>

#include "text/jinja/runtime.h"

namespace glint::jinja {

void write_str(Runtime& runtime, TextBuilder& out, const Value& value);
void write_repr(Runtime& runtime, TextBuilder& out, const Value& value);
Text to_text(Runtime& runtime, const Value& value);
/// repr(value) for a message, cut to a length that fits one.
std::string short_repr(Runtime& runtime, const Value& value);

/// repr(float): the shortest digits that read back as `value`, "1e+16" and "inf" as Python writes them.
std::string float_repr(double value);

}  // namespace glint::jinja
