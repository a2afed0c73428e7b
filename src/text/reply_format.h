// SPDX-License-Identifier: Apache-2.0
//
// How a model writes what is not plain text in its replies: thinking and tool calls. Found out from its chat template,
// which shows the model's own calls to it in the syntax that it was trained to write.
// Called by the server and the apps; docs/TOOL_CALLS.md lists the syntaxes.
// Tested by tests/unit/text/reply_format_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/thinking.h"

namespace glint {

class Vocab;

enum class CallSyntax {
  kNone,      // no calls
  kGlm,       // <tool_call>name<arg_key>k</arg_key><arg_value>v</arg_value></tool_call>
  kFunction,  // <tool_call><function=name><parameter=k>v</parameter></function></tool_call>, of Qwen3-Coder
  kHermes,    // <tool_call>{"name": ..., "arguments": {...}}</tool_call>
  kLlama,     // {"name": ..., "parameters": {...}} as the whole reply, <|python_tag|> before it or not
  kMistral,   // [TOOL_CALLS][{"name": ..., "arguments": {...}}] or [TOOL_CALLS]name[ARGS]{...}
  kDeepSeek,  // <｜tool▁call▁begin｜>name<｜tool▁sep｜>{...}<｜tool▁call▁end｜>, also with a type and a code fence
  kHarmony,   // gpt-oss: <|channel|>commentary to=functions.name<|message|>{...}<|call|>
};

struct ReplyFormat {
  CallSyntax calls = CallSyntax::kNone;
  ThinkingTags thinking;
  /// The tags are no text wherever they stand. Otherwise an opening tag counts at the start of the reply alone, and a
  /// closing one in thinking: for models whose template knows no thinking, and for output bound by a grammar.
  bool thinking_anywhere = false;
  /// Mistral's list of objects, DeepSeek's type and code fence: of the two forms that a parser takes, the one to ask for.
  bool older_calls = false;

  static ReplyFormat detect(std::string_view template_text);
  /// Texts that carry the format. Vocabularies often have them as control tokens, which output usually leaves out.
  std::vector<std::string> markers() const;
};

/// Those markers that are control tokens of a vocabulary, ascending: GenerateOptions::shown_ids, without which a parser
/// would not see them.
std::vector<int32_t> shown_marker_ids(const ReplyFormat& format, const Vocab& vocab);

/// Where a reply to `prompt` starts.
ThinkingStart thinking_start(std::string_view prompt, const ReplyFormat& format);

const char* name_of(CallSyntax syntax);

}  // namespace glint
