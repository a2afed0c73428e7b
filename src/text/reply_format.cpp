// SPDX-License-Identifier: Apache-2.0
#include "text/reply_format.h"

#include <algorithm>

#include "text/vocab.h"

namespace glint {
namespace {

CallSyntax detect_calls(std::string_view text) {
  const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
  if (has("<|channel|>") && has("<|message|>")) return CallSyntax::kHarmony;
  if (has("<arg_key>")) return CallSyntax::kGlm;
  if (has("<tool_call>")) return has("<function=") && has("<parameter=") ? CallSyntax::kFunction : CallSyntax::kHermes;
  if (has("<｜tool▁call▁begin｜>")) return CallSyntax::kDeepSeek;
  if (has("[TOOL_CALLS]")) return CallSyntax::kMistral;
  if (has("<|python_tag|>") || has("\"parameters\": dictionary")) return CallSyntax::kLlama;
  return CallSyntax::kNone;
}

}  // namespace

ReplyFormat ReplyFormat::detect(std::string_view template_text) {
  ReplyFormat format;
  format.calls = detect_calls(template_text);
  const auto has = [&](std::string_view part) { return template_text.find(part) != std::string_view::npos; };
  format.older_calls = (format.calls == CallSyntax::kMistral && !has("[ARGS]")) ||
                       (format.calls == CallSyntax::kDeepSeek && has("```json"));
  if (format.calls == CallSyntax::kHarmony) {
    // What a constraint waits for; the parser reads channels.
    format.thinking = {"<|channel|>analysis<|message|>", "<|channel|>final<|message|>"};
    format.thinking_anywhere = true;
    return format;
  }
  for (const ThinkingTags& tags : {ThinkingTags{"[THINK]", "[/THINK]"}, ThinkingTags{"<seed:think>", "</seed:think>"},
                                   ThinkingTags{"<think>", "</think>"}}) {
    if (!has(tags.open) && !has(tags.close)) continue;
    format.thinking = tags;
    format.thinking_anywhere = true;
    break;
  }
  return format;
}

std::vector<std::string> ReplyFormat::markers() const {
  std::vector<std::string> markers;
  switch (calls) {
    case CallSyntax::kNone: break;
    case CallSyntax::kGlm:
      markers = {"<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"};
      break;
    case CallSyntax::kFunction:
    case CallSyntax::kHermes: markers = {"<tool_call>", "</tool_call>"}; break;
    case CallSyntax::kLlama: markers = {"<|python_tag|>"}; break;
    case CallSyntax::kMistral: markers = {"[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"}; break;
    case CallSyntax::kDeepSeek:
      markers = {"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>",
                 "<｜tool▁sep｜>"};
      break;
    case CallSyntax::kHarmony:
      return {"<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|call|>", "<|return|>"};
  }
  markers.push_back(thinking.open);
  markers.push_back(thinking.close);
  return markers;
}

std::vector<int32_t> shown_marker_ids(const ReplyFormat& format, const Vocab& vocab) {
  std::vector<int32_t> ids;
  for (const std::string& marker : format.markers()) {
    const std::optional<int32_t> id = vocab.find(marker);
    if (id && vocab.is_special(*id) && !vocab.is_end_of_generation(*id)) ids.push_back(*id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

ThinkingStart thinking_start(std::string_view prompt, const ReplyFormat& format) {
  if (format.calls == CallSyntax::kHarmony || ends_inside_thinking(prompt, format.thinking)) {
    return ThinkingStart::kInside;
  }
  const size_t end = prompt.find_last_not_of(" \t\r\n");
  const bool closed =
      end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(format.thinking.close);
  return format.thinking_anywhere && !closed ? ThinkingStart::kMayOpen : ThinkingStart::kNone;
}

const char* name_of(CallSyntax syntax) {
  switch (syntax) {
    case CallSyntax::kNone: return "none";
    case CallSyntax::kGlm: return "glm";
    case CallSyntax::kFunction: return "function";
    case CallSyntax::kHermes: return "hermes";
    case CallSyntax::kLlama: return "llama";
    case CallSyntax::kMistral: return "mistral";
    case CallSyntax::kDeepSeek: return "deepseek";
    case CallSyntax::kHarmony: return "harmony";
  }
  return "none";
}

}  // namespace glint
