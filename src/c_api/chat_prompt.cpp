// SPDX-License-Identifier: Apache-2.0
#include "c_api/chat_prompt.h"

#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "c_api/status.h"

namespace glint::c_api {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostNesting = 200;

Json parse(const char* text, const char* name) {
  const auto check_nesting = [&](int nesting, Json::parse_event_t, Json&) {
    if (nesting > kMostNesting) fail("{}: nested more than {} deep", name, kMostNesting);
    return true;
  };
  try {
    return Json::parse(text, check_nesting);
  } catch (const Json::exception& error) {
    fail("{}: not JSON: {}", name, printable(error.what(), 200));
  }
}

}  // namespace

ChatPrompt render(const glint_engine& engine, const glint_chat* given) {
  const glint_chat chat = adopt(given, "chat");
  const ChatTemplate& chat_template = engine.chat();
  if (chat.messages == nullptr) fail("chat: there are no messages");
  const Json messages = parse(chat.messages, "messages");
  if (!messages.is_array() || messages.empty()) fail("messages: expected an array with at least one message");
  require_text_content(messages);
  Json tools, variables = Json::object();
  if (chat.tools != nullptr) {
    tools = parse(chat.tools, "tools");
    if (!tools.is_array()) fail("tools: expected an array");
  }
  if (chat.variables != nullptr) {
    variables = parse(chat.variables, "variables");
    if (!variables.is_object()) fail("variables: expected an object like {{\"enable_thinking\": false}}");
  }
  if (chat.thinking != 0) {
    const std::string& name = chat_template.capabilities().thinking_variable;
    if (name.empty()) fail("thinking: this model's template has no switch for it");
    variables[name] = chat.thinking > 0;
  }
  ChatInput input;
  input.messages = &messages;
  input.tools = tools.is_null() ? nullptr : &tools;
  input.variables = &variables;
  input.add_generation_prompt = chat.is_complete == 0;
  return chat_template.render(input);
}

std::vector<int32_t> tokenize(const glint_engine& engine, const ChatPrompt& prompt) {
  return engine.facts().tokenizer().encode(
      prompt.text, {.add_special = true, .parse_special = true, .single_bos = true, .literal = prompt.literal});
}

}  // namespace glint::c_api
