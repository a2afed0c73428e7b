// SPDX-License-Identifier: Apache-2.0
//
// A glint_chat as a prompt, in text and in tokens. Called by text.cpp and request.cpp. Tested by tests/c_api.
#pragma once

#include <cstdint>
#include <vector>

#include "c_api/handles.h"

namespace glint::c_api {

/// Throws Error for JSON that is none, for messages that are none, and for what the template objects to.
ChatPrompt render(const glint_engine& engine, const glint_chat* chat);
/// Nothing that stands in a message becomes a control token.
std::vector<int32_t> tokenize(const glint_engine& engine, const ChatPrompt& prompt);

}  // namespace glint::c_api
