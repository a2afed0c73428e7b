// SPDX-License-Identifier: Apache-2.0
//
// The steps behind ChatTemplate: one rendering of messages as they are, the probing of a template with examples, and
// the changes to messages that follow from what was found.
// Tested by tests/unit/text/chat_test.cpp.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "text/chat.h"

namespace glint {

using SpecialTokens = std::map<std::string, std::string>;

/// Renders without any normalisation. `none_tools`: without tools, the variable is none; else it is not set.
ChatPrompt render_as_is(const jinja::Template& chat, const SpecialTokens& special_tokens, const ChatInput& input,
                        bool none_tools = true);

ChatCapabilities probe_capabilities(const jinja::Template& chat, const SpecialTokens& special_tokens);

/// The messages as the template wants them. Throws Error naming the message for what is malformed.
nlohmann::ordered_json normalise_messages(const nlohmann::ordered_json& messages, const ChatCapabilities& capabilities);

}  // namespace glint
