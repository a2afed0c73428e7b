// SPDX-License-Identifier: Apache-2.0
#include "text/call_reader.h"

#include <algorithm>

#include "text/json_extent.h"

namespace glint {

CallReader::Match CallReader::take(std::string_view text, std::string_view tag, bool is_end) {
  const size_t start = std::min(text.find_first_not_of(" \t\r\n", at_), text.size());
  const std::string_view rest = text.substr(start);
  if (rest.starts_with(tag)) {
    at_ = searched_ = start + tag.size();
    return Match::kYes;
  }
  return tag.starts_with(rest) && !is_end ? Match::kOpen : Match::kNo;
}

size_t CallReader::find(std::string_view text, std::string_view tag) {
  const size_t found = text.find(tag, std::max(at_, searched_));
  if (found == std::string_view::npos) {
    searched_ = std::max(at_, text.size() - std::min(text.size(), tag.size() - 1));
  } else {
    searched_ = found;
  }
  return found;
}

std::string_view call_opener(CallSyntax syntax) {
  switch (syntax) {
    case CallSyntax::kGlm:
    case CallSyntax::kFunction:
    case CallSyntax::kHermes: return "<tool_call>";
    case CallSyntax::kLlama: return "<|python_tag|>";
    case CallSyntax::kMistral: return "[TOOL_CALLS]";
    case CallSyntax::kDeepSeek: return "<｜tool▁call▁begin｜>";
    case CallSyntax::kNone:
    case CallSyntax::kHarmony: break;
  }
  return {};
}

std::unique_ptr<CallReader> make_call_reader(CallSyntax syntax, const ToolSchemas& tools) {
  switch (syntax) {
    case CallSyntax::kGlm: return make_glm_call_reader(tools);
    case CallSyntax::kFunction: return make_function_call_reader(tools);
    case CallSyntax::kHermes: return make_hermes_call_reader();
    case CallSyntax::kLlama: return make_llama_call_reader();
    case CallSyntax::kMistral: return make_mistral_call_reader();
    case CallSyntax::kDeepSeek: return make_deepseek_call_reader();
    case CallSyntax::kNone:
    case CallSyntax::kHarmony: break;
  }
  return nullptr;
}

bool parse_json_call(std::string_view json, ParsedCall& call) {
  const auto members = json_members(json);
  if (!members) return false;
  call = {.id = {}, .name = {}, .arguments = "{}"};
  for (const JsonMember& member : *members) {
    if (member.key == "function" && member.value.starts_with('{')) return parse_json_call(member.value, call);
    if (member.key == "name" || member.key == "function") call.name = json_string(member.value).value_or("");
    if (member.key == "id") call.id = json_string(member.value).value_or("");
    if ((member.key != "arguments" && member.key != "parameters") || member.value == "null") continue;
    call.arguments = json_string(member.value).value_or(std::string(member.value));
  }
  return is_tool_name(call.name) && json_members(call.arguments).has_value();
}

}  // namespace glint
