// SPDX-License-Identifier: Apache-2.0
//
// Embeddings through each API: shapes, length, number of dimensions, encodings, and what is refused.
#include <gmock/gmock.h>
#include <openssl/evp.h>

#include <cmath>
#include <cstring>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

using testing::HasSubstr;
using Vector = std::vector<double>;

Json openai(const Json& more = Json::object()) {
  Json body = {{"input", "The cat sat on the mat"}};
  body.update(more);
  return ask_json(demo(), post("/v1/embeddings", body));
}
Vector vector_of(const Json& answer, size_t index = 0) { return answer["data"][index]["embedding"].get<Vector>(); }
double length(const Vector& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}
size_t d_model() { return static_cast<size_t>(demo().engine().model().spec.d_model); }

TEST(Embeddings, OpenAiShape) {
  const Json answer = openai({{"input", Json::array({"The cat sat on the mat", "Something else"})}, {"user", "me"}});
  EXPECT_EQ(answer["object"], "list");
  ASSERT_EQ(answer["data"].size(), 2u);
  EXPECT_EQ(answer["data"][1]["index"], 1);
  EXPECT_EQ(answer["data"][1]["object"], "embedding");
  EXPECT_EQ(vector_of(answer).size(), d_model());
  EXPECT_NEAR(length(vector_of(answer)), 1, 1e-6);  // d_model floats, each off by at most 2^-24
  EXPECT_NE(vector_of(answer, 0), vector_of(answer, 1));
  EXPECT_EQ(vector_of(answer), vector_of(openai()));  // alone as among others
  EXPECT_EQ(answer["usage"]["prompt_tokens"], answer["usage"]["total_tokens"]);
  EXPECT_GT(answer["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(answer["warnings"], Json::array({"user: ignored"}));
}

TEST(Embeddings, IdsAreTheSameAsTheirText) {
  const std::vector<int32_t> ids =
      demo().tokenizer().encode("The cat sat on the mat", {.add_special = true, .parse_special = true, .single_bos = true});
  EXPECT_EQ(vector_of(openai({{"input", ids}})), vector_of(openai()));
}

TEST(Embeddings, FewerDimensionsAreOfLengthOneToo) {
  const Vector all = vector_of(openai()), few = vector_of(openai({{"dimensions", 16}}));
  ASSERT_EQ(few.size(), 16u);
  EXPECT_NEAR(length(few), 1, 1e-6);
  EXPECT_NEAR(few[3] / few[5], all[3] / all[5], 1e-4 * std::abs(all[3] / all[5]));
}

TEST(Embeddings, Base64IsTheSameFloats) {
  const Vector numbers = vector_of(openai());
  const std::string text = openai({{"encoding_format", "base64"}})["data"][0]["embedding"];
  std::vector<float> floats(numbers.size() + 1);  // decoding writes up to two zeros behind
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(floats.data()), reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  for (size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(floats[i], static_cast<float>(numbers[i])) << i;
}

TEST(Embeddings, OtherApis) {
  const Vector expected = vector_of(openai());
  const Json native = ask_json(demo(), post("/embedding", {{"content", "The cat sat on the mat"}}));
  EXPECT_EQ(native[0]["embedding"][0].get<Vector>(), expected);
  const Json raw = ask_json(demo(), post("/embeddings", {{"content", "The cat sat on the mat"}, {"embd_normalize", -1}}));
  EXPECT_GT(length(raw[0]["embedding"][0].get<Vector>()), 1.5);
  const Json ollama = ask_json(demo(), post("/api/embed", {{"model", "demo"}, {"input", Json::array({"The cat sat on the mat", "x"})}}));
  EXPECT_EQ(ollama["embeddings"].size(), 2u);
  EXPECT_EQ(ollama["embeddings"][0].get<Vector>(), expected);
  EXPECT_GT(ollama["prompt_eval_count"], 5);
  const Json old = ask_json(demo(), post("/api/embeddings", {{"model", "demo"}, {"prompt", "The cat sat on the mat"}}));
  EXPECT_EQ(old["embedding"].get<Vector>(), expected);
  // Too long: cut, or refused when that is not wanted.
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "word ";
  EXPECT_EQ(ask_json(demo(), post("/api/embed", {{"input", text}}))["prompt_eval_count"], demo().engine().n_ctx());
  ask_json(demo(), post("/api/embed", {{"input", text}, {"truncate", false}}), 400);
}

std::shared_ptr<Service> with_pooling(Pooling pooling) {
  ServiceSetup setup;
  setup.service.pooling = pooling;
  return make_service(setup);
}

TEST(Embeddings, PoolingIsTheServers) {
  const Json body = {{"input", "The cat sat on the mat"}};
  std::map<std::string, Vector> by_pooling;
  for (const char* name : {"mean", "cls", "last"}) {
    const std::shared_ptr<Service> service = with_pooling(parse_pooling(name));
    by_pooling[name] = vector_of(ask_json(*service, post("/v1/embeddings", body)));
  }
  EXPECT_EQ(by_pooling["last"], vector_of(openai()));
  EXPECT_NE(by_pooling["mean"], by_pooling["last"]);
  EXPECT_NE(by_pooling["cls"], by_pooling["mean"]);
  const std::shared_ptr<Service> none = with_pooling(Pooling::kNone);
  EXPECT_THAT(error_of(*none, post("/v1/embeddings", body)), HasSubstr("--pooling none"));
  const Json all = ask_json(*none, post("/embedding", body));
  EXPECT_GT(all[0]["embedding"].size(), 5u);
  EXPECT_EQ(all[0]["embedding"].front().get<Vector>(), by_pooling["cls"]);
  EXPECT_EQ(all[0]["embedding"].back().get<Vector>(), by_pooling["last"]);
  EXPECT_THROW(parse_pooling("rank"), Error);
}

TEST(Embeddings, WhatIsWrongIsNamed) {
  const auto refusal = [](const char* more, int status = 400) {
    Json body = {{"input", "Hello"}};
    body.update(Json::parse(more));
    return error_of(demo(), post("/v1/embeddings", body), status);
  };
  EXPECT_THAT(refusal(R"({"input":null})"), HasSubstr("input"));
  EXPECT_THAT(refusal(R"({"input":5})"), HasSubstr("input"));
  EXPECT_THAT(refusal(R"({"input":[-1]})"), HasSubstr("input"));
  EXPECT_THAT(refusal(R"({"input":[]})"), HasSubstr("empty"));
  EXPECT_THAT(refusal(R"({"dimensions":0})"), HasSubstr("dimensions"));
  EXPECT_THAT(refusal(R"({"dimensions":100000})"), HasSubstr("dimensions"));
  EXPECT_THAT(refusal(R"({"encoding_format":"hex"})"), HasSubstr("encoding_format"));
  EXPECT_THAT(error_of(demo(), post("/embedding", {{"content", "x"}, {"embd_normalize", 7}})), HasSubstr("embd_normalize"));
}

}  // namespace
}  // namespace glint::server
