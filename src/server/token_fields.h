// SPDX-License-Identifier: Apache-2.0
//
// Token ids and prompts in requests: numbers that must be tokens, and llama.cpp's mixtures of ids and text.
// Called by the endpoints. Tested by tests/unit/server/text_endpoints_test.cpp.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "server/json.h"
#include "server/service.h"

namespace glint::server {

/// Throws ApiError naming the member for what is no id of the vocabulary.
std::vector<int32_t> read_ids(const Json& array, const Service& service, std::string_view name);
/// One prompt: a string, or an array of ids and strings.
std::vector<int32_t> read_prompt(const Json& prompt, const Service& service, std::string_view name);
/// One prompt or several: an array of strings or of arrays, too.
std::vector<std::vector<int32_t>> read_prompts(const Json& prompts, const Service& service, std::string_view name);

}  // namespace glint::server
