// SPDX-License-Identifier: Apache-2.0
//
// From messages to token ids, with the flags that say how: shared by `run`, `chat` and `template`. Text that users and
// tools wrote never becomes control tokens.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "text/chat.h"
#include "text/reply_format.h"

namespace glint::app {

struct PromptOptions {
  std::string system;
  std::string system_file;
  std::string template_text;
  std::string template_file;
  std::string variables;   // JSON object
  std::string reasoning;   // on, off, auto
  bool conversation = false;
  bool no_conversation = false;
  bool single_turn = false;
  bool escape = true;

  /// -p is a user's message, not raw text.
  bool is_chat() const { return !no_conversation && (conversation || single_turn || !system.empty() || !system_file.empty()); }
};

void add_prompt_options(CLI::App& command, PromptOptions& options);

/// The template of the flags, or else of the file; throws Error when there is none.
ChatTemplate chat_template(const PromptOptions& options, const gguf::File& file);
/// The JSON object of --chat-template-kwargs, with --reasoning added.
nlohmann::ordered_json template_variables(const PromptOptions& options, const ChatTemplate& chat_template);
/// The conversation so far: the system message of the flags, if any.
nlohmann::ordered_json system_messages(const PromptOptions& options);

struct ChatIds {
  std::vector<int32_t> ids;
  ReplyFormat format;  // of the template
  ThinkingStart thinking = ThinkingStart::kNone;
};
ChatIds render_ids(const ChatTemplate& chat_template, const Tokenizer& tokenizer, const nlohmann::ordered_json& messages,
                   const nlohmann::ordered_json& variables);

}  // namespace glint::app
