// SPDX-License-Identifier: Apache-2.0
//
// Ollama's endpoints: lines of JSON, options, and what clients ask about models. Infilling, too.
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

Json question(const std::string& text, const Json& more = Json::object()) {
  Json body = {{"model", "demo"}, {"messages", Json::array({{{"role", "user"}, {"content", text}}})}, {"options", {{"temperature", 0}}}};
  body.update(more);
  return body;
}

std::vector<Json> lines_of(const HttpResponse& response) {
  EXPECT_EQ(response.content_type, "application/x-ndjson");
  std::vector<Json> lines;
  size_t at = 0;
  while (at < response.body.size()) {
    const size_t end = response.body.find('\n', at);
    lines.push_back(Json::parse(response.body.substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

TEST(Ollama, ChatStreamsByDefault) {
  const std::vector<Json> lines = lines_of(ask(demo(), post("/api/chat", question("What is 2 + 3?"))));
  const Json whole = ask_json(demo(), post("/api/chat", question("What is 2 + 3?", {{"stream", false}})));
  std::string content, thinking;
  for (const Json& line : lines) {
    EXPECT_EQ(line["done"], &line == &lines.back());
    content += line["message"]["content"].get<std::string>();
    thinking += line["message"].value("thinking", "");
  }
  EXPECT_EQ(content, whole["message"]["content"]);
  EXPECT_EQ(thinking, whole["message"]["thinking"]);
  EXPECT_FALSE(thinking.empty());
  EXPECT_EQ(lines.back()["done_reason"], "stop");
  EXPECT_EQ(lines.back()["eval_count"], whole["eval_count"]);
  const Json plain = ask_json(demo(), post("/api/chat", question("What is 2 + 3?", {{"stream", false}, {"think", false}})));
  EXPECT_FALSE(plain["message"].contains("thinking"));
}

TEST(Ollama, GenerateThroughTheTemplateOrRaw) {
  const Json base = {{"model", "demo"}, {"stream", false}, {"options", {{"temperature", 0}, {"num_predict", 5}, {"num_ctx", 4096}}}};
  Json chat = base, raw = base;
  chat["prompt"] = "What is 2 + 3?";
  chat["think"] = false;
  raw["prompt"] = "Once upon a time";
  raw["raw"] = true;
  EXPECT_EQ(ask_json(demo(), post("/api/generate", chat))["done_reason"], "length");
  EXPECT_EQ(ask_json(demo(), post("/api/generate", raw))["response"],
            ask_json(demo(), post("/completion", {{"prompt", "Once upon a time"}, {"temperature", 0}, {"n_predict", 5}}))["content"]);
  EXPECT_EQ(ask_json(demo(), post("/api/generate", {{"model", "demo"}}))["done_reason"], "load");
  EXPECT_EQ(ask_json(demo(), post("/api/chat", {{"model", "demo"}, {"messages", Json::array()}}))["done_reason"], "load");
}

TEST(Ollama, ModelsAreDescribed) {
  EXPECT_EQ(ask_json(demo(), get("/api/tags"))["models"][1]["name"], "other-name");
  EXPECT_EQ(ask_json(demo(), get("/api/ps"))["models"].size(), 2u);
  const Json shown = ask_json(demo(), post("/api/show", {{"model", "demo:latest"}}));
  EXPECT_EQ(shown["capabilities"], Json::array({"completion", "tools", "thinking"}));
  EXPECT_EQ(shown["model_info"]["deepseek2.context_length"], 1024);
  EXPECT_TRUE(ask_json(demo(), post("/api/show", {{"model", "third"}}), 404)["error"].is_string());
  EXPECT_TRUE(ask_json(demo(), get("/api/version"))["version"].is_string());
}

TEST(Ollama, WhatIsWrongIsNamed) {
  for (const char* more : {R"({"options":5})", R"({"options":{"temperature":"hot"}})", R"({"think":5})", R"({"format":5})", R"({"messages":[5]})",
                           R"({"messages":[{"role":"user","content":"a","images":["x"]}]})", R"({"tools":[{}]})",
                           R"({"messages":[{"role":"assistant","content":"a","tool_calls":[5]},{"role":"user","content":"b"}]})"}) {
    EXPECT_TRUE(ask_json(demo(), post("/api/chat", question("Hi", Json::parse(more))), 400)["error"].is_string()) << more;
  }
  ask_json(demo(), post("/api/generate", {{"prompt", "a"}, {"suffix", "b"}}), 400);
}

TEST(Infill, PutsTheTokensOfTheVocabularyAroundTheText) {
  const Json answer = ask_json(demo(), post("/infill", {{"input_prefix", "a = "}, {"input_suffix", "\nprint(a)"}, {"n_predict", 2}, {"ignore_eos", true},
                                                        {"input_extra", Json::array({{{"filename", "b.py"}, {"text", "b = 1"}}})}}));
  const Vocab& vocab = demo().tokenizer().vocab();
  const SpecialIds& special = vocab.special();
  ASSERT_TRUE(special.fim_prefix && special.fim_suffix && special.fim_middle);
  const auto name = [&](std::optional<int32_t> id) { return std::string(vocab.bytes(*id)); };
  const std::string expected = "b.py\nb = 1\n" + name(special.fim_prefix) + "a = " + name(special.fim_suffix) + "\nprint(a)" +
                               name(special.fim_middle);
  EXPECT_TRUE(answer["prompt"].get<std::string>().ends_with(expected)) << answer["prompt"];
  EXPECT_EQ(answer["tokens_predicted"], 2);
  ask_json(demo(), post("/infill", {{"input_prefix", "a"}}), 400);
  ask_json(demo(), post("/infill", {{"input_prefix", "a"}, {"input_suffix", "b"}, {"input_extra", {5}}}), 400);
}

}  // namespace
}  // namespace glint::server
