// SPDX-License-Identifier: Apache-2.0
//
// Anthropic's Messages API to the server's own form of a chat (OpenAI's): blocks to messages, tools, settings.
// Tested by tests/unit/server/anthropic_test.cpp.
#include "server/anthropic_messages.h"

#include "base/printable.h"
#include "server/api_error.h"

namespace glint::server {
namespace {

void append_text(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += "\n";
  text += more;
}

/// A string, or the text of blocks of type text.
std::string text_of(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) throw ApiError::invalid(where + ": expected a string or an array of blocks");
  std::string text;
  for (const Json& block : content) {
    const Fields fields(block, where + "[].");
    const std::string& type = fields.required_string("type");
    if (type != "text") throw ApiError::invalid(fmt::format("{}: blocks of type \"{}\" are not supported here", where, printable(type)));
    append_text(text, fields.required_string("text"));
  }
  return text;
}

class MessageTranslator {
 public:
  MessageTranslator(const Json& message, size_t index, Json& out) : where_(fmt::format("messages[{}]", index)), out_(out) {
    const Fields fields(message, where_ + ".");
    role_ = fields.required_string("role");
    if (role_ != "user" && role_ != "assistant" && role_ != "system") fields.refuse("role", "user or assistant");
    const Json* content = fields.find("content");
    if (content == nullptr) fields.refuse("content", "a string or an array of blocks");
    if (content->is_string()) {
      text_ = content->get<std::string>();
    } else if (content->is_array()) {
      for (const Json& block : *content) add(Fields(block, where_ + ".content[]."));
    } else {
      fields.refuse("content", "a string or an array of blocks");
    }
    finish();
  }

 private:
  void add(const Fields& block) {
    const std::string& type = block.required_string("type");
    if (type == "text") {
      append_text(text_, block.required_string("text"));
    } else if (type == "thinking") {
      append_text(reasoning_, block.required_string("thinking"));
    } else if (type == "tool_use") {
      const Json* input = block.object("input");
      calls_.push_back({{"id", block.required_string("id")},
                        {"type", "function"},
                        {"function", {{"name", block.required_string("name")},
                                      {"arguments", to_text(input == nullptr ? Json::object() : *input)}}}});
    } else if (type == "tool_result") {
      const Json* content = block.find("content");
      out_.push_back({{"role", "tool"},
                      {"tool_call_id", block.required_string("tool_use_id")},
                      {"content", content == nullptr ? "" : text_of(*content, where_ + ".content")}});
      has_results_ = true;
    } else if (type != "redacted_thinking") {
      throw ApiError::invalid(fmt::format("{}: blocks of type \"{}\" are not supported by this model", where_, printable(type)));
    }
  }

  void finish() {
    if (role_ != "assistant" && has_results_ && text_.empty()) return;
    Json message = {{"role", role_}, {"content", text_}};
    if (!reasoning_.empty()) message["reasoning_content"] = reasoning_;
    if (!calls_.empty()) message["tool_calls"] = calls_;
    out_.push_back(std::move(message));
  }

  std::string where_, role_, text_, reasoning_;
  Json calls_ = Json::array();
  bool has_results_ = false;
  Json& out_;
};

Json translate_tools(const Json& tools) {
  Json translated = Json::array();
  for (const Json& tool : tools) {
    const Fields fields(tool, "tools[].");
    const std::string& name = fields.required_string("name");
    const Json* schema = fields.object("input_schema");
    if (schema == nullptr) throw ApiError::invalid(fmt::format("tools: \"{}\" is a tool of the server's, which has none", printable(name)));
    Json function = {{"name", name}};
    if (const std::string* description = fields.string("description")) function["description"] = *description;
    function["parameters"] = *schema;
    if (fields.boolean("strict").value_or(false)) function["strict"] = true;
    translated.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return translated;
}

void translate_tool_choice(const Fields& choice, Json& body) {
  const std::string& type = choice.required_string("type");
  if (type == "auto" || type == "none") {
    body["tool_choice"] = type;
  } else if (type == "any") {
    body["tool_choice"] = "required";
  } else if (type == "tool") {
    body["tool_choice"] = {{"type", "function"}, {"function", {{"name", choice.required_string("name")}}}};
  } else {
    choice.refuse("type", "auto, any, tool or none");
  }
  if (choice.boolean("disable_parallel_tool_use").value_or(false)) body["parallel_tool_calls"] = false;
}

void translate_output(const Fields& output, Json& body) {
  if (const std::string* effort = output.string("effort")) body["reasoning_effort"] = *effort;
  const Json* format = output.object("format");
  if (format == nullptr) return;
  const Fields fields(*format, "output_config.format.");
  if (fields.required_string("type") != "json_schema") fields.refuse("type", "json_schema");
  const Json* schema = fields.object("schema");
  if (schema == nullptr) fields.refuse("schema", "an object");
  body["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"schema", *schema}}}};
}

}  // namespace

Json translate_anthropic(const Fields& fields) {
  Json messages = Json::array();
  if (const Json* system = fields.find("system")) {
    messages.push_back({{"role", "system"}, {"content", text_of(*system, "system")}});
  }
  const Json* given = fields.array("messages");
  if (given == nullptr || given->empty()) fields.refuse("messages", "an array with at least one message");
  for (size_t i = 0; i < given->size(); ++i) MessageTranslator((*given)[i], i, messages);
  Json body = {{"messages", std::move(messages)}};
  for (const char* name : {"max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "seed", "chat_template_kwargs"}) {
    if (const Json* value = fields.find(name)) body[name] = *value;
  }
  if (const Json* tools = fields.array("tools"); tools != nullptr && !tools->empty()) body["tools"] = translate_tools(*tools);
  if (const Json* choice = fields.object("tool_choice")) translate_tool_choice(Fields(*choice, "tool_choice."), body);
  if (const Json* thinking = fields.object("thinking")) {
    const Fields how(*thinking, "thinking.");
    if (how.required_string("type") == "disabled") {
      body["reasoning_budget"] = 0;
    } else if (const std::optional<int> budget = how.count("budget_tokens", 1)) {
      body["reasoning_budget"] = *budget;
    }
  }
  if (const Json* output = fields.object("output_config")) translate_output(Fields(*output, "output_config."), body);
  return body;
}

}  // namespace glint::server
