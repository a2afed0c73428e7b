// SPDX-License-Identifier: Apache-2.0
#include "text/chat.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "text/chat_render.h"

namespace glint {
namespace {

using Json = nlohmann::ordered_json;

/// A template may write '<|' + role + '|>': the role names of chat count as its own words.
bool is_role_name(std::string_view key, std::string_view text) {
  constexpr std::array<std::string_view, 8> kRoles = {"system", "developer", "user",        "assistant",
                                                      "tool",   "function",  "observation", "ipython"};
  return key == "role" && std::find(kRoles.begin(), kRoles.end(), text) != kRoles.end();
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm broken_down{};
  localtime_r(&now, &broken_down);
  return broken_down;
}

/// Tools as the template sees them: an empty list is none.
Json tools_variable(const Json* tools) {
  return tools == nullptr || tools->empty() ? Json() : *tools;
}

}  // namespace

ChatPrompt render_as_is(const jinja::Template& chat, const SpecialTokens& special_tokens, const ChatInput& input,
                        bool none_tools) {
  Json variables = {{"messages", *input.messages},
                    {"tools", tools_variable(input.tools)},
                    {"documents", nullptr},
                    {"add_generation_prompt", input.add_generation_prompt}};
  if (input.variables != nullptr && !input.variables->is_null()) {
    if (!input.variables->is_object()) fail("template variables must be a JSON object");
    for (const auto& [name, value] : input.variables->items()) {
      if (name == "messages") fail("template variables cannot replace the messages");
      variables[name] = name == "tools" ? tools_variable(&value) : value;
    }
  }
  if (variables["tools"].is_null() && !none_tools) variables.erase("tools");
  for (const auto& [name, text] : special_tokens) {
    if (!variables.contains(name)) variables[name] = text;
  }
  jinja::RenderOptions options{.limits = input.limits, .now = input.now ? *input.now : local_time(), .trusted = {}};
  options.trusted = [&](std::string_view key, std::string_view text) {
    const auto token = special_tokens.find(std::string(key));
    return is_role_name(key, text) || (token != special_tokens.end() && token->second == text);
  };
  ChatPrompt prompt;
  for (const jinja::Piece& piece : chat.render(variables, options)) {
    const size_t begin = prompt.text.size();
    prompt.text += piece.text;
    if (!piece.from_template) prompt.literal.push_back({begin, prompt.text.size()});
  }
  return prompt;
}

ChatTemplate::ChatTemplate(std::string_view source, std::map<std::string, std::string> special_tokens)
    : template_(source),
      special_tokens_(std::move(special_tokens)),
      capabilities_(probe_capabilities(template_, special_tokens_)) {}

ChatPrompt ChatTemplate::render(const ChatInput& input) const {
  if (input.messages == nullptr) fail("no messages");
  const Json messages = normalise_messages(*input.messages, capabilities_);
  ChatInput normalised = input;
  normalised.messages = &messages;
  return render_as_is(template_, special_tokens_, normalised, capabilities_.none_tools);
}

}  // namespace glint
