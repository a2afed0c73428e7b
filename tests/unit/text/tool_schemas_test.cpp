// SPDX-License-Identifier: Apache-2.0
#include "text/tool_schemas.h"

#include <gtest/gtest.h>

namespace glint {
namespace {

using Json = nlohmann::ordered_json;

ToolSchemas with_property(const std::string& schema, const std::string& more = "{}") {
  Json parameters = Json::parse(more);
  parameters["properties"]["p"] = Json::parse(schema);
  return ToolSchemas(Json::array({{{"name", "t"}, {"parameters", parameters}}}));
}

TEST(ToolSchemas, TypesAnArgumentByItsSchema) {
  const auto argument = [](const char* schema, const char* raw) { return with_property(schema).argument("t", "p", raw); };
  EXPECT_EQ(argument(R"({"type":"string"})", " 5 "), "\" 5 \"");
  EXPECT_EQ(argument(R"({"type":"string"})", "\"x\""), R"("\"x\"")");
  EXPECT_EQ(argument(R"({"type":"integer"})", " 5\n"), "5");
  EXPECT_EQ(argument(R"({"type":"number"})", "0.10"), "0.10");
  EXPECT_EQ(argument(R"({"type":"boolean"})", "False"), "false");
  EXPECT_EQ(argument(R"({"type":["string","null"]})", "null"), "null");
  EXPECT_EQ(argument(R"({"type":["string","null"]})", "none"), "\"none\"");
  EXPECT_EQ(argument(R"({"type":"array"})", "[1, \"a\"]"), "[1, \"a\"]");
  EXPECT_EQ(argument(R"({"type":"object"})", "{\"a\": }"), R"("{\"a\": }")");  // not JSON: for the client to judge
  EXPECT_EQ(argument(R"({"type":"integer"})", "many"), "\"many\"");
  EXPECT_EQ(argument(R"({"type":"integer"})", "true"), "true");
  EXPECT_EQ(argument(R"({"enum":["1","2"]})", "1"), "\"1\"");
  EXPECT_EQ(argument(R"({"enum":[1,2]})", "1"), "1");
  EXPECT_EQ(argument(R"({"const":"x"})", "true"), "\"true\"");
  EXPECT_EQ(argument(R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", "7"), "7");
  EXPECT_EQ(argument(R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", "7.5"), "\"7.5\"");
  EXPECT_EQ(argument(R"({"allOf":[{"type":["string","integer"]},{"type":"string"}]})", "7"), "\"7\"");
  EXPECT_EQ(argument("{}", "7"), "7");
  EXPECT_EQ(argument("{}", "word"), "\"word\"");
  EXPECT_EQ(argument("{}", "\"quoted\""), R"("\"quoted\"")");
}

TEST(ToolSchemas, FollowsReferencesAndStandsCircles) {
  const char* defs = R"({"$defs":{"text":{"type":"string"},"loop":{"$ref":"#/$defs/loop"}}})";
  EXPECT_EQ(with_property(R"({"$ref":"#/$defs/text"})", defs).argument("t", "p", "5"), "\"5\"");
  EXPECT_EQ(with_property(R"({"$ref":"#/$defs/loop"})", defs).argument("t", "p", "5"), "5");
  EXPECT_EQ(with_property(R"({"$ref":"#/nowhere"})", defs).argument("t", "p", "5"), "5");
  EXPECT_EQ(with_property(R"({"$ref":"#bad~pointer"})", defs).argument("t", "p", "5"), "5");
  EXPECT_EQ(with_property("{}", R"({"additionalProperties":{"type":"string"}})").argument("t", "other", "5"), "\"5\"");
}

TEST(ToolSchemas, ReadsBothShapesAndLeavesOutWhatIsNone) {
  const ToolSchemas tools(Json::parse(
      R"([{"type":"function","function":{"name":"a"}},{"name":"b","input_schema":{"required":["x"]}},5,{"name":7}])"));
  EXPECT_TRUE(tools.has("a"));
  EXPECT_TRUE(tools.has("b"));
  EXPECT_FALSE(tools.has("7"));
  EXPECT_TRUE(tools.is_complete("a", {}));
  EXPECT_FALSE(tools.is_complete("b", {}));
  EXPECT_TRUE(tools.is_complete("b", {"x"}));
  EXPECT_TRUE(tools.is_complete("unknown", {}));
  EXPECT_EQ(tools.argument("unknown", "p", "5"), "5");
  EXPECT_TRUE(ToolSchemas(Json()).empty());
}

TEST(ToolSchemas, Names) {
  for (const char* name : {"f", "get_weather-2", "mcp__server/tool.x:y", "météo"}) EXPECT_TRUE(is_tool_name(name)) << name;
  for (const char* name : {"", "...", "a b", "f(", "f\n", "<f>"}) EXPECT_FALSE(is_tool_name(name)) << name;
  EXPECT_FALSE(is_tool_name(std::string(300, 'a')));
}

}  // namespace
}  // namespace glint
