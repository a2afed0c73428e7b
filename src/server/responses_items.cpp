// SPDX-License-Identifier: Apache-2.0
#include "server/responses_items.h"

#include "base/printable.h"
#include "server/api_error.h"

namespace glint::server {
namespace {

/// A string, or the text of parts of type input_text and output_text.
std::string text_of(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) throw ApiError::invalid(where + ": expected a string or an array of parts");
  std::string text;
  for (const Json& part : content) {
    const Fields fields(part, where + "[].");
    const std::string& type = fields.required_string("type");
    if (!type.ends_with("text")) {
      throw ApiError::invalid(fmt::format("{}: parts of type \"{}\" are not supported by this model", where, printable(type)));
    }
    text += fields.required_string("text");
  }
  return text;
}

class ItemTranslator {
 public:
  explicit ItemTranslator(Json& messages) : messages_(messages) {}

  void add(const Json& item, size_t index) {
    const std::string where = fmt::format("input[{}]", index);
    const Fields fields(item, where + ".");
    const std::string* given = fields.string("type");
    const std::string type = given == nullptr ? "message" : *given;
    if (type == "message") {
      const Json* content = fields.find("content");
      if (content == nullptr) fields.refuse("content", "a string or an array of parts");
      const std::string& role = fields.required_string("role");
      Json& message = role == "assistant" ? assistant() : new_message(role);
      message["content"] = text_of(*content, where + ".content");
    } else if (type == "function_call") {
      Json& message = assistant();
      message["tool_calls"].push_back(
          {{"id", fields.required_string("call_id")},
           {"type", "function"},
           {"function", {{"name", fields.required_string("name")}, {"arguments", fields.required_string("arguments")}}}});
    } else if (type == "function_call_output") {
      const Json* output = fields.find("output");
      if (output == nullptr) fields.refuse("output", "a string or an array of parts");
      Json& message = new_message("tool");
      message["tool_call_id"] = fields.required_string("call_id");
      message["content"] = text_of(*output, where + ".output");
    } else if (type == "reasoning") {
      if (const Json* content = fields.array("content")) assistant()["reasoning_content"] = text_of(*content, where + ".content");
    } else {
      throw ApiError::invalid(fmt::format("{}: items of type \"{}\" are not supported", where, printable(type)));
    }
  }

 private:
  Json& new_message(const std::string& role) {
    messages_.push_back({{"role", role}, {"content", ""}});
    return messages_.back();
  }
  /// Thought, text and calls of one turn are items of their own; together they are one message.
  Json& assistant() {
    if (!messages_.empty() && messages_.back()["role"] == "assistant") return messages_.back();
    return new_message("assistant");
  }

  Json& messages_;
};

/// Functions are offered; tools that only OpenAI's own servers have are left out.
Json translate_tools(const Json& tools) {
  Json translated = Json::array();
  for (const Json& tool : tools) {
    const Fields fields(tool, "tools[].");
    if (fields.required_string("type") != "function") continue;
    Json function = tool;
    function.erase("type");
    translated.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return translated;
}

Json translate_tool_choice(const Json& choice) {
  if (!choice.is_object()) return choice;
  return {{"type", "function"}, {"function", {{"name", Fields(choice, "tool_choice.").required_string("name")}}}};
}

void translate_format(const Fields& text, Json& body) {
  const Json* format = text.object("format");
  if (format == nullptr) return;
  const std::string& type = Fields(*format, "text.format.").required_string("type");
  body["response_format"] = type == "json_schema" ? Json({{"type", type}, {"json_schema", *format}}) : *format;
}

}  // namespace

Json read_items(const Fields& fields, Json earlier) {
  const Json* input = fields.find("input");
  if (input == nullptr || !(input->is_string() || input->is_array())) fields.refuse("input", "a string or an array of items");
  if (input->is_string()) {
    earlier.push_back({{"type", "message"}, {"role", "user"}, {"content", *input}});
  } else {
    for (const Json& item : *input) earlier.push_back(item);
  }
  return earlier;
}

Json translate_responses(const Fields& fields, const Json& items) {
  if (fields.find("conversation") != nullptr) {
    throw ApiError::invalid("conversation: not supported; use previous_response_id, or send the whole conversation as input");
  }
  Json messages = Json::array();
  if (const std::string* instructions = fields.string("instructions")) {
    messages.push_back({{"role", "system"}, {"content", *instructions}});
  }
  ItemTranslator translator(messages);
  for (size_t i = 0; i < items.size(); ++i) translator.add(items[i], i);
  Json body = {{"messages", std::move(messages)}};
  for (const char* name : {"temperature", "top_p", "parallel_tool_calls", "seed", "chat_template_kwargs", "reasoning_budget"}) {
    if (const Json* value = fields.find(name)) body[name] = *value;
  }
  if (const std::optional<int> limit = fields.count("max_output_tokens", 1)) body["max_tokens"] = *limit;
  if (const Json* tools = fields.array("tools")) body["tools"] = translate_tools(*tools);
  const bool has_tools = body.contains("tools") && !body["tools"].empty();
  if (const Json* choice = fields.find("tool_choice"); choice != nullptr && has_tools) body["tool_choice"] = translate_tool_choice(*choice);
  if (const Json* text = fields.object("text")) translate_format(Fields(*text, "text."), body);
  if (const Json* reasoning = fields.object("reasoning")) {
    if (const std::string* effort = Fields(*reasoning, "reasoning.").string("effort")) body["reasoning_effort"] = *effort;
  }
  return body;
}

}  // namespace glint::server
