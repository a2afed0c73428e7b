// SPDX-License-Identifier: Apache-2.0
#include "server/chat_prompt.h"

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "server/api_error.h"
#include "server/fields.h"

namespace glint::server {
namespace {

constexpr size_t kMostMessages = 10'000;
constexpr std::array<std::string_view, 6> kRoles = {"system", "developer", "user", "assistant", "tool", "function"};

void check_messages(const Json& messages) {
  if (!messages.is_array() || messages.empty()) throw ApiError::invalid("messages: expected an array with at least one message");
  if (messages.size() > kMostMessages) {
    throw ApiError::invalid(fmt::format("messages: {} of them, and {} is the most", messages.size(), kMostMessages));
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    const Fields fields(messages[i], fmt::format("messages[{}].", i));
    const std::string& role = fields.required_string("role");
    if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end()) {
      throw ApiError::invalid(fmt::format("messages[{}].role: \"{}\" is unknown", i, printable(role)));
    }
    const Json* content = fields.find("content");
    if (content != nullptr && !content->is_string() && !content->is_array()) {
      fields.refuse("content", "a string, null or an array of parts");
    }
  }
  require_text_content(messages);
}

/// The text of a last message of the assistant that is to be continued.
std::optional<std::string> prefill(const Json& message) {
  if (message.value("role", "") != "assistant" || message.contains("tool_calls")) return std::nullopt;
  const Fields fields(message);
  const Json* content = fields.find("content");
  std::string text;
  if (content != nullptr && content->is_string()) text = content->get<std::string>();
  if (content != nullptr && content->is_array()) {
    for (const Json& part : *content) {
      if (part.is_object()) text += part.value("text", "");
    }
  }
  return text;
}

void switch_thinking(const ChatTemplate& chat, const ChatMessages& input, Json& variables) {
  if (!input.thinking) return;
  const std::string& name = chat.capabilities().thinking_variable;
  if (!name.empty()) variables[name] = *input.thinking;
}

}  // namespace

ChatIds render_chat(const Service& service, const ChatMessages& chat) {
  check_messages(chat.messages);
  const ChatTemplate& chat_template = service.chat();
  Json variables = service.options().template_variables;
  switch_thinking(chat_template, chat, variables);
  variables.update(chat.variables);

  Json messages = chat.messages;
  std::optional<std::string> begun;
  if (chat.add_generation_prompt && service.options().prefill_assistant) begun = prefill(messages.back());
  if (begun) messages.erase(messages.size() - 1);
  if (messages.empty()) throw ApiError::invalid("messages: nothing comes before the assistant's message");

  ChatInput input;
  input.messages = &messages;
  input.tools = chat.tools.is_null() ? nullptr : &chat.tools;
  input.variables = &variables;
  input.add_generation_prompt = chat.add_generation_prompt;
  ChatPrompt prompt = chat_template.render(input);
  ChatIds result;
  if (chat.add_generation_prompt) result.thinking = thinking_start(prompt.text, service.reply_format());
  if (begun) {
    // What is continued is the answer, so the thought before it is over.
    if (ends_inside_thinking(prompt.text, service.reply_format().thinking)) {
      prompt.text += service.reply_format().thinking.close;
    }
    result.thinking = ThinkingStart::kNone;
    prompt.literal.push_back({prompt.text.size(), prompt.text.size() + begun->size()});
    prompt.text += *begun;
  }
  result.ids = service.calls().encode(
      service.tokenizer(), prompt, service.reply_format(), messages, input.tools,
      {.add_special = true, .parse_special = true, .single_bos = true, .literal = prompt.literal});
  result.text = std::move(prompt.text);
  return result;
}

}  // namespace glint::server
