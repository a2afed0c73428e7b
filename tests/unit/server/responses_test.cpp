// SPDX-License-Identifier: Apache-2.0
//
// /v1/responses: items to messages, items of the answer, numbered events.
#include "server/responses_items.h"

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

const Json kTool = Json::parse(R"({"type":"function","name":"get_weather","description":"Get the weather in a city",
  "parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}})");

TEST(Responses, ItemsBecomeMessages) {  // REPORTS F16
  const Json body = Json::parse(R"({"instructions":"S","input":[
    {"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
    {"type":"reasoning","id":"r","summary":[],"content":[{"type":"reasoning_text","text":"t"}]},
    {"type":"function_call","call_id":"1","name":"f","arguments":"{}"},
    {"type":"function_call","call_id":"2","name":"g","arguments":"{}"},
    {"type":"function_call_output","call_id":"1","output":"x"},
    {"type":"function_call_output","call_id":"2","output":[{"type":"input_text","text":"y"}]},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"c"}]}],
    "tools":[{"type":"function","name":"f","parameters":{}},{"type":"web_search"},{"type":"custom","name":"q"},{"type":"image_generation"}],
    "tool_choice":{"type":"function","name":"f"},"max_output_tokens":5,"reasoning":{"effort":"low"},
    "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}})");
  const Json translated = translate_responses(Fields(body));
  EXPECT_EQ(to_text(translated["messages"]),
            R"([{"role":"system","content":"S"},{"role":"user","content":"ab"},)"
            R"({"role":"assistant","content":"","reasoning_content":"t","tool_calls":[)"
            R"({"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},)"
            R"({"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]},)"
            R"({"role":"tool","content":"x","tool_call_id":"1"},{"role":"tool","content":"y","tool_call_id":"2"},)"
            R"({"role":"assistant","content":"c"}])");
  EXPECT_EQ(to_text(translated["tools"]), R"([{"type":"function","function":{"name":"f","parameters":{}}}])");
  EXPECT_EQ(translated["tool_choice"]["function"]["name"], "f");
  EXPECT_EQ(translated["max_tokens"], 5);
  EXPECT_EQ(translated["reasoning_effort"], "low");
  EXPECT_EQ(translated["response_format"]["json_schema"]["schema"]["type"], "object");
}

TEST(Responses, EventsTellTheSameAsTheWhole) {
  const Json base = {{"input", "What is 2 + 3?"}, {"temperature", 0}};
  const Json whole = ask_json(demo(), post("/v1/responses", base));
  EXPECT_EQ(whole["status"], "completed");
  ASSERT_EQ(whole["output"].size(), 2u) << whole;
  EXPECT_EQ(whole["output"][0]["type"], "reasoning");
  EXPECT_NE(whole["output"][1]["content"][0]["text"].get<std::string>().find('5'), std::string::npos);
  Json streaming = base;
  streaming["stream"] = true;
  const std::vector<Json> events = sse_events(ask(demo(), post("/v1/responses", streaming)).body);
  std::string text;
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i]["sequence_number"], i);
    if (events[i]["type"] == "response.output_text.delta") text += events[i]["delta"].get<std::string>();
  }
  EXPECT_EQ(events.front()["type"], "response.created");
  EXPECT_EQ(events.back()["type"], "response.completed");
  EXPECT_EQ(text, whole["output"][1]["content"][0]["text"]);
  EXPECT_EQ(events.back()["response"]["output"][1]["content"], whole["output"][1]["content"]);
  EXPECT_EQ(events.back()["response"]["usage"]["output_tokens"], whole["usage"]["output_tokens"]);
}

TEST(Responses, CallsAreItems) {
  const Json answer = ask_json(demo(), post("/v1/responses", {{"input", "What is the weather in Paris?"}, {"temperature", 0},
                                                              {"tools", Json::array({kTool, {{"type", "web_search"}}})}}));
  const Json& call = answer["output"].back();
  EXPECT_EQ(call["type"], "function_call");
  EXPECT_EQ(call["name"], "get_weather");
  EXPECT_EQ(Json::parse(call["arguments"].get<std::string>()), Json({{"city", "Paris"}}));
}

TEST(Responses, WhatIsWrongIsNamed) {
  for (const char* more : {R"({"input":5})", R"({"input":null})", R"({"input":[5]})", R"({"input":[{"type":"computer_call"}]})",
                           R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]})",
                           R"({"previous_response_id":"resp_1"})", R"({"tools":[{}]})", R"({"max_output_tokens":0})",
                           R"({"text":{"format":{}}})", R"({"reasoning":5})", R"({"input":[]})"}) {
    Json body = {{"input", "Hi"}};
    body.update(Json::parse(more));
    ask_json(demo(), post("/v1/responses", body), 400);
  }
  const Json limited = ask_json(demo(), post("/v1/responses", {{"input", "Tell me a story."}, {"max_output_tokens", 3}}));
  EXPECT_EQ(limited["status"], "incomplete");
  EXPECT_EQ(limited["incomplete_details"]["reason"], "max_output_tokens");
}

}  // namespace
}  // namespace glint::server
