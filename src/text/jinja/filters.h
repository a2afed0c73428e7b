// SPDX-License-Identifier: Apache-2.0
//
// Filters: value | name(arguments). Jinja's set with transformers' tojson, plus from_json. Those that need randomness
// or emit HTML are known but refused.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <span>
#include <string_view>

#include "text/jinja/runtime.h"

namespace glint::jinja {

struct Filter {
  std::string_view name;
  Value (*function)(Runtime& runtime, const Value& input, Arguments& arguments);
};

/// Null if there is none.
const Filter* find_filter(std::string_view name);

/// The filters of each file, in no order.
std::span<const Filter> text_filters();
std::span<const Filter> number_filters();
std::span<const Filter> sequence_filters();
std::span<const Filter> selection_filters();

}  // namespace glint::jinja
