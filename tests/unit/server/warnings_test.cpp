// SPDX-License-Identifier: Apache-2.0
//
// A member that changes nothing is named in the answer's "warnings", in every API, whole and streamed; one that counts is
// not; and what a constraint leaves out is told there too.
#include <gmock/gmock.h>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

using testing::ElementsAre;
using Texts = std::vector<std::string>;

Json hello(const Json& more = Json::object()) {
  Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "Hello"}}})}, {"max_tokens", 2}};
  body.update(more);
  return body;
}

Texts warnings_of(const Json& answer) {
  return answer.contains("warnings") ? answer["warnings"].get<Texts>() : Texts{};
}

TEST(Warnings, OfOpenAi) {
  const Json odd = {{"temprature", 0.1}, {"user", "me"}, {"nothing", nullptr}, {"model", "any"}, {"seed", 1}};
  EXPECT_THAT(warnings_of(ask_json(demo(), post("/v1/chat/completions", hello(odd)))),
              ElementsAre("temprature: ignored", "user: ignored"));
  EXPECT_FALSE(ask_json(demo(), post("/v1/chat/completions", hello({{"model", "any"}}))).contains("warnings"));
  Json streamed = hello(odd);
  streamed["stream"] = true;
  const std::vector<Json> events = sse_events(ask(demo(), post("/v1/chat/completions", streamed)).body);
  EXPECT_THAT(warnings_of(events.back()), ElementsAre("temprature: ignored", "user: ignored"));
  const Json text = {{"prompt", "Hello"}, {"max_tokens", 2}, {"service_tier", "auto"}};
  EXPECT_THAT(warnings_of(ask_json(demo(), post("/v1/completions", text))), ElementsAre("service_tier: ignored"));
}

TEST(Warnings, OfTheOtherApis) {
  EXPECT_THAT(warnings_of(ask_json(demo(), post("/v1/messages", hello({{"metadata", {{"user_id", "me"}}}})))),
              ElementsAre("metadata: ignored"));
  const Json item = {{"input", "Hello"}, {"max_output_tokens", 2}, {"user", "me"}};
  EXPECT_THAT(warnings_of(ask_json(demo(), post("/v1/responses", item))), ElementsAre("user: ignored"));
  const Json ollama = {{"messages", hello()["messages"]}, {"stream", false}, {"keep_alive", "5m"},
                       {"options", {{"num_predict", 2}, {"num_ctx", 4096}, {"temperature", 0}}}};
  EXPECT_THAT(warnings_of(ask_json(demo(), post("/api/chat", ollama))),
              ElementsAre("keep_alive: ignored", "options.num_ctx: ignored"));
  const Json native = {{"prompt", "Hello"}, {"n_predict", 2}, {"id_slot", 3}};
  EXPECT_THAT(warnings_of(ask_json(demo(), post("/completion", native))), ElementsAre("id_slot: ignored"));
}

TEST(Warnings, OfWhatCapabilitiesCallIgnoredAndOfNothingSupported) {
  const Json fields = ask_json(demo(), get("/v1/capabilities"))["fields"];
  Json body = hello();
  for (const auto& [name, what] : fields.items()) {
    if (what == "ignored") body[name] = 1;
  }
  const Texts warnings = warnings_of(ask_json(demo(), post("/v1/chat/completions", body)));
  EXPECT_EQ(warnings.size(), body.size() - 2) << to_text(body);
  Json read = hello({{"temperature", 0}, {"top_k", 3}, {"stop", "x"}, {"n", 1}, {"logprobs", true}, {"top_logprobs", 1},
                     {"stream", false}, {"stream_options", {{"include_usage", true}}}, {"ignore_eos", false},
                     {"samplers", {"top_k"}}, {"dry_sequence_breakers", {"x"}}, {"logit_bias", {{"1", 1}}},
                     {"chat_template_kwargs", Json::object()}, {"reasoning_effort", "low"}, {"thinking", false},
                     {"reasoning_budget", 0}, {"reasoning_format", "auto"}, {"tools", Json::array()},
                     {"parallel_tool_calls", true}, {"response_format", {{"type", "text"}}}, {"grammar", ""}});
  for (const auto& [name, value] : read.items()) EXPECT_EQ(fields.value(name, ""), "supported") << name;
  EXPECT_THAT(warnings_of(ask_json(demo(), post("/v1/chat/completions", read))), ElementsAre());
}

TEST(Warnings, OfWhatASchemaLeavesOut) {
  const Json schema = {{"type", "array"}, {"items", {{"enum", {1, 2}}}}, {"maxItems", 2}, {"contains", {{"const", 1}}}, {"minContains", 2}};
  const Json format = {{"type", "json_schema"}, {"json_schema", {{"name", "x"}, {"strict", false}, {"schema", schema}}}};
  const Texts warnings = warnings_of(ask_json(demo(), post("/v1/chat/completions", hello({{"response_format", format}, {"thinking", false}}))));
  EXPECT_THAT(warnings, testing::Contains(testing::HasSubstr("minContains")));
}

TEST(Warnings, AreBounded) {
  Json body = hello();
  for (int i = 0; i < 1000; ++i) body["x" + std::to_string(i)] = i;
  EXPECT_LE(warnings_of(ask_json(demo(), post("/v1/chat/completions", body))).size(), 32u);
}

}  // namespace
}  // namespace glint::server
