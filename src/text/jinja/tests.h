// SPDX-License-Identifier: Apache-2.0
//
// Tests: value is name(arguments).
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <string_view>

#include "text/jinja/runtime.h"

namespace glint::jinja {

struct Test {
  std::string_view name;
  bool (*function)(Runtime& runtime, const Value& input, Arguments& arguments);
};

/// Null if there is none.
const Test* find_test(std::string_view name);

}  // namespace glint::jinja
