// SPDX-License-Identifier: Apache-2.0
#include "server/constraint_fields.h"

#include <optional>

#include "base/printable.h"
#include "server/api_error.h"

namespace glint::server {
namespace {

constexpr size_t kMostTools = 1024;

void check_tools(const Json& tools) {
  if (tools.size() > kMostTools) throw ApiError::invalid(fmt::format("tools: {} of them, and {} is the most", tools.size(), kMostTools));
  for (size_t i = 0; i < tools.size(); ++i) {
    const Fields tool(tools[i], fmt::format("tools[{}].", i));
    const Json* function = tool.object("function");
    if (function == nullptr) tool.refuse("function", "an object");
    const Fields fields(*function, fmt::format("tools[{}].function.", i));
    fields.required_string("name");
    fields.object("parameters");
  }
}

void check_offered(const Json& tools, const std::string& name) {
  for (const Json& tool : tools) {
    if (tool["function"]["name"] == name) return;
  }
  throw ApiError::invalid(fmt::format("tool_choice: there is no tool \"{}\"", printable(name)));
}

bool has_strict_tool(const Json& tools) {
  for (const Json& tool : tools) {
    if (tool["function"].value("strict", Json()) == true) return true;
  }
  return false;
}

/// How often may be called where a call is all there is.
ConstraintSpec::Calls calls_of(const OfferedTools& tools) {
  return tools.may_be_parallel && tools.only.empty() ? ConstraintSpec::Calls::kSome : ConstraintSpec::Calls::kOne;
}

ConstraintSpec spec_of_tools(const OfferedTools& tools) {
  ConstraintSpec spec;
  spec.kind = ConstraintSpec::Kind::kTools;
  spec.text = to_text(tools.offered);
  spec.strict = has_strict_tool(tools.offered);
  spec.tool = tools.only;
  spec.calls = tools.must_call ? calls_of(tools) : ConstraintSpec::Calls::kAuto;
  return spec;
}

std::optional<ConstraintSpec> spec_of_response_format(const Fields& fields) {
  const Json* format = fields.object("response_format");
  if (format == nullptr) return std::nullopt;
  const Fields inner(*format, "response_format.");
  const std::string& type = inner.required_string("type");
  if (type == "text") return std::nullopt;
  ConstraintSpec spec;
  if (type == "json_object") {
    const Json* schema = inner.object("schema");
    spec.text = schema == nullptr ? R"({"type":"object"})" : to_text(*schema);
    return spec;
  }
  if (type != "json_schema") inner.refuse("type", "text, json_object or json_schema");
  const Json* wrapper = inner.object("json_schema");
  const Json* schema = inner.find("schema");
  if (wrapper != nullptr) {
    const Fields wrapped(*wrapper, "response_format.json_schema.");
    schema = wrapped.find("schema");
    spec.strict = wrapped.boolean("strict").value_or(true);
  }
  if (schema == nullptr) throw ApiError::invalid("response_format: type json_schema needs json_schema.schema");
  spec.text = to_text(*schema);
  return spec;
}

/// What the text must be; calls aside.
std::optional<ConstraintSpec> spec_of_text(const Fields& fields) {
  std::optional<ConstraintSpec> spec;
  const auto set = [&](const char* name, ConstraintSpec::Kind kind, std::string text) {
    if (spec) throw ApiError::invalid(fmt::format("{}: another member says already what the answer must be", name));
    spec.emplace();
    spec->kind = kind;
    spec->text = std::move(text);
  };
  using Kind = ConstraintSpec::Kind;
  if (const std::optional<ConstraintSpec> format = spec_of_response_format(fields)) {
    set("response_format", format->kind, format->text);
    spec->strict = format->strict;
  }
  if (const Json* schema = fields.find("json_schema")) {
    set("json_schema", Kind::kJsonSchema, to_text(*schema));
  }
  if (const std::string* grammar = fields.string("grammar"); grammar != nullptr && !grammar->empty()) {
    set("grammar", Kind::kGbnf, *grammar);
  }
  if (const std::string* regex = fields.string("regex")) {
    set("regex", Kind::kRegex, *regex);
  }
  return spec;
}

}  // namespace

OfferedTools read_tools(const Fields& fields) {
  OfferedTools tools;
  tools.may_be_parallel = fields.boolean("parallel_tool_calls").value_or(true);
  const Json* given = fields.array("tools");
  if (given != nullptr && !given->empty()) {
    check_tools(*given);
    tools.offered = *given;
  }
  const Json* choice = fields.find("tool_choice");
  if (choice == nullptr || *choice == "auto") return tools;
  if (*choice == "none") return {};
  if (tools.offered.is_null()) throw ApiError::invalid("tool_choice: there are no tools to choose from");
  tools.must_call = true;
  if (*choice == "required") return tools;
  const Json* function = choice->is_object() ? Fields(*choice, "tool_choice.").object("function") : nullptr;
  if (function == nullptr) fields.refuse("tool_choice", "none, auto, required or {\"type\": \"function\", \"function\": {\"name\": ...}}");
  tools.only = Fields(*function, "tool_choice.function.").required_string("name");
  check_offered(tools.offered, tools.only);
  return tools;
}

std::shared_ptr<const Constraint> read_constraint(const Fields& fields, Service& service, const OfferedTools& tools,
                                                  ThinkingStart thinking) {
  std::optional<ConstraintSpec> spec = spec_of_text(fields);
  const bool has_tools = !tools.offered.is_null();
  if (has_tools && (tools.must_call || (!spec && has_strict_tool(tools.offered)))) {
    spec = spec_of_tools(tools);  // there will be no other text
  } else if (has_tools && spec) {
    spec->or_calls_of = to_text(tools.offered);
    spec->calls = calls_of(tools);
  }
  if (!spec) return nullptr;
  spec->thinking = thinking;
  return service.constraints().compile(*spec);
}

}  // namespace glint::server
