// SPDX-License-Identifier: Apache-2.0
//
// JSON in and out: input documents become values, `tojson` writes values as Python's json.dumps does.
// Tested by tests/unit/text/jinja_json_test.cpp.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/runtime.h"

namespace glint::jinja {

/// Says whether a string of the input, found under `key` (empty in lists), is as trustworthy as the template.
using TrustRule = std::function<bool(std::string_view key, std::string_view text)>;

/// The value of a document. Throws Error for text that is not UTF-8 or nesting beyond kMaxValueDepth. Integers beyond
/// 64 bits signed become floats. `meter` null: input, not charged.
Value value_of_json(Meter* meter, const nlohmann::ordered_json& json, const TrustRule& trusted);
/// The same for text, as json.loads; every string is untrusted.
Value value_of_json_text(Meter& meter, std::string_view text);

/// Arguments of json.dumps.
struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  std::optional<std::string> indent = {};  // of one level; absent: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};

/// Throws Error for what JSON cannot express (Undefined, functions, generators).
Text to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace glint::jinja
