// SPDX-License-Identifier: Apache-2.0
//
// Text without a chat: OpenAI's /v1/completions and llama.cpp's /completion.
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

Json prompt(const Json& text, const Json& more = Json::object()) {
  Json body = {{"prompt", text}, {"temperature", 0}, {"max_tokens", 12}};
  body.update(more);
  return body;
}

TEST(Completions, TakeTextIdsAndListsOfBoth) {
  const std::string text = "Once upon a time";
  const Json ids = demo().tokenizer().encode(text, {.add_special = true});
  const Json by_text = ask_json(demo(), post("/v1/completions", prompt(text)));
  EXPECT_EQ(by_text["object"], "text_completion");
  EXPECT_EQ(by_text["usage"]["completion_tokens"], 12);
  EXPECT_EQ(ask_json(demo(), post("/v1/completions", prompt(ids)))["choices"], by_text["choices"]);
  const Json both = ask_json(demo(), post("/v1/completions", prompt(Json::array({"Hello there", ids}))));
  ASSERT_EQ(both["choices"].size(), 2u);
  EXPECT_EQ(both["choices"][1]["text"], by_text["choices"][0]["text"]);
  EXPECT_EQ(both["choices"][1]["index"], 1);
}

TEST(Completions, StreamsSayTheSame) {
  const Json body = prompt(Json::array({"Once upon a time", "Hello"}), {{"n", 2}, {"seed", 5}, {"temperature", 1.0}, {"logprobs", 2}});
  const Json whole = ask_json(demo(), post("/v1/completions", body));
  Json streaming = body;
  streaming["stream"] = true;
  std::vector<std::string> texts(4);
  std::vector<Json> offsets(4, Json::array());
  for (const Json& event : sse_events(ask(demo(), post("/v1/completions", streaming)).body)) {
    const Json& choice = event["choices"][0];
    const auto index = choice["index"].get<size_t>();
    texts[index] += choice["text"].get<std::string>();
    if (!choice["logprobs"].is_null()) offsets[index].push_back(choice["logprobs"]["text_offset"][0]);
  }
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(texts[i], whole["choices"][i]["text"]);
    EXPECT_EQ(offsets[i], whole["choices"][i]["logprobs"]["text_offset"]);
  }
  EXPECT_NE(texts[0], texts[1]);
}

TEST(Completions, LogprobsHaveEveryList) {  // REPORTS D03
  const Json answer = ask_json(demo(), post("/v1/completions", prompt("Once upon a time", {{"logprobs", 1}, {"echo", true}})));
  const Json& choice = answer["choices"][0];
  const std::string text = choice["text"];
  EXPECT_TRUE(text.starts_with("Once upon a time"));
  const Json& logprobs = choice["logprobs"];
  ASSERT_EQ(logprobs["tokens"].size(), 12u);
  for (size_t i = 0; i < 12; ++i) {
    const std::string token = logprobs["tokens"][i];
    EXPECT_EQ(text.substr(logprobs["text_offset"][i].get<size_t>(), token.size()), token);
    EXPECT_EQ(logprobs["top_logprobs"][i][token], logprobs["token_logprobs"][i]);
  }
}

TEST(Completions, WhatIsWrongIsNamed) {
  for (const char* more : {R"({"prompt":null})", R"({"prompt":5})", R"({"prompt":[]})", R"({"prompt":[8192]})", R"({"prompt":[1,[2]]})",
                           R"({"suffix":"x"})", R"({"best_of":3})", R"({"logprobs":21})", R"({"prompt":{"prompt_string":"a"}})"}) {
    ask_json(demo(), post("/v1/completions", prompt("a", Json::parse(more))), 400);
  }
  Json many = Json::array();
  for (int i = 0; i < 129; ++i) many.push_back("a");
  ask_json(demo(), post("/v1/completions", prompt(many)), 400);
}

TEST(NativeCompletion, SaysHowItEnded) {
  const Json base = {{"prompt", "Once upon a time"}, {"n_predict", 20}, {"temperature", 0}, {"return_tokens", true}};
  const Json limit = ask_json(demo(), post("/completion", base));
  EXPECT_EQ(limit["stop_type"], "limit");
  EXPECT_EQ(limit["tokens"].size(), 20u);
  EXPECT_EQ(limit["tokens_predicted"], 20);
  EXPECT_EQ(limit["tokens_evaluated"], demo().tokenizer().encode("Once upon a time").size());
  EXPECT_EQ(limit["prompt"], "Once upon a time");
  EXPECT_EQ(limit["generation_settings"]["temperature"], 0.0);
  EXPECT_EQ(demo().tokenizer().decode(limit["tokens"].get<std::vector<int32_t>>()), limit["content"].get<std::string>());
  Json word = base;
  word["stop"] = Json::array({limit["content"].get<std::string>().substr(10, 6)});
  const Json stopped = ask_json(demo(), post("/completion", word));
  EXPECT_EQ(stopped["stop_type"], "word");
  EXPECT_EQ(stopped["stopping_word"], word["stop"][0]);
  EXPECT_EQ(stopped["content"], limit["content"].get<std::string>().substr(0, 10));
  Json none = base;
  none["n_predict"] = 0;
  EXPECT_EQ(ask_json(demo(), post("/completion", none))["content"], "");
  Json endless = base;
  endless["n_predict"] = -1;
  EXPECT_EQ(ask_json(demo(), post("/completion", endless))["stop_type"], "eos");
}

TEST(NativeCompletion, StreamsWithoutDone) {
  const Json base = {{"prompt", Json::array({"Once upon", 300, " a time"})}, {"n_predict", 9}, {"temperature", 0}, {"n_probs", 2}};
  const Json whole = ask_json(demo(), post("/completion", base));
  Json streaming = base;
  streaming["stream"] = true;
  const std::string body = ask(demo(), post("/completion", streaming)).body;
  EXPECT_EQ(body.find("[DONE]"), std::string::npos);
  std::string text;
  Json probabilities = Json::array();
  const std::vector<Json> events = sse_events(body);
  for (const Json& event : events) {
    text += event["content"].get<std::string>();
    EXPECT_EQ(event["stop"], &event == &events.back());
    if (event.contains("completion_probabilities")) probabilities.push_back(event["completion_probabilities"][0]);
  }
  EXPECT_EQ(text, whole["content"]);
  EXPECT_EQ(probabilities, whole["completion_probabilities"]);
  EXPECT_EQ(events.back()["timings"]["predicted_n"], 9);
}

TEST(NativeCompletion, ManyPromptsGiveManyAnswers) {
  const Json answers = ask_json(
      demo(), post("/completion", {{"prompt", Json::array({"Hello", Json::array({40, 41})})}, {"n_predict", 3}, {"n_cmpl", 2}}));
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_EQ(answers[3]["index"], 3);
  EXPECT_EQ(answers[2]["tokens_evaluated"], 2);
}

}  // namespace
}  // namespace glint::server
