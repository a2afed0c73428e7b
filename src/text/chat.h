// SPDX-License-Identifier: Apache-2.0
//
// DESCRIPTION
// Messages, tools and template variables to a prompt, as transformers' apply_chat_template gives them to the template,
// after these normalisations (each only where the template needs it, found out once by rendering small examples):
//   - tool call arguments: a JSON string becomes an object, or an object a string for a template that prints it as is
//   - `tool_calls` that is null or empty is dropped; content null becomes "" where null would print as "None"
//   - content that is a list of text parts is joined with newlines for a role whose list content the template mangles
//   - without tools `tools` is none, or left undefined for a template that cannot render none
//   - "developer" becomes "system"; system messages after the first place are merged into the first; with no system
//   role
//     at all, the system text goes in front of the first user message
// Everything else reaches the template as it came, unknown fields included.
//
// A template that cannot be parsed is an Error at construction; there is no built-in format to fall back to.
// Thread-safe once constructed. Called by engine, apps and serve.
// Tested by tests/unit/text/chat_test.cpp and tests/integration/jinja_differential_test.py.
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"
#include "text/jinja/template.h"

namespace glint {

namespace gguf {
class Metadata;
}

/// What a template was seen to do with small examples.
struct ChatCapabilities {
  bool system_role = true;         // shows the text of a first system message
  bool late_system_role = true;    // and of later ones
  bool developer_role = true;      // shows the text of a developer message
  bool tools = false;              // shows tool definitions
  bool none_tools = true;          // renders with tools = none, as transformers passes it
  bool tool_calls = false;         // shows the calls of an assistant message
  bool object_arguments = true;    // wants their arguments as objects, not as JSON strings
  bool null_content = true;        // content null prints nothing
  bool reasoning_content = false;  // shows the reasoning_content of the current turn
  std::string thinking_variable;   // the variable that turns thinking on or off; empty if none does
  bool thinks_by_default = false;  // the prompt for an answer ends inside an opened thinking tag
  std::map<std::string, bool, std::less<>> list_content;  // role: shows a list of text parts as its text
};

/// What to render. The pointers are borrowed for the call; null means none.
struct ChatInput {
  const nlohmann::ordered_json* messages = nullptr;   // array of message objects
  const nlohmann::ordered_json* tools = nullptr;      // array of tool definitions
  const nlohmann::ordered_json* variables = nullptr;  // object, such as {"enable_thinking": false}
  bool add_generation_prompt = true;
  std::optional<std::tm> now = {};  // the date the template may print; absent: the local time
  jinja::RenderLimits limits = {};
};

struct ChatPrompt {
  std::string text;
  /// Bytes that came from the input and not from the template: EncodeOptions::literal keeps control tokens out of them.
  std::vector<ByteRange> literal;
};

class ChatTemplate {
 public:
  /// `special_tokens`: variables such as {"bos_token": "<s>"}, as trustworthy as the template itself.
  explicit ChatTemplate(std::string_view source, std::map<std::string, std::string> special_tokens = {});

  const std::string& source() const { return template_.source(); }
  const ChatCapabilities& capabilities() const { return capabilities_; }

  /// Throws Error for malformed messages and for whatever the template objects to.
  ChatPrompt render(const ChatInput& input) const;

 private:
  jinja::Template template_;
  std::map<std::string, std::string> special_tokens_;
  ChatCapabilities capabilities_;
};

/// Variables that a file's template may name: {"bos_token": "<s>", ...}.
std::map<std::string, std::string> template_tokens(const gguf::Metadata& metadata);

/// Error naming the first image, audio, video or file among the content of `messages`, which most templates would drop
/// without a word. For callers that serve a text model.
void require_text_content(const nlohmann::ordered_json& messages);

}  // namespace glint
