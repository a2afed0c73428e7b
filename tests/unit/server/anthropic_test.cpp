// SPDX-License-Identifier: Apache-2.0
//
// /v1/messages: blocks and events, their order, and errors in Anthropic's shape.
#include "server/anthropic_messages.h"

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

Json question(const std::string& text, const Json& more = Json::object()) {
  Json body = {{"max_tokens", 60}, {"messages", Json::array({{{"role", "user"}, {"content", text}}})}, {"temperature", 0}};
  body.update(more);
  return body;
}

TEST(Anthropic, ThinkingAndTextAreBlocks) {
  const Json answer = ask_json(demo(), post("/v1/messages", question("What is 2 + 3?")));
  EXPECT_EQ(answer["type"], "message");
  ASSERT_EQ(answer["content"].size(), 2u);
  EXPECT_EQ(answer["content"][0]["type"], "thinking");
  EXPECT_NE(answer["content"][1]["text"].get<std::string>().find('5'), std::string::npos);
  EXPECT_EQ(answer["stop_reason"], "end_turn");
  const Json plain = ask_json(demo(), post("/v1/messages", question("What is 2 + 3?", {{"thinking", {{"type", "disabled"}}}})));
  ASSERT_EQ(plain["content"].size(), 1u);
  EXPECT_EQ(plain["content"][0]["type"], "text");
}

TEST(Anthropic, EventsTellTheSameInOrder) {
  const Json body = question("What is 2 + 3?");
  const Json whole = ask_json(demo(), post("/v1/messages", body));
  Json streaming = body;
  streaming["stream"] = true;
  const std::string text = ask(demo(), post("/v1/messages", streaming)).body;
  std::vector<Json> content;
  std::vector<std::string> types;
  Json delta;
  for (const Json& event : sse_events(text)) {
    const std::string type = event["type"];
    EXPECT_NE(text.find("event: " + type + "\ndata: {\"type\":\"" + type + "\""), std::string::npos);
    if (types.empty() || types.back() != type) types.push_back(type);
    if (type == "content_block_start") {
      EXPECT_EQ(event["index"], content.size());
      content.push_back(event["content_block"]);
    } else if (type == "content_block_delta") {
      EXPECT_EQ(event["index"], content.size() - 1);
      for (const char* name : {"thinking", "text", "signature"}) {
        if (!event["delta"].contains(name)) continue;
        content.back()[name] = content.back().value(name, "") + event["delta"][name].get<std::string>();
      }
    } else if (type == "message_delta") {
      delta = event;
    }
  }
  EXPECT_EQ(types.front(), "message_start");
  EXPECT_EQ(types.back(), "message_stop");
  EXPECT_EQ(Json(content), whole["content"]);
  EXPECT_EQ(delta["delta"]["stop_reason"], whole["stop_reason"]);
  EXPECT_EQ(delta["usage"]["output_tokens"], whole["usage"]["output_tokens"]);
  EXPECT_EQ(delta["usage"]["input_tokens"].get<int>() + delta["usage"]["cache_read_input_tokens"].get<int>(),
            ask_json(demo(), post("/v1/messages/count_tokens", body))["input_tokens"]);
}

TEST(Anthropic, StopSequencesAndLimits) {
  const Json none = {{"thinking", {{"type", "disabled"}}}};
  Json body = question("What is 2 + 3?", none);
  const std::string text = ask_json(demo(), post("/v1/messages", body))["content"][0]["text"];
  body["stop_sequences"] = Json::array({text.substr(5, 5)});
  const Json stopped = ask_json(demo(), post("/v1/messages", body));
  EXPECT_EQ(stopped["stop_reason"], "stop_sequence");
  EXPECT_EQ(stopped["stop_sequence"], text.substr(5, 5));
  EXPECT_EQ(stopped["content"][0]["text"], text.substr(0, 5));
  Json limited = question("What is 2 + 3?", none);
  limited["max_tokens"] = 2;
  EXPECT_EQ(ask_json(demo(), post("/v1/messages", limited))["stop_reason"], "max_tokens");
}

TEST(Anthropic, BlocksBecomeMessages) {
  const Json body = Json::parse(R"({"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],"messages":[
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"redacted_thinking","data":"x"},
      {"type":"text","text":"c"},{"type":"tool_use","id":"1","name":"f","input":{"x":1}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"r"}]},{"type":"text","text":"d"}]}],
    "tool_choice":{"type":"any","disable_parallel_tool_use":true},"tools":[{"name":"f","input_schema":{}}]})");
  EXPECT_EQ(to_text(translate_anthropic(Fields(body))),
            R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"a\nb"},)"
            R"({"role":"assistant","content":"c","reasoning_content":"t","tool_calls":[{"id":"1","type":"function",)"
            R"("function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","tool_call_id":"1","content":"r"},)"
            R"({"role":"user","content":"d"}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],)"
            R"("tool_choice":"required","parallel_tool_calls":false})");
}

TEST(Anthropic, OutputConfigBindsTheAnswer) {
  const Json schema = Json::parse(R"({"type":"object","properties":{"n":{"enum":[1,2]}},"required":["n"],"additionalProperties":false})");
  Json body = question("Hi", {{"thinking", {{"type", "disabled"}}}, {"output_config", {{"effort", "low"}, {"format", {{"type", "json_schema"}, {"schema", schema}}}}}});
  const Json answer = ask_json(demo(), post("/v1/messages", body));
  const Json n = Json::parse(answer["content"][0]["text"].get<std::string>())["n"];
  EXPECT_TRUE(n == 1 || n == 2) << answer;
  EXPECT_FALSE(answer.contains("warnings"));
  for (const char* bad : {R"({"format":5})", R"({"format":{"type":"xml","schema":{}}})", R"({"format":{"type":"json_schema"}})",
                          R"({"effort":5})", R"({"format":{"type":"json_schema","schema":{"type":"nothing"}}})"}) {
    body["output_config"] = Json::parse(bad);
    EXPECT_EQ(ask_json(demo(), post("/v1/messages", body), 400)["type"], "error") << bad;
  }
  const Json tool = {{"name", "f"}, {"strict", true}, {"input_schema", {{"type", "object"}, {"uniqueKeys", true}}}};
  EXPECT_EQ(ask_json(demo(), post("/v1/messages", question("Hi", {{"tools", {tool}}})), 400)["type"], "error") << "strict counts";
}

TEST(Anthropic, ErrorsHaveItsShape) {
  const auto refusal = [](const Json& body, int status = 400) {
    const Json error = ask_json(demo(), post("/v1/messages", body), status);
    EXPECT_EQ(error["type"], "error");
    return error["error"]["message"].get<std::string>();
  };
  Json unlimited = question("Hi");
  unlimited.erase("max_tokens");
  EXPECT_NE(refusal(unlimited).find("max_tokens"), std::string::npos);
  for (const char* messages : {"[]", "5", "[5]", R"([{"role":"king","content":"a"}])", R"([{"role":"user"}])",
                               R"([{"role":"user","content":[{"type":"image","source":{}}]}])", R"([{"role":"user","content":[{}]}])",
                               R"([{"role":"user","content":[{"type":"tool_use","id":"1","name":"f","input":5}]}])"}) {
    Json body = question("Hi");
    body["messages"] = Json::parse(messages);
    refusal(body);
  }
  EXPECT_NE(refusal(question("Hi", {{"tools", Json::array({{{"name", "web_search"}, {"type", "web_search_20250305"}}})}})).find("web_search"),
            std::string::npos);
  std::string text;
  for (int i = 0; i < 600; ++i) text += " word";
  EXPECT_NE(refusal(question(text)).find("context"), std::string::npos);
}

}  // namespace
}  // namespace glint::server
