// SPDX-License-Identifier: Apache-2.0
//
// JSON at the server's edge: reading bodies that may be hostile, and writing answers. Objects keep the order of their
// members, because schemas and tools are shown to the model as they came.
// Called by every endpoint. Tested by tests/unit/server/json_test.cpp.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace glint::server {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  size_t nesting = 128;
  size_t values = 2'000'000;
};

/// Time and memory are linear in the text, whatever it holds. Throws ApiError (400) for what is no JSON in UTF-8, for a
/// name that an object has twice, and past a limit.
Json parse_json(std::string_view text, const JsonLimits& limits = {});

/// Compact; always valid UTF-8.
std::string to_text(const Json& value);

}  // namespace glint::server
