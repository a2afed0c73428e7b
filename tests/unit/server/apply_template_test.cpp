// SPDX-License-Identifier: Apache-2.0
//
// /apply-template against prompts that the template's own authors' renderer wrote, byte for byte; the demo model has
// GLM-4.7-Flash's template.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

const std::string kFolder = GLINT_SHARED "/data/glm";

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A case's variables as a request has them: some are members of their own.
Json request_of(const Json& one) {
  Json body = {{"messages", one["messages"]}};
  for (const auto& [name, value] : one["kwargs"].items()) {
    const bool is_member = name == "tools" || name == "add_generation_prompt";
    (is_member ? body[name] : body["chat_template_kwargs"][name]) = value;
  }
  return body;
}

TEST(ApplyTemplate, GlmCasesByteForByte) {  // REPORTS A25
  if (!std::filesystem::is_directory(kFolder)) GTEST_SKIP() << "no reference data folder";
  ASSERT_EQ(demo().chat().source(), read_text(kFolder + "/chat_template.jinja"));
  const Json cases = Json::parse(read_text(kFolder + "/chat_template_cases.json"));
  ASSERT_EQ(cases.size(), 11u);
  for (const auto& [name, one] : cases.items()) {
    Json request = request_of(one);
    if (name == "list_content") {  // where the template leaves an image out, the server refuses it
      EXPECT_NE(error_of(demo(), post("/apply-template", request)).find("image"), std::string::npos);
      Json& parts = request["messages"][0]["content"];
      parts.erase(std::remove_if(parts.begin(), parts.end(), [](const Json& part) { return part.value("type", "") == "image"; }), parts.end());
    }
    EXPECT_EQ(ask_json(demo(), post("/apply-template", request))["prompt"], one["rendered"]) << name;
  }
}

TEST(ApplyTemplate, ThinkingIsSwitchedByEveryName) {
  const Json messages = Json::array({{{"role", "user"}, {"content", "Hello"}}});
  for (const char* off : {R"({"thinking":false})", R"({"reasoning_effort":"none"})", R"({"reasoning_budget":0})",
                          R"({"thinking_budget_tokens":0})", R"({"chat_template_kwargs":{"enable_thinking":false}})"}) {
    Json body = Json::parse(off);
    body["messages"] = messages;
    EXPECT_EQ(ask_json(demo(), post("/apply-template", body))["prompt"], "[gMASK]<sop><|user|>Hello<|assistant|></think>") << off;
  }
}

TEST(ApplyTemplate, ARequestCannotBringItsOwnTemplate) {  // REPORTS B20
  Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "Hello"}}})}, {"max_tokens", 1}};
  const Json usual = ask_json(demo(), post("/apply-template", body))["prompt"];
  body["chat_template"] = "{% for i in range(1000000000) %}x{% endfor %}";
  body["chat_template_kwargs"] = {{"chat_template", "x"}};
  EXPECT_EQ(ask_json(demo(), post("/apply-template", body))["prompt"], usual);
  EXPECT_EQ(ask_json(demo(), post("/v1/chat/completions", body))["warnings"], Json::array({"chat_template: ignored"}));
  body["chat_template_kwargs"] = {{"messages", "y"}};
  EXPECT_NE(error_of(demo(), post("/apply-template", body)).find("messages"), std::string::npos);
}

TEST(ApplyTemplate, ToolsKeepTheOrderOfTheirMembers) {  // REPORTS E10
  const std::string tool =
      R"({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"zip": {"type": "string"}, "age": )"
      R"({"type": "integer"}, "b": {"enum": ["y", "a"]}}, "required": ["b", "age"]}}})";
  const Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "Hello"}}})}, {"tools", Json::array({Json::parse(tool)})}};
  const std::string prompt = ask_json(demo(), post("/apply-template", body))["prompt"];
  EXPECT_NE(prompt.find("<tools>\n" + tool + "\n</tools>"), std::string::npos) << prompt;
}

}  // namespace
}  // namespace glint::server
