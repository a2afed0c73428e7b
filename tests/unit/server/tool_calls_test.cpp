// SPDX-License-Identifier: Apache-2.0
//
// Tools through every chat API: offered, called, answered; and what is wrong with them named.
#include "server/answer.h"
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

const Json kSchema = {{"type", "object"}, {"properties", {{"city", {{"type", "string"}}}}}, {"required", {"city"}}};
const Json kTools = Json::array({{{"type", "function"},
                                  {"function", {{"name", "get_weather"}, {"description", "Get the weather in a city"}, {"parameters", kSchema}}}}});

Json question(const Json& more = Json::object()) {
  Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "What is the weather in Paris?"}}})},
               {"temperature", 0}, {"max_tokens", 80}, {"tools", kTools}};
  body.update(more);
  return body;
}

TEST(ToolCalls, OpenAiWholeAndStreamed) {
  const Json answer = ask_json(demo(), post("/v1/chat/completions", question()));
  const Json& choice = answer["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  ASSERT_EQ(choice["message"]["tool_calls"].size(), 1u);
  const Json& call = choice["message"]["tool_calls"][0];
  EXPECT_EQ(call["function"]["name"], "get_weather");
  EXPECT_EQ(Json::parse(call["function"]["arguments"].get<std::string>()), Json({{"city", "Paris"}}));
  EXPECT_FALSE(call["id"].get<std::string>().empty());

  std::string arguments, name, reason;
  for (const Json& event : sse_events(ask(demo(), post("/v1/chat/completions", question({{"stream", true}}))).body)) {
    const Json& delta = event["choices"][0]["delta"];
    if (!event["choices"][0]["finish_reason"].is_null()) reason = event["choices"][0]["finish_reason"];
    if (!delta.contains("tool_calls")) continue;
    EXPECT_EQ(delta["tool_calls"][0]["index"], 0);
    name += delta["tool_calls"][0]["function"].value("name", "");
    arguments += delta["tool_calls"][0]["function"].value("arguments", "");
  }
  EXPECT_EQ(name, "get_weather");
  EXPECT_EQ(arguments, call["function"]["arguments"]);
  EXPECT_EQ(reason, "tool_calls");
}

TEST(ToolCalls, NoneOffersNoTools) {  // REPORTS F14
  const Json none = ask_json(demo(), post("/v1/chat/completions", question({{"tool_choice", "none"}})));
  Json without = question();
  without.erase("tools");
  EXPECT_EQ(none["usage"]["prompt_tokens"], ask_json(demo(), post("/v1/chat/completions", without))["usage"]["prompt_tokens"]);
  EXPECT_FALSE(none["choices"][0]["message"].contains("tool_calls"));
}

TEST(ToolCalls, WhatIsWrongIsNamed) {
  const auto refusal = [](const char* more) { return error_of(demo(), post("/v1/chat/completions", question(Json::parse(more)))); };
  EXPECT_NE(refusal(R"({"tools":5})").find("tools"), std::string::npos);
  EXPECT_NE(refusal(R"({"tools":[5]})").find("tools[0]"), std::string::npos);
  EXPECT_NE(refusal(R"({"tools":[{"type":"function"}]})").find("tools[0].function"), std::string::npos);
  EXPECT_NE(refusal(R"({"tools":[{"type":"function","function":{}}]})").find("tools[0].function.name"), std::string::npos);
  EXPECT_NE(refusal(R"({"tools":null,"tool_choice":"required"})").find("tool_choice"), std::string::npos);
}

TEST(ToolCalls, AnthropicBlocks) {
  const Json tools = Json::array({{{"name", "get_weather"}, {"description", "Get the weather in a city"}, {"input_schema", kSchema}}});
  Json body = question({{"tools", tools}});
  const Json answer = ask_json(demo(), post("/v1/messages", body));
  EXPECT_EQ(answer["stop_reason"], "tool_use");
  const Json& block = answer["content"].back();
  EXPECT_EQ(block["type"], "tool_use");
  EXPECT_EQ(block["name"], "get_weather");
  EXPECT_EQ(block["input"], Json({{"city", "Paris"}}));
  // The call and its result come back as blocks, and the model goes on.
  body["messages"].push_back({{"role", "assistant"}, {"content", answer["content"]}});
  body["messages"].push_back(
      {{"role", "user"},
       {"content", Json::array({{{"type", "tool_result"}, {"tool_use_id", block["id"]}, {"content", "18 degrees"}}})}});
  const Json next = ask_json(demo(), post("/v1/messages", body));
  EXPECT_EQ(next["stop_reason"], "end_turn") << next;
  EXPECT_NE(to_text(next["content"]).find("18"), std::string::npos) << next;
}

TEST(ToolCalls, OllamaArgumentsAreObjects) {
  const Json answer = ask_json(demo(), post("/api/chat", question({{"stream", false}, {"options", {{"temperature", 0}}}})));
  EXPECT_EQ(answer["message"]["tool_calls"][0]["function"]["arguments"], Json({{"city", "Paris"}}));
  EXPECT_FALSE(answer["message"]["tool_calls"][0]["id"].get<std::string>().empty());
  EXPECT_EQ(answer["done"], true);
}

/// A forced call, in tokens that no tokenizer would choose; the client orders and spaces its JSON in its own way.
struct Replayed {
  Json body = question({{"tools", Json::parse(R"([{"type":"function","function":{"name":"get_weather","strict":true,"parameters":
                {"type":"object","properties":{"city":{"enum":["Paris"]},"unit":{"enum":["celsius","fahrenheit"]}},
                 "required":["city","unit"],"additionalProperties":false}}}])")},
                        {"reasoning_budget", 0}, {"temperature", 5}, {"top_k", 0}, {"top_p", 1}, {"min_p", 0}, {"seed", 4}});
  std::string reversed(const Json& arguments) const {
    return fmt::format("{{ \"unit\" : {},\n \"city\" : {} }}", to_text(arguments["unit"]), to_text(arguments["city"]));
  }
  /// All but what the second turn adds, and the last token of the first, which was not computed.
  void expect_found(const Json& first_usage, const Json& usage, int n_first_answer) {
    EXPECT_GE(usage["prompt_tokens_details"]["cached_tokens"].get<int>(),
              first_usage["prompt_tokens"].get<int>() + n_first_answer - 1) << usage;
  }
};

TEST(ToolCalls, AnEchoedCallIsFoundInTheCache) {  // REPORTS F09
  const std::shared_ptr<Service> service = make_service();
  Replayed setup;
  setup.body["tool_choice"] = "required";
  const Json answer = ask_json(*service, post("/v1/chat/completions", setup.body));
  Json message = answer["choices"][0]["message"];
  ASSERT_TRUE(message.contains("tool_calls")) << answer;
  Json& function = message["tool_calls"][0]["function"];
  function["arguments"] = setup.reversed(Json::parse(function["arguments"].get<std::string>()));
  setup.body["tool_choice"] = "auto";
  setup.body["max_tokens"] = 1;
  const auto second = [&](const Json& echoed) {
    Json body = setup.body;
    body["messages"].push_back(echoed);
    body["messages"].push_back({{"role", "tool"}, {"tool_call_id", "x"}, {"content", "18 degrees"}});
    return ask_json(*service, post("/v1/chat/completions", body))["usage"];
  };
  Json unknown = message;
  unknown["tool_calls"][0]["id"] = "call_other";
  const int n_answer = answer["usage"]["completion_tokens"];
  const auto cached = [](const Json& usage) { return usage["prompt_tokens_details"]["cached_tokens"].get<int>(); };
  EXPECT_LT(cached(second(unknown)), answer["usage"]["prompt_tokens"].get<int>() + n_answer / 2);
  setup.expect_found(answer["usage"], second(message), n_answer);
}

/// Ollama's clients send no ids back.
TEST(ToolCalls, AnEchoedCallIsFoundInTheCacheThroughOllamaToo) {
  const std::shared_ptr<Service> service = make_service();
  Replayed setup;
  setup.body["tool_choice"] = "required";  // which Ollama does not have
  const Json answer = ask_json(*service, post("/v1/chat/completions", setup.body));
  const Json& function = answer["choices"][0]["message"]["tool_calls"][0]["function"];
  const Json arguments = Json::parse(setup.reversed(Json::parse(function["arguments"].get<std::string>())));
  Json body = {{"messages", setup.body["messages"]}, {"tools", setup.body["tools"]}, {"think", false}, {"stream", false},
               {"options", {{"num_predict", 1}}}};
  body["messages"].push_back({{"role", "assistant"}, {"content", ""},
                              {"tool_calls", Json::array({{{"function", {{"name", function["name"]}, {"arguments", arguments}}}}})}});
  body["messages"].push_back({{"role", "tool"}, {"tool_name", "get_weather"}, {"content", "18 degrees"}});
  ask_json(*service, post("/api/chat", body));
  const std::string metrics = ask(*service, get("/metrics")).body;
  const size_t at = metrics.find("\nvllm:prefix_cache_hits_total ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GE(std::stoi(metrics.substr(metrics.find(' ', at))),
            answer["usage"]["prompt_tokens"].get<int>() + answer["usage"]["completion_tokens"].get<int>() - 1);
}

/// What comes of a model that writes two calls, whatever it would have said.
std::vector<AnswerPart> parts_of_two_calls(bool one_call) {
  const std::string call = R"("<tool_call>get_weather<arg_key>city</arg_key><arg_value>Rome</arg_value></tool_call>")";
  ConstraintSpec spec;
  spec.kind = ConstraintSpec::Kind::kGbnf;
  spec.text = "root ::= " + call + " " + call;
  Request request;
  request.ids = demo().tokenizer().encode("Hello");
  request.sampling = resolve_sampling({}, {}, demo().engine().file().metadata());
  request.output.constraint = demo().constraints().compile(spec);
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  Answer answer(demo(), std::move(requests), {.one_call = one_call, .tools = kTools});
  std::vector<AnswerPart> parts;
  while (!answer.is_over()) {
    if (std::optional<AnswerPart> part = answer.next()) parts.push_back(std::move(*part));
  }
  return parts;
}

TEST(ToolCalls, WithoutParallelCallsTheFirstEndsTheAnswer) {  // REPORTS F14
  for (const bool one_call : {false, true}) {
    int n_calls = 0;
    std::string content;
    const std::vector<AnswerPart> parts = parts_of_two_calls(one_call);
    for (const AnswerPart& part : parts) {
      n_calls += static_cast<int>(part.delta.calls.size());
      content += part.delta.content;
    }
    EXPECT_EQ(n_calls, one_call ? 1 : 2);
    EXPECT_EQ(content, "");
    ASSERT_TRUE(parts.back().finish);
    EXPECT_EQ(parts.back().finish->reason, FinishReason::kEndOfText);
  }
}

}  // namespace
}  // namespace glint::server
