// SPDX-License-Identifier: Apache-2.0
//
// /v1/responses: items to messages, items of the answer, numbered events.
#include "server/responses_items.h"

#include "server/response_store.h"
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
    "tools":[{"type":"function","name":"f","parameters":{}},{"type":"web_search"},{"type":"custom","name":"q"},{"type":"image_generation"},
      {"type":"namespace","name":"files","tools":[{"type":"function","name":"read"}]}],
    "tool_choice":{"type":"function","name":"f"},"max_output_tokens":5,"reasoning":{"effort":"low"},
    "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}})");
  const Fields fields(body);
  const Json translated = translate_responses(fields, read_items(fields));
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

TEST(Responses, AStoredAnswerIsGoneOnFrom) {
  const Endpoints endpoints(demo());
  const auto ask = [&](const Json& body) {
    const HttpResponse response = read_all(endpoints.handle(post("/v1/responses", body)));
    EXPECT_EQ(response.status, 200) << response.body;
    return response.body;
  };
  const auto get_status = [&](const std::string& id) { return endpoints.handle(get("/v1/responses/" + id)).response.status; };
  const Json tools = Json::array({kTool});
  const std::string first_text = ask({{"input", "What is the weather in Paris?"}, {"temperature", 0}, {"tools", tools}});
  const Json first = Json::parse(first_text);
  EXPECT_EQ(first["store"], true);
  EXPECT_EQ(endpoints.handle(get("/v1/responses/" + first["id"].get<std::string>())).response.body, first_text);
  // The result alone is sent, and what comes is as if all had been sent.
  const Json result = {{"type", "function_call_output"}, {"call_id", first["output"].back()["call_id"]}, {"output", "18 degrees"}};
  const Json second = Json::parse(ask({{"input", Json::array({result})}, {"previous_response_id", first["id"]}, {"temperature", 0},
                                       {"tools", tools}, {"stream", false}}));
  EXPECT_EQ(second["previous_response_id"], first["id"]);
  Json everything = Json::array({{{"role", "user"}, {"content", "What is the weather in Paris?"}}});
  for (const Json& item : first["output"]) everything.push_back(item);
  everything.push_back(result);
  const Json whole = Json::parse(ask({{"input", everything}, {"temperature", 0}, {"tools", tools}, {"store", false}}));
  EXPECT_NE(to_text(second["output"]).find("18"), std::string::npos);
  EXPECT_EQ(second["output"].back()["content"], whole["output"].back()["content"]);
  EXPECT_EQ(second["usage"]["input_tokens"], whole["usage"]["input_tokens"]);
  EXPECT_GT(second["usage"]["input_tokens_details"]["cached_tokens"], first["usage"]["input_tokens"]);  // replayed exactly
  EXPECT_EQ(get_status(whole["id"]), 404);
  // A stream is kept like a whole answer.
  const std::vector<Json> events = sse_events(read_all(endpoints.handle(post("/v1/responses",
      {{"input", "Hi"}, {"stream", true}, {"max_output_tokens", 2}, {"previous_response_id", second["id"]}}))).body);
  EXPECT_EQ(get_status(events.back()["response"]["id"]), 200);
  HttpRequest removal = get("/v1/responses/" + first["id"].get<std::string>());
  removal.method = "DELETE";
  EXPECT_EQ(Json::parse(endpoints.handle(removal).response.body)["deleted"], true);
  EXPECT_EQ(endpoints.handle(removal).response.status, 404);
  EXPECT_EQ(get_status(first["id"]), 404);
  EXPECT_EQ(read_all(endpoints.handle(post("/v1/responses", {{"input", "Hi"}, {"previous_response_id", first["id"]}}))).status, 404);
}

TEST(ResponseStore, ForgetsWhatWasNotUsedForLongest) {
  ResponseStore store(3 * 21);
  for (const char* id : {"a", "b", "c"}) store.put(id, {std::string(10, 'x'), std::string(10, 'y')});
  EXPECT_TRUE(store.find("a"));
  store.put("d", {std::string(10, 'x'), std::string(10, 'y')});
  EXPECT_FALSE(store.find("b"));
  EXPECT_TRUE(store.find("a") && store.find("c") && store.find("d"));
  store.put("e", {std::string(70, 'x'), ""});
  EXPECT_FALSE(store.find("e"));
  EXPECT_EQ(store.find("a")->response, std::string(10, 'x'));
  EXPECT_TRUE(store.erase("a"));
  EXPECT_FALSE(store.erase("a"));
  store.put("f", {std::string(10, 'x'), std::string(10, 'y')});
  EXPECT_TRUE(store.find("c") && store.find("d") && store.find("f"));
}

TEST(Responses, WhatIsWrongIsNamed) {
  for (const char* more : {R"({"input":5})", R"({"input":null})", R"({"input":[5]})", R"({"input":[{"type":"computer_call"}]})",
                           R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]})",
                           R"({"conversation":"conv_1"})", R"({"previous_response_id":5})", R"({"tools":[{}]})", R"({"max_output_tokens":0})",
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
