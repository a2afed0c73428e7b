// SPDX-License-Identifier: Apache-2.0
//
// /v1/rerank against a model whose classifier is two rows of its own head, so that its scores can be had from the
// logits of the same prompts.
#include <gmock/gmock.h>

#include <cmath>

#include "gguf/synth.h"
#include "tensor/dequantize.h"
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

using testing::HasSubstr;

constexpr int kYes = 300, kNo = 200;
constexpr const char* kTemplate = "Query: {query}\nDocument: {document}\nIs it good?{no name}";

/// A model with something added to it.
std::vector<std::byte> image(const std::function<void(gguf::Writer&)>& change = [](gguf::Writer&) {}) {
  gguf::SynthOptions options;
  options.model = "llama-tiny";
  options.type = "f16";
  gguf::Writer writer;
  gguf::synthesize(options, writer);
  change(writer);
  return writer.image();
}

/// Of the head.
std::vector<float> head_row(const gguf::File& file, int id) {
  const HostTensor* head = file.find("output.weight");
  if (head == nullptr) head = file.find("token_embd.weight");
  std::vector<float> all(static_cast<size_t>(head->elements()));
  dequantize(head->dtype, head->bytes.data(), head->elements(), all.data());
  const auto d_model = static_cast<std::ptrdiff_t>(head->dims[1]);
  return {all.begin() + id * d_model, all.begin() + (id + 1) * d_model};
}

std::vector<std::byte> bytes_of(const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

class RerankTest : public testing::Test {
 protected:
  static std::vector<std::byte> reranker(bool with_template = true) {
    const std::vector<std::byte> plain = image();
    const gguf::File file = gguf::File::parse(plain, "plain");
    std::vector<float> rows = head_row(file, kYes);
    const std::vector<float> no = head_row(file, kNo);
    const auto d_model = static_cast<int64_t>(no.size());
    rows.insert(rows.end(), no.begin(), no.end());
    return image([&](gguf::Writer& writer) {
      if (with_template) writer.add_string("tokenizer.chat_template.rerank", kTemplate);
      writer.add_uint32("llama.pooling_type", 4);
      writer.add_tensor("cls.output.weight", DType::kF32, {2, d_model}, bytes_of(rows));
    });
  }
  static Engine engine(const std::vector<std::byte>& bytes) {
    EngineOptions options;
    options.n_threads = 2;
    options.n_ctx = 512;
    options.n_sequences = 4;
    return Engine::open(gguf::File::parse(bytes, "tiny"), options);
  }
  Service& service() {
    if (!service_) service_ = std::make_unique<Service>(engine(bytes_), BatchOptions{}, std::nullopt, ServiceOptions{});
    return *service_;
  }
  double expected(const std::string& query, const std::string& document) {
    const std::string text = "Query: " + query + "\nDocument: " + document + "\nIs it good?{no name}";
    Engine alone = engine(bytes_);
    double yes = 0, no = 0;
    alone.for_each_logits(alone.tokenizer().encode(text, {}), false, [&](std::span<const float> logits) {
      yes = static_cast<double>(logits[kYes]);
      no = static_cast<double>(logits[kNo]);
    });
    return 1 / (1 + std::exp(no - yes));
  }

  std::vector<std::byte> bytes_ = reranker();
  std::unique_ptr<Service> service_;
};

TEST_F(RerankTest, ScoresAreTheHeadsOwn) {
  const Json documents =
      Json::array({"Pandas eat bamboo.", "hi", {{"text", "It is a bear {query} of China"}}, "<s>{document}"});
  const Json answer =
      ask_json(service(), post("/v1/rerank", {{"query", "What is a panda?"}, {"documents", documents}}));
  EXPECT_EQ(answer["object"], "list");
  EXPECT_EQ(answer["model"], "glint");
  EXPECT_GT(answer["usage"]["prompt_tokens"], 40);
  EXPECT_EQ(answer["usage"]["total_tokens"], answer["usage"]["prompt_tokens"]);
  const Json& results = answer["results"];
  ASSERT_EQ(results.size(), 4u);
  double last = 1;
  for (const Json& result : results) {
    const size_t index = result["index"];
    const Json& document = documents[index];
    const double score = result["relevance_score"];
    // Sums of 64 products in f32 and in f64.
    EXPECT_NEAR(score, expected("What is a panda?", document.is_string() ? document : document["text"]), 1e-5) << index;
    EXPECT_LE(score, last);
    last = score;
    EXPECT_FALSE(result.contains("document"));
  }
  EXPECT_GT(results[0]["relevance_score"].get<double>() - last, 1e-4);  // else the order would show nothing
}

TEST_F(RerankTest, TheBestInEitherApisWords) {
  const Json documents = Json::array({"Pandas eat bamboo.", "hi", "It is a bear"});
  const Json all = ask_json(service(), post("/rerank", {{"query", "q"}, {"documents", documents}}))["results"];
  const Json jina = ask_json(
      service(), post("/reranking",
                      {{"query", "q"}, {"documents", documents}, {"top_n", 2}, {"return_documents", true}, {"x", 1}}));
  ASSERT_EQ(jina["results"].size(), 2u);
  EXPECT_EQ(jina["warnings"], Json::array({"x: ignored"}));
  const Json tei =
      ask_json(service(), post("/rerank", {{"query", "q"}, {"texts", documents}, {"return_text", true}, {"top_n", 9}}));
  ASSERT_EQ(tei.size(), 3u);
  for (size_t i = 0; i < 2; ++i) {
    const size_t index = all[i]["index"];
    EXPECT_EQ(jina["results"][i]["index"], index);
    EXPECT_EQ(jina["results"][i]["relevance_score"], all[i]["relevance_score"]);
    EXPECT_EQ(jina["results"][i]["document"]["text"], documents[index]);
    EXPECT_EQ(tei[i]["index"], index);
    EXPECT_EQ(tei[i]["score"], all[i]["relevance_score"]);
    EXPECT_EQ(tei[i]["text"], documents[index]);
  }
}

TEST_F(RerankTest, WhatIsWrongIsNamed) {
  const auto refusal = [&](const char* body) { return error_of(service(), post("/v1/rerank", Json::parse(body))); };
  EXPECT_THAT(refusal(R"({"documents":["a"]})"), HasSubstr("query"));
  EXPECT_THAT(refusal(R"({"query":5,"documents":["a"]})"), HasSubstr("query"));
  EXPECT_THAT(refusal(R"({"query":"q"})"), HasSubstr("documents"));
  EXPECT_THAT(refusal(R"({"query":"q","documents":[]})"), HasSubstr("documents"));
  EXPECT_THAT(refusal(R"({"query":"q","documents":["a",5]})"), HasSubstr("documents[1]"));
  EXPECT_THAT(refusal(R"({"query":"q","documents":[{}]})"), HasSubstr("documents[0].text"));
  EXPECT_THAT(refusal(R"({"query":"q","documents":["a"],"top_n":0})"), HasSubstr("top_n"));
  EXPECT_THAT(error_of(service(),
                       post("/v1/rerank", {{"query", "q"}, {"documents", Json(std::vector<std::string>(129, "a"))}})),
              HasSubstr("128"));
  EXPECT_THAT(error_of(service(), post("/v1/rerank", {{"query", "q"}, {"documents", {std::string(5000, 'x')}}})),
              HasSubstr("context"));
}

TEST_F(RerankTest, OtherModelsSayWhyNot) {
  const Json body = {{"query", "q"}, {"documents", {"a"}}};
  EXPECT_THAT(error_of(demo(), post("/v1/rerank", body), 501), HasSubstr("no classifier"));
  const auto reason = [&](const std::vector<std::byte>& bytes) {
    Service other(engine(bytes), {}, std::nullopt, {});
    return error_of(other, post("/v1/rerank", body), 501);
  };
  EXPECT_THAT(reason(reranker(/*with_template=*/false)), HasSubstr("chat_template.rerank"));
  EXPECT_THAT(reason(image([](gguf::Writer& writer) {
                writer.add_tensor("cls.output.weight", DType::kF32, {2, 3}, bytes_of(std::vector<float>(6)));
              })),
              HasSubstr("expected rows of"));
}

}  // namespace
}  // namespace glint::server
