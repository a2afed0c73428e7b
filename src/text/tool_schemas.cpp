// SPDX-License-Identifier: Apache-2.0
#include "text/tool_schemas.h"

#include <algorithm>
#include <array>

#include "text/json_extent.h"

namespace glint {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxReferences = 200;  // branches and references looked at: schemas may go in circles
constexpr size_t kMaxNameBytes = 256;

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

unsigned type_of_value(const Json& value) {
  if (value.is_string()) return kJsonString;
  if (value.is_number_integer()) return kJsonInteger;
  if (value.is_number()) return kJsonFraction;
  if (value.is_boolean()) return kJsonBoolean;
  if (value.is_null()) return kJsonNull;
  return value.is_array() ? kJsonArray : kJsonObject;
}

unsigned named_type(const Json& name) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 7> kNames = {{{"string", kJsonString},
                                                                            {"integer", kJsonInteger},
                                                                            {"number", kJsonInteger | kJsonFraction},
                                                                            {"boolean", kJsonBoolean},
                                                                            {"null", kJsonNull},
                                                                            {"object", kJsonObject},
                                                                            {"array", kJsonArray}}};
  if (!name.is_string()) return kJsonAny;
  for (const auto& [text, types] : kNames) {
    if (name == text) return types;
  }
  return kJsonAny;
}

const Json* resolve(const Json& root, const Json& reference) {
  if (!reference.is_string()) return nullptr;
  const std::string& text = reference.get_ref<const std::string&>();
  if (!text.starts_with("#")) return nullptr;
  try {
    const Json::json_pointer pointer(text.substr(1));
    return root.contains(pointer) ? &root.at(pointer) : nullptr;
  } catch (const Json::exception&) {
    return nullptr;
  }
}

unsigned types_of(const Json& schema, const Json& root, int& references) {
  if (!schema.is_object() || references <= 0) return kJsonAny;
  unsigned types = kJsonAny;
  if (const Json* type = member(schema, "type")) {
    unsigned named = 0;
    for (const Json& name : type->is_array() ? *type : Json::array({*type})) named |= named_type(name);
    types &= named;
  }
  if (const Json* value = member(schema, "const")) types &= type_of_value(*value);
  if (const Json* values = member(schema, "enum"); values != nullptr && values->is_array()) {
    unsigned of_values = 0;
    for (const Json& value : *values) of_values |= type_of_value(value);
    types &= of_values;
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    const Json* branches = member(schema, keyword);
    if (branches == nullptr || !branches->is_array()) continue;
    unsigned any = 0;
    for (const Json& branch : *branches) any |= types_of(branch, root, --references);
    types &= any;
  }
  if (const Json* all = member(schema, "allOf"); all != nullptr && all->is_array()) {
    for (const Json& branch : *all) types &= types_of(branch, root, --references);
  }
  if (const Json* reference = member(schema, "$ref")) {
    if (const Json* target = resolve(root, *reference)) types &= types_of(*target, root, --references);
  }
  return types;
}

/// What the schema of an object says about one of its properties; null: nothing.
const Json* property(const Json& schema, const Json& root, const std::string& key, int references) {
  if (references <= 0) return nullptr;
  if (const Json* properties = member(schema, "properties")) {
    if (const Json* found = member(*properties, key.c_str())) return found;
  }
  if (const Json* reference = member(schema, "$ref")) {
    if (const Json* target = resolve(root, *reference)) return property(*target, root, key, references - 1);
  }
  return member(schema, "additionalProperties");
}

unsigned type_of_text(std::string_view json) {
  switch (json[0]) {
    case '{': return kJsonObject;
    case '[': return kJsonArray;
    case '"': return kJsonString;
    case 't':
    case 'f': return kJsonBoolean;
    case 'n': return kJsonNull;
    default: return json.find_first_of(".eE") == std::string_view::npos ? kJsonInteger : kJsonFraction;
  }
}

}  // namespace

unsigned schema_types(const Json& schema, const Json& root) {
  int references = kMaxReferences;
  return types_of(schema, root, references);
}

bool is_tool_name(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  const auto may_be_in_it = [&](char c) { return is_letter(c) || std::string_view("_-./:").find(c) != std::string_view::npos; };
  return name.size() <= kMaxNameBytes && std::any_of(name.begin(), name.end(), is_letter) &&
         std::all_of(name.begin(), name.end(), may_be_in_it);
}

ToolSchemas::ToolSchemas(const Json& tools) {
  if (!tools.is_array()) return;
  for (const Json& tool : tools) {
    const Json* function = member(tool, "function");
    const Json& described = function != nullptr && function->is_object() ? *function : tool;
    const Json* name = member(described, "name");
    if (name == nullptr || !name->is_string()) continue;
    const Json* parameters = member(described, "parameters");
    if (parameters == nullptr) parameters = member(described, "input_schema");
    tools_.push_back({name->get<std::string>(), parameters == nullptr ? Json() : *parameters});
  }
}

const ToolSchemas::Tool* ToolSchemas::find(std::string_view name) const {
  const auto found = std::find_if(tools_.begin(), tools_.end(), [&](const Tool& tool) { return tool.name == name; });
  return found == tools_.end() ? nullptr : &*found;
}

bool ToolSchemas::is_complete(std::string_view name, const std::vector<std::string>& keys) const {
  const Tool* tool = find(name);
  if (tool == nullptr) return true;
  const Json* required = member(tool->parameters, "required");
  if (required == nullptr || !required->is_array()) return true;
  return std::all_of(required->begin(), required->end(), [&](const Json& key) {
    return !key.is_string() || std::find(keys.begin(), keys.end(), key.get_ref<const std::string&>()) != keys.end();
  });
}

unsigned ToolSchemas::types_of(std::string_view name, const std::string& key) const {
  const Tool* tool = find(name);
  const Json* schema = tool == nullptr ? nullptr : property(tool->parameters, tool->parameters, key, kMaxReferences);
  return schema == nullptr ? static_cast<unsigned>(kJsonAny) : schema_types(*schema, tool->parameters);
}

std::string ToolSchemas::argument(std::string_view name, const std::string& key, std::string_view raw) const {
  const Tool* tool = find(name);
  const Json* schema = tool == nullptr ? nullptr : property(tool->parameters, tool->parameters, key, kMaxReferences);
  const unsigned types = schema == nullptr ? unsigned{kJsonAny} : schema_types(*schema, tool->parameters);
  if (types == kJsonString) return json_quoted(raw);
  std::string_view value = trimmed(raw);
  // Models that think in Python.
  if (value == "True") value = "true";
  if (value == "False") value = "false";
  if (value == "None") value = "null";
  if (!is_json(value)) return json_quoted(raw);
  const unsigned type = type_of_text(value);
  if (type == kJsonString) {  // quotes are the model's own where strings stand without
    return (types & kJsonString) != 0 ? json_quoted(raw) : std::string(value);
  }
  // Of a type that the schema does not have: a string if it has those, else as it is, for the client to judge.
  return (types & type) != 0 || (types & kJsonString) == 0 ? std::string(value) : json_quoted(raw);
}

}  // namespace glint
