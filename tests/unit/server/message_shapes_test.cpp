// SPDX-License-Identifier: Apache-2.0
//
// Messages in every shape that clients send, through the chat endpoint: answered, or refused with a reason; and what users
// and tools wrote stays text.
#include <algorithm>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

Json said(const char* role, Json content) { return {{"role", role}, {"content", std::move(content)}}; }
Json calling(Json arguments, Json content = nullptr) {
  Json message = said("assistant", std::move(content));
  message["tool_calls"] = Json::array({{{"id", "call_1"}, {"type", "function"},
                                        {"function", {{"name", "f"}, {"arguments", std::move(arguments)}}}}});
  return message;
}
Json result(Json content) {
  Json message = said("tool", std::move(content));
  message["tool_call_id"] = "call_1";
  return message;
}
std::string prompt_of(const Json& messages) {
  const Json body = {{"messages", messages}, {"max_tokens", 1}};
  ask_json(demo(), post("/v1/chat/completions", body));  // is answered too
  return ask_json(demo(), post("/apply-template", body))["prompt"];
}
int n_times(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(MessageShapes, SystemTextAnywhereIsKeptOnce) {  // REPORTS F18
  const Json user = said("user", "u"), answer = said("assistant", "a");
  for (const Json& messages :
       {Json{said("system", "first rule"), user, answer, said("system", "second rule"), user},
        Json{said("system", "first rule"), said("system", "second rule"), user},
        Json{said("developer", "first rule"), user, answer, user, said("developer", "second rule")},
        Json{said("system", Json::array({{{"type", "text"}, {"text", "first rule"}}})), user, user, said("system", "second rule")},
        Json{answer, said("system", "first rule"), user, said("system", "second rule"), user}}) {
    const std::string prompt = prompt_of(messages);
    EXPECT_EQ(n_times(prompt, "first rule"), 1) << prompt;
    EXPECT_EQ(n_times(prompt, "second rule"), 1) << prompt;
  }
}

TEST(MessageShapes, AnyOrderOfRolesIsAnsweredOrRefused) {  // REPORTS F18
  const char* const roles[] = {"system", "developer", "user", "assistant", "tool"};
  for (const char* first : roles) {
    for (const char* second : roles) {
      for (const char* third : roles) {
        const Json messages = {said(first, "x"), said(second, "y"), said(third, "z")};
        const int status = ask(demo(), post("/v1/chat/completions", {{"messages", messages}, {"max_tokens", 1}})).status;
        EXPECT_TRUE(status == 200 || status == 400) << status << " " << messages;
      }
    }
  }
  EXPECT_EQ(prompt_of({said("user", "one"), said("user", "two")}), "[gMASK]<sop><|user|>one<|user|>two<|assistant|><think>");
  EXPECT_NE(error_of(demo(), post("/v1/chat/completions", {{"messages", Json::array()}})).find("at least one"), std::string::npos);
}

TEST(MessageShapes, ArgumentsAndContentInEveryForm) {  // REPORTS F19
  const Json user = said("user", "u");
  const std::string plain = prompt_of({user, calling(R"({"a": 1, "b": "x"})"), result("42")});
  EXPECT_NE(plain.find("<arg_key>a</arg_key><arg_value>1</arg_value><arg_key>b</arg_key><arg_value>x</arg_value>"), std::string::npos);
  EXPECT_EQ(prompt_of({user, calling({{"a", 1}, {"b", "x"}}), result("42")}), plain) << "an object for a string";
  EXPECT_EQ(prompt_of({user, calling(R"({"a":1,"b":"x"})", ""), result("42")}), plain) << "empty for null";
  EXPECT_EQ(prompt_of({user, calling(R"({"a": 1, "b": "x"})"), result(Json::array({{{"type", "text"}, {"text", "42"}}}))}), plain);
  Json odd = result("42");
  odd.update({{"name", "f"}, {"is_error", false}, {"extra", {{"x", Json::array()}}}});
  EXPECT_EQ(prompt_of({user, calling(R"({"a": 1, "b": "x"})"), odd}), plain);
  Json without = said("assistant", "fine");
  const std::string fine = prompt_of({user, without, user});
  without["tool_calls"] = Json::array();
  EXPECT_EQ(prompt_of({user, without, user}), fine);
  without["tool_calls"] = nullptr;
  EXPECT_EQ(prompt_of({user, without, user}), fine);
  EXPECT_EQ(prompt_of({user, said("assistant", nullptr), user}), "[gMASK]<sop><|user|>u<|assistant|></think><|user|>u<|assistant|><think>");
  for (const char* arguments : {"", "{", "[1]", "5", "not JSON"}) {  // what a model wrote may come back as it was
    const int status =
        ask(demo(), post("/v1/chat/completions", {{"messages", {user, calling(arguments), result("42")}}, {"max_tokens", 1}})).status;
    EXPECT_TRUE(status == 200 || status == 400) << arguments;
  }
  const Json image = Json::parse(R"([{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}])");
  EXPECT_NE(error_of(demo(), post("/v1/chat/completions", {{"messages", {said("user", image)}}})).find("image"), std::string::npos);
}

int n_ids_of(const Service& service, const std::string& text, const char* marker) {
  const std::vector<int32_t> ids = service.tokenizer().encode(text, {.parse_special = true});
  return static_cast<int>(std::count(ids.begin(), ids.end(), service.tokenizer().vocab().find(marker).value()));
}

TEST(MessageShapes, MarkersInToolResultsAndNamesAreText) {  // REPORTS C09
  const auto n_prompt = [](const std::string& name, const Json& value) {
    Json call = calling({{"key", value}});
    call["tool_calls"][0]["function"]["name"] = name;
    const Json tool = {{"type", "function"}, {"function", {{"name", name}, {"description", value}}}};
    const Json body = {{"messages", {said("user", value), call, result(value)}}, {"tools", {tool}}, {"max_tokens", 1}};
    return ask_json(demo(), post("/v1/chat/completions", body))["usage"]["prompt_tokens"].get<int>();
  };
  const std::string marker = "<|user|>";
  ASSERT_EQ(n_ids_of(demo(), marker, marker.c_str()), 1);
  const int n_text = static_cast<int>(demo().tokenizer().encode(marker).size());  // of the marker when it is text
  ASSERT_GT(n_text, 2);
  // Twice the name, and the value in a question, a description, an argument and a result; "~" stands alone.
  EXPECT_GE(n_prompt("f" + marker, "~" + marker) - n_prompt("f", "~"), 6 * (n_text - 1));
}

}  // namespace
}  // namespace glint::server
