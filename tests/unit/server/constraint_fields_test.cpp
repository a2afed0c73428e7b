// SPDX-License-Identifier: Apache-2.0
//
// Answers that must be something: JSON of a schema, a grammar's text, calls of tools; after thinking, in every API.
#include "server/constraint_fields.h"

#include "server/api_error.h"
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

constexpr const char* kPath = "/v1/chat/completions";
const Json kSchema = Json::parse(
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":12},"age":{"type":"integer","minimum":0,"maximum":99}},
        "required":["name","age"],"additionalProperties":false})");
const Json kTools = Json::parse(
    R"([{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"enum":["Rome","Oslo"]}},
         "required":["city"],"additionalProperties":false}}},
        {"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{"zone":{"type":"integer"}},
         "required":["zone"],"additionalProperties":false}}}])");

Json question(const Json& more = Json::object()) {
  Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "Tell me a story."}}})}, {"max_tokens", 200}, {"seed", 1},
               {"temperature", 1.5}};
  body.update(more);
  return body;
}
Json schema_format() {
  return {{"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "person"}, {"schema", kSchema}}}}}};
}
const Json kNoThinking = {{"reasoning_budget", 0}};
Json with(Json left, const Json& right) {
  left.update(right);
  return left;
}

void expect_person(const std::string& text) {
  const Json person = Json::parse(text, nullptr, false);
  ASSERT_TRUE(person.is_object()) << text;
  ASSERT_EQ(person.size(), 2u);
  EXPECT_EQ(person.begin().key(), "name");  // in the schema's order
  EXPECT_TRUE(person["age"].is_number_integer());
  EXPECT_LE(person["age"], 99);
}

TEST(Constraints, SchemasBindTheContentWithAndWithoutThinking) {  // REPORTS E10, E11
  for (int seed = 0; seed < 5; ++seed) {
    const Json more = with(schema_format(), {{"seed", seed}});
    const Json plain = ask_json(demo(), post(kPath, question(with(more, kNoThinking))));
    expect_person(plain["choices"][0]["message"]["content"]);
    EXPECT_EQ(plain["choices"][0]["finish_reason"], "stop");
    const Json budgeted = ask_json(demo(), post(kPath, question(with(more, {{"reasoning_budget", 8}}))));
    const Json& message = budgeted["choices"][0]["message"];
    EXPECT_FALSE(message.value("reasoning_content", "").empty());
    EXPECT_LE(budgeted["usage"]["completion_tokens_details"]["reasoning_tokens"], 10);
    expect_person(message["content"]);
  }
}

TEST(Constraints, ALimitReachedInThinkingLeavesNoContent) {  // REPORTS E11
  const Json answer = ask_json(demo(), post(kPath, question(with(schema_format(), {{"max_tokens", 3}}))));
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
}

TEST(Constraints, EveryNameForThem) {
  expect_person(ask_json(demo(), post("/completion", {{"prompt", "A person:"}, {"json_schema", kSchema}, {"n_predict", 200}, {"seed", 2}}))["content"]);
  expect_person(ask_json(demo(), post("/v1/completions", with(schema_format(), {{"prompt", "A person:"}, {"max_tokens", 200}})))["choices"][0]["text"]);
  expect_person(ask_json(demo(), post("/api/chat", {{"messages", question()["messages"]}, {"format", kSchema}, {"stream", false}, {"think", false}}))
                    ["message"]["content"]);
  const Json object = ask_json(demo(), post(kPath, question(with({{"response_format", {{"type", "json_object"}}}, {"temperature", 0}}, kNoThinking))));
  EXPECT_EQ(object["choices"][0]["message"]["content"].get<std::string>().front(), '{');
  const Json grammar = ask_json(demo(), post(kPath, question(with({{"grammar", "root ::= \"yes\" | \"no\""}}, kNoThinking))));
  const std::string word = grammar["choices"][0]["message"]["content"];
  EXPECT_TRUE(word == "yes" || word == "no") << word;
  const Json regex = ask_json(demo(), post("/completion", {{"prompt", "1"}, {"regex", "^[0-9]{3}-[0-9]{2}$"}, {"n_predict", 50}}));
  EXPECT_EQ(regex["content"].get<std::string>().size(), 6u);
  EXPECT_EQ(regex["stop_type"], "eos");
}

TEST(Constraints, RequiredToolsAreCalled) {  // REPORTS F14
  for (int seed = 0; seed < 5; ++seed) {
    const Json base = question(with({{"tools", kTools}, {"seed", seed}, {"max_tokens", 300}}, kNoThinking));
    const Json any = ask_json(demo(), post(kPath, with(base, {{"tool_choice", "required"}, {"parallel_tool_calls", false}})));
    ASSERT_EQ(any["choices"][0]["finish_reason"], "tool_calls") << any;
    ASSERT_EQ(any["choices"][0]["message"]["tool_calls"].size(), 1u);
    const Json named = ask_json(
        demo(), post(kPath, with(base, {{"tool_choice", {{"type", "function"}, {"function", {{"name", "get_weather"}}}}}})));
    ASSERT_EQ(named["choices"][0]["message"]["tool_calls"].size(), 1u) << named;
    const Json& function = named["choices"][0]["message"]["tool_calls"][0]["function"];
    EXPECT_EQ(function["name"], "get_weather");
    const Json arguments = Json::parse(function["arguments"].get<std::string>());
    EXPECT_TRUE(arguments["city"] == "Rome" || arguments["city"] == "Oslo") << arguments;
  }
}

TEST(Constraints, ABoundAnswerMayStillCallTools) {
  Json base = question(with(with(schema_format(), {{"tools", kTools}, {"temperature", 0}, {"max_tokens", 300}}), kNoThinking));
  const Json story = ask_json(demo(), post(kPath, base));
  base["messages"][0]["content"] = "What is the weather in Rome?";
  const Json weather = ask_json(demo(), post(kPath, base));
  int n_calls = 0;
  for (const Json& answer : {story, weather}) {
    const Json& message = answer["choices"][0]["message"];
    const bool has_calls = message.contains("tool_calls");
    n_calls += has_calls;
    EXPECT_EQ(answer["choices"][0]["finish_reason"], has_calls ? "tool_calls" : "stop");
    if (has_calls) {
      EXPECT_TRUE(message["content"].is_null()) << message;
    } else {
      expect_person(message["content"]);
    }
  }
  EXPECT_EQ(n_calls, 1);
  // With a call that must come there is no other text to bind.
  const Json forced = ask_json(demo(), post(kPath, with(base, {{"tool_choice", "required"}})));
  EXPECT_EQ(forced["choices"][0]["finish_reason"], "tool_calls");
}

TEST(Constraints, WhatCannotBeIsRefused) {  // REPORTS E03, E05, F14
  const auto refusal = [](const Json& more) { return error_of(demo(), post(kPath, question(more))); };
  const auto schema = [&](const char* text) {
    return refusal({{"response_format", {{"type", "json_schema"}, {"json_schema", {{"schema", Json::parse(text)}}}}}});
  };
  EXPECT_NE(schema(R"({"properties":{"a":{"type":"nothing"}}})").find("#/properties/a"), std::string::npos);
  EXPECT_NE(schema(R"({"type":"string","pattern":"("})").find("pattern"), std::string::npos);
  EXPECT_FALSE(schema(R"({"$ref":"#"})").empty());
  EXPECT_FALSE(schema(R"({"$ref":"http://example.com/schema"})").empty());
  EXPECT_FALSE(schema(R"({"type":"integer","minimum":5,"maximum":4})").empty());
  EXPECT_NE(refusal({{"response_format", {{"type", "xml"}}}}).find("response_format.type"), std::string::npos);
  EXPECT_NE(refusal({{"response_format", {{"type", "json_schema"}}}}).find("json_schema.schema"), std::string::npos);
  EXPECT_NE(refusal({{"grammar", "root ::= nothing"}}).find("nothing"), std::string::npos);
  EXPECT_NE(refusal(with(schema_format(), {{"grammar", "root ::= \"a\""}})).find("another member"), std::string::npos);
  EXPECT_NE(refusal({{"tools", kTools}, {"tool_choice", {{"type", "function"}, {"function", {{"name", "nope"}}}}}}).find("nope"),
            std::string::npos);
  EXPECT_NE(refusal({{"tools", kTools}, {"tool_choice", "sometimes"}}).find("tool_choice"), std::string::npos);
}

Json tool_of(const Json& parameters, bool strict) {
  return {{"type", "function"}, {"function", {{"name", "f"}, {"strict", strict}, {"parameters", parameters}}}};
}

TEST(Constraints, AToolsSchemaIsRefusedByItsPlaceOnlyWhereItIsStrict) {  // REPORTS E03, E04
  const Json schema = Json::parse(R"x({"type":"object","properties":{"a":{"type":"string","pattern":"(?=x)"}},"required":["a"]})x");
  EXPECT_NE(error_of(demo(), post(kPath, question({{"tools", {tool_of(schema, true)}}}))).find("#/properties/a/pattern"), std::string::npos);
  const Json lenient = question(with({{"tools", {tool_of(schema, false)}}, {"tool_choice", "required"}, {"max_tokens", 400}}, kNoThinking));
  const Json answer = ask_json(demo(), post(kPath, lenient));
  EXPECT_NE(to_text(answer["warnings"]).find("#/properties/a/pattern"), std::string::npos) << answer;
  EXPECT_EQ(answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "f") << answer;
  // A schema may also say so by itself, in every API.
  Json own = schema;
  own["x-strict"] = false;
  const Json text = ask_json(demo(), post("/completion", {{"prompt", "A"}, {"json_schema", own}, {"n_predict", 1}}));
  EXPECT_NE(to_text(text["warnings"]).find("#/properties/a/pattern"), std::string::npos) << text;
  EXPECT_NE(error_of(demo(), post("/completion", {{"prompt", "A"}, {"json_schema", schema}})).find("#/properties/a/pattern"), std::string::npos);
}

TEST(Constraints, AToolWithAListOfReferencesEnds) {  // REPORTS A15
  const Json schema = Json::parse(R"({"type":"object","properties":{"text":{"type":"string"},"file":{"type":"array","items":{"$ref":"#/$defs/File"}}},
    "required":["text","file"],"additionalProperties":false,"$defs":{"File":{"type":"object","properties":{"name":{"type":"string"}},
    "required":["name"],"additionalProperties":false}}})");
  int n_whole = 0;
  for (int seed = 0; seed < 8; ++seed) {
    const Json body = question(with({{"tools", {tool_of(schema, true)}}, {"tool_choice", "required"}, {"seed", seed}, {"max_tokens", 256}}, kNoThinking));
    const Json answer = ask_json(demo(), post(kPath, body));
    const std::string reason = answer["choices"][0]["finish_reason"];
    EXPECT_TRUE(reason == "tool_calls" || reason == "length") << reason;
    if (reason != "tool_calls") continue;
    const Json& function = answer["choices"][0]["message"]["tool_calls"][0]["function"];
    if (function["name"] != "f") continue;  // one that a string quoted which the limit cut off
    const Json arguments = Json::parse(function["arguments"].get<std::string>());
    ASSERT_TRUE(arguments["file"].is_array()) << arguments;
    for (const Json& file : arguments["file"]) EXPECT_TRUE(file["name"].is_string()) << arguments;
    ++n_whole;
  }
  EXPECT_GT(n_whole, 0);
}

TEST(Constraints, PropertiesOfArgumentsComeInTheirOrder) {  // REPORTS E10
  const Json schema = Json::parse(R"({"type":"object","properties":{"z":{"enum":[1,2]},"a":{"type":"object","properties":{
    "y":{"type":"boolean"},"b":{"type":"boolean"}},"required":["b","y"]},"m":{"type":"boolean"}},"required":["a","m","z"]})");
  for (int seed = 0; seed < 20; ++seed) {
    const Json answer = ask_json(demo(), post(kPath, question(with({{"tools", {tool_of(schema, true)}}, {"tool_choice", "required"},
                                                                    {"temperature", 5}, {"seed", seed}, {"parallel_tool_calls", false}}, kNoThinking))));
    const Json arguments = Json::parse(answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].get<std::string>());
    std::string order;
    for (const auto& [name, value] : arguments.items()) order += name;
    for (const auto& [name, value] : arguments["a"].items()) order += name;
    EXPECT_EQ(order, "zamyb");
  }
}

TEST(Tools, ChoicesAreRead) {
  const auto read = [](const Json& body) { return read_tools(Fields(body)); };
  EXPECT_TRUE(read({{"tools", Json::array()}}).offered.is_null());
  EXPECT_TRUE(read({{"tools", kTools}, {"tool_choice", "none"}}).offered.is_null());
  EXPECT_FALSE(read({{"tools", kTools}, {"tool_choice", "auto"}}).must_call);
  EXPECT_TRUE(read({{"tools", kTools}, {"tool_choice", "required"}}).must_call);
  EXPECT_FALSE(read({{"tools", kTools}, {"parallel_tool_calls", false}}).may_be_parallel);
  EXPECT_THROW(read({{"tool_choice", "required"}}), ApiError);
  EXPECT_THROW(read({{"tool_choice", {{"type", "function"}, {"function", {{"name", "get_weather"}}}}}}), ApiError);
  EXPECT_THROW(read({{"tools", Json::array()}, {"tool_choice", "required"}}), ApiError);
  for (const char* harmless : {"none", "auto"}) EXPECT_FALSE(read({{"tool_choice", harmless}}).must_call);
}

}  // namespace
}  // namespace glint::server
