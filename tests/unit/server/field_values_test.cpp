// SPDX-License-Identifier: Apache-2.0
//
// Every number that a request may hold, on every endpoint that /openapi.json lists: absurd ones are refused by name, and
// each sampling setting reaches the sampler through every API that has it.
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

const Json kMessages = Json::array({{{"role", "user"}, {"content", "Tell me a story."}}});

/// A request to each endpoint that is answered at once and in a token or two.
const Json& smallest_requests() {
  static const Json requests = {
      {"/v1/chat/completions", {{"messages", kMessages}, {"max_tokens", 1}, {"logprobs", true}}},
      {"/v1/completions", {{"prompt", "A"}, {"max_tokens", 1}}},
      {"/v1/responses", {{"input", "A"}, {"max_output_tokens", 1}, {"store", false}}},
      {"/v1/messages", {{"messages", kMessages}, {"max_tokens", 1}}},
      {"/v1/messages/count_tokens", {{"messages", kMessages}}},
      {"/completion", {{"prompt", "A"}, {"n_predict", 1}}},
      {"/infill", {{"input_prefix", "a"}, {"input_suffix", "b"}, {"n_predict", 1}}},
      {"/apply-template", {{"messages", kMessages}}},
      {"/v1/embeddings", {{"input", "A"}}},
      {"/embedding", {{"content", "A"}}},
      {"/api/embed", {{"input", "A"}}},
      {"/api/chat", {{"messages", kMessages}, {"stream", false}, {"options", {{"num_predict", 1}}}}},
      {"/api/generate", {{"prompt", "A"}, {"stream", false}, {"options", {{"num_predict", 1}}}}}};
  return requests;
}

struct Member {
  std::string path, name;
  bool is_option;  // of Ollama's "options"
};

/// All members that are numbers and nothing else.
std::vector<Member> number_members() {
  const Json paths = ask_json(demo(), get("/openapi.json"))["paths"];
  std::vector<Member> members;
  for (const auto& [path, body] : smallest_requests().items()) {
    const Json& properties = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"];
    const auto add = [&, &at = path](const Json& schemas, bool is_option) {
      for (const auto& [name, schema] : schemas.items()) {
        const std::string type = schema.value("type", "");
        if (type == "integer" || type == "number") members.push_back({at, name, is_option});
      }
    };
    add(properties, false);
    if (properties.contains("options")) add(properties["options"]["properties"], true);
  }
  return members;
}

HttpResponse ask_with(const Member& member, const Json& value) {
  Json body = smallest_requests()[member.path];
  (member.is_option ? body["options"] : body)[member.name] = value;
  return ask(demo(), post(member.path, body));
}

TEST(FieldValues, WhatIsNoNumberIsRefusedByName) {  // REPORTS F22
  const std::vector<Member> members = number_members();
  EXPECT_GT(members.size(), 150u);
  for (const Member& member : members) {
    for (const char* value : {R"("5")", R"("NaN")", "true", "[]", "{}"}) {
      const HttpResponse response = ask_with(member, Json::parse(value));
      EXPECT_EQ(response.status, 400) << member.path << " " << member.name << " " << value << " " << response.body;
      EXPECT_NE(response.body.find(member.name), std::string::npos) << member.path << " " << value << " " << response.body;
    }
  }
}

TEST(FieldValues, AbsurdNumbersAreRefusedByNameOrClamped) {  // REPORTS F22, D09, F15
  for (const Member& member : number_members()) {
    for (const char* value : {"-1", "-2147483648", "2147483647", "9223372036854775808", "1e308", "-1e308", "1.5"}) {
      const HttpResponse response = ask_with(member, Json::parse(value));
      if (response.status == 200) continue;  // within its range, or as good as the largest
      EXPECT_EQ(response.status, 400) << member.path << " " << member.name << " " << value << " " << response.body;
      EXPECT_NE(response.body.find(member.name), std::string::npos) << member.path << " " << value << " " << response.body;
    }
  }
  EXPECT_EQ(demo().batch().status().n_open, 0);
}

TEST(FieldValues, NullIsTheSameAsAbsent) {  // REPORTS F15
  for (const Member& member : number_members()) {
    if (member.path == "/v1/messages" && member.name == "max_tokens") continue;  // which must be there
    EXPECT_EQ(ask_with(member, nullptr).status, 200) << member.path << " " << member.name;
  }
}

constexpr const char* kRefrain = "The dog ran and the cat ran. The dog ran and the cat ran. The dog ran and";  // is gone on with

/// An API that generates: how a request to it is written, and where its text is.
struct Api {
  const char* path;
  Json body;
  const char* text;  // JSON pointer
  bool has_options;  // settings are members of "options"
};

const std::vector<Api>& apis() {
  static const Json no_thinking = {{"enable_thinking", false}};
  static const std::vector<Api> all = {
      {"/v1/chat/completions", {{"messages", kMessages}, {"max_tokens", 40}, {"chat_template_kwargs", no_thinking}},
       "/choices/0/message/content", false},
      {"/v1/completions", {{"prompt", kRefrain}, {"max_tokens", 40}}, "/choices/0/text", false},
      {"/completion", {{"prompt", kRefrain}, {"n_predict", 40}}, "/content", false},
      {"/infill", {{"input_prefix", "a"}, {"input_suffix", "b"}, {"n_predict", 40}}, "/content", false},
      {"/v1/messages", {{"messages", kMessages}, {"max_tokens", 40}, {"thinking", {{"type", "disabled"}}}}, "/content/0/text", false},
      {"/v1/responses", {{"input", "Tell me a story."}, {"max_output_tokens", 40}, {"reasoning", {{"effort", "none"}}}},
       "/output/0/content/0/text", false},
      {"/api/chat", {{"messages", kMessages}, {"stream", false}, {"think", false}, {"options", {{"num_predict", 40}}}},
       "/message/content", true},
      {"/api/generate", {{"prompt", kRefrain}, {"raw", true}, {"stream", false}, {"options", {{"num_predict", 40}}}},
       "/response", true}};
  return all;
}

std::string text_of(const Api& api, const Json& settings) {
  Json body = api.body;
  (api.has_options ? body["options"] : body).update(settings);
  return ask_json(demo(), post(api.path, body)).value(Json::json_pointer(api.text), std::string());
}

Json settings_of(const char* more) {
  Json settings = {{"temperature", 1.0}, {"seed", 3}, {"top_p", 1.0}};
  settings.update(Json::parse(more));
  return settings;
}

TEST(FieldValues, EverySettingReachesTheSamplerThroughEveryApi) {  // REPORTS D08
  const Json paths = ask_json(demo(), get("/openapi.json"))["paths"];
  int n_checked = 0;
  for (const Api& api : apis()) {
    const Json& schema = paths[api.path]["post"]["requestBody"]["content"]["application/json"]["schema"];
    const Json& known = api.has_options ? schema["properties"]["options"]["properties"] : schema["properties"];
    const auto settings = [&](const char* more) {
      Json all = settings_of(more);
      for (const char* neutral : {"top_k", "min_p"}) {
        if (known.contains(neutral) && !all.contains(neutral)) all[neutral] = 0;
      }
      return all;
    };
    const std::string plain = text_of(api, settings("{}"));
    EXPECT_GT(plain.size(), 20u) << api.path;
    EXPECT_EQ(text_of(api, settings("{}")), plain) << api.path;
    for (const char* more :
         {R"({"temperature":0})", R"({"seed":4})", R"({"top_p":0.01})", R"({"top_k":1})", R"({"min_p":1.0})", R"({"typical_p":0.01})",
          R"({"top_n_sigma":0.01})", R"({"xtc_probability":1.0,"xtc_threshold":0.01})", R"({"repeat_penalty":50.0})",
          R"({"presence_penalty":50.0})", R"({"frequency_penalty":50.0})", R"({"dynatemp_range":1.0})",
          R"({"dry_multiplier":100.0,"dry_allowed_length":1,"dry_sequence_breakers":[]})", R"({"mirostat":2,"mirostat_tau":0.1})",
          R"({"samplers":["top_k"],"top_k":1})"}) {
      const std::string name = Json::parse(more).begin().key();
      if (!known.contains(name)) continue;  // Anthropic's and OpenAI's newer API have few
      EXPECT_NE(text_of(api, settings(more)), plain) << api.path << " " << more;
      ++n_checked;
    }
  }
  EXPECT_GE(n_checked, 5 * 15 + 3 + 3);
}

TEST(FieldValues, ASeedGivesTheSamePairWhateverElseRuns) {  // REPORTS D01
  const Endpoints endpoints(demo());
  Json body = {{"messages", kMessages}, {"temperature", 1.0}, {"seed", 42}, {"n", 2}, {"max_tokens", 30}};
  const Json alone = ask_json(demo(), post("/v1/chat/completions", body))["choices"];
  EXPECT_NE(alone[0]["message"], alone[1]["message"]);
  std::vector<Reply> others;  // which run until they are let go of
  for (int i = 0; i < 3; ++i) {
    others.push_back(endpoints.handle(post("/completion", {{"prompt", std::to_string(i)}, {"ignore_eos", true}, {"stream", true}})));
  }
  const Json among = read_all(endpoints.handle(post("/v1/chat/completions", body))).body;
  EXPECT_EQ(Json::parse(among.get<std::string>())["choices"], alone);
  body.erase("seed");
  body["n"] = 1;
  EXPECT_NE(ask_json(demo(), post("/v1/chat/completions", body))["choices"], ask_json(demo(), post("/v1/chat/completions", body))["choices"]);
}

}  // namespace
}  // namespace glint::server
