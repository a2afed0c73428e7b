// SPDX-License-Identifier: Apache-2.0
//
// A chat as every API's endpoint hands it on, and its way to token ids. Messages and tools have OpenAI's form whatever
// API they came by. Text that users and tools wrote never becomes control tokens; calls that this server handed out become
// the very tokens that the model wrote.
// Tested by tests/unit/server/text_endpoints_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/json.h"
#include "server/service.h"

namespace glint::server {

struct ChatMessages {
  Json messages = Json::array();
  Json tools = nullptr;                // array, or null
  Json variables = Json::object();     // of the template, over the server's own
  std::optional<bool> thinking = {};   // absent: as the template has it
  bool add_generation_prompt = true;
};

struct ChatIds {
  std::string text;
  std::vector<int32_t> ids;
  ThinkingStart thinking = ThinkingStart::kNone;
};

/// Throws ApiError for messages that are no chat, and for what the template objects to.
ChatIds render_chat(const Service& service, const ChatMessages& chat);

}  // namespace glint::server
