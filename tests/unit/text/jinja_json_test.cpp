// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/text/jinja_render.h"

namespace glint::jinja {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json, const JsonStyle& style = {}) {
  Runtime runtime(RenderLimits{}, std::tm{});
  return to_json(runtime, value_of_json(nullptr, json, nullptr), style).bytes();
}

TEST(JinjaJson, ValuesComeOutAsTheyWentIn) {
  const char* const kDocument =
      R"({"z": 1, "a": [true, false, null, 1.5, -0.0, "é\n\"\\/"], "e": {}, "l": [], "n": -7})";
  EXPECT_EQ(dump(Json::parse(kDocument)),
            "{\"z\": 1, \"a\": [true, false, null, 1.5, -0.0, \"é\\n\\\"\\\\/\"], \"e\": {}, \"l\": [], \"n\": -7}");
}

TEST(JinjaJson, NumbersKeepTheirType) {
  EXPECT_EQ(dump(Json::parse("[1, 1.0, 1e2, 9223372036854775807, -9223372036854775808, 9223372036854775808]")),
            "[1, 1.0, 100.0, 9223372036854775807, -9223372036854775808, 9.223372036854776e+18]");
}

TEST(JinjaJson, StylesArePythons) {
  const Json json = {{"b", {1, 2}}, {"a", {{"x", "é🙂"}}}};
  EXPECT_EQ(dump(json, {.ascii_only = true}), "{\"b\": [1, 2], \"a\": {\"x\": \"\\u00e9\\ud83d\\ude42\"}}");
  EXPECT_EQ(dump(json, {.sort_keys = true}), "{\"a\": {\"x\": \"é🙂\"}, \"b\": [1, 2]}");
  EXPECT_EQ(dump(json, {.indent = "  ", .item_separator = ","}),
            "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": {\n    \"x\": \"é🙂\"\n  }\n}");
  EXPECT_EQ(dump(json, {.item_separator = ",", .key_separator = ":"}), "{\"b\":[1,2],\"a\":{\"x\":\"é🙂\"}}");
}

TEST(JinjaJson, TheTrustRuleSeesKeyAndText) {
  RenderOptions options;
  options.trusted = [](std::string_view key, std::string_view) { return key == "t"; };
  EXPECT_EQ(marked("{{ d.t }}{{ d.u }}{{ l[0] }}", {{"d", {{"t", "a"}, {"u", "b"}}}, {"l", {"c"}}}, options), "a[bc]");
  EXPECT_EQ(marked("{% for k in d %}{{ k }}{% endfor %}", {{"d", {{"t", "a"}}}}, options), "[t]");
}

TEST(JinjaJson, TextWithVeryManyMembersIsRefused) {
  std::string text = "{";
  for (int i = 0; i < 20000; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
  EXPECT_NE(error_of("{{ x | from_json | length }}", {{"x", text + "}"}}).find("too expensive"), std::string::npos);
}

}  // namespace
}  // namespace glint::jinja
