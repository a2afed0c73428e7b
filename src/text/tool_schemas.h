// SPDX-License-Identifier: Apache-2.0
//
// The tools of a request, as far as reading calls needs them: which there are, and of which types a parameter may be.
// Several syntaxes write strings without quotes, so that only the schema tells "5" from 5.
// Called by the readers of tool calls. Tested by tests/unit/text/tool_schemas_test.cpp.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glint {

class ToolSchemas {
 public:
  /// Array of {"type": "function", "function": {"name", "parameters"}} or of the inner objects; "input_schema" serves
  /// for "parameters". What is malformed is left out: it has no name, or a parameter of any type.
  explicit ToolSchemas(const nlohmann::ordered_json& tools);
  ToolSchemas() = default;

  bool empty() const { return tools_.empty(); }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Whether `keys` hold all that the tool requires; true of unknown tools.
  bool is_complete(std::string_view name, const std::vector<std::string>& keys) const;
  /// The JsonTypes that an argument may have; any where nothing is known of it.
  unsigned types_of(std::string_view tool, const std::string& key) const;
  /// An argument written without quotes as JSON: itself where the schema takes what it reads as, else a string.
  std::string argument(std::string_view tool, const std::string& key, std::string_view raw) const;

 private:
  struct Tool {
    std::string name;
    nlohmann::ordered_json parameters;
  };
  const Tool* find(std::string_view name) const;

  std::vector<Tool> tools_;
};

/// JSON types as bits.
enum JsonType : unsigned {
  kJsonString = 1,
  kJsonInteger = 2,
  kJsonFraction = 4,
  kJsonBoolean = 8,
  kJsonNull = 16,
  kJsonObject = 32,
  kJsonArray = 64,
  kJsonAny = 127,
};
/// The types that `schema` may allow; references are looked up in `root`. Too many rather than too few.
unsigned schema_types(const nlohmann::ordered_json& schema, const nlohmann::ordered_json& root);

/// What a model may call a tool: a name that the APIs allow, with dots, slashes and colons besides.
bool is_tool_name(std::string_view name);

}  // namespace glint
