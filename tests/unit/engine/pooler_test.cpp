// SPDX-License-Identifier: Apache-2.0
//
// Embeddings: what is pooled is what the head sees, and the same bits come whatever else runs, however the prompt is cut
// into steps, and whatever the cache holds.
#include "engine/pooler.h"

#include <gmock/gmock.h>

#include "tensor/dequantize.h"
#include "tests/unit/engine/batch_fixture.h"

namespace glint {
namespace {

using namespace batch;

constexpr Pooling kAll[] = {Pooling::kNone, Pooling::kMean, Pooling::kFirst, Pooling::kLast};

Ids prompt(Engine& engine, int n) {
  Ids ids = engine.tokenizer().encode("Once upon a time there was a small fox who liked to count the stars at night.");
  while (static_cast<int>(ids.size()) < n) ids.push_back(ids[ids.size() % 17]);
  ids.resize(static_cast<size_t>(n));
  return ids;
}

/// All rows at once, without a cache.
std::vector<float> rows_of(Engine& engine, const Ids& ids) {
  std::vector<Row> rows;
  std::vector<int> indices;
  for (size_t i = 0; i < ids.size(); ++i) {
    rows.push_back({ids[i], static_cast<int32_t>(i), 0});
    indices.push_back(static_cast<int>(i));
  }
  engine.decoder().truncate(0, 0);
  engine.decoder().forward(rows);
  const std::span<const float> hidden = engine.decoder().hidden(indices);
  return {hidden.begin(), hidden.end()};
}

std::vector<float> pooled(Pooling pooling, const std::vector<float>& rows, size_t d_model) {
  if (pooling == Pooling::kNone) return rows;
  if (pooling == Pooling::kFirst) return {rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(d_model)};
  if (pooling == Pooling::kLast) return {rows.end() - static_cast<std::ptrdiff_t>(d_model), rows.end()};
  std::vector<double> sum(d_model);
  for (size_t i = 0; i < rows.size(); ++i) sum[i % d_model] += static_cast<double>(rows[i]);
  std::vector<float> mean;
  for (const double value : sum) mean.push_back(static_cast<float>(value / static_cast<double>(rows.size() / d_model)));
  return mean;
}

Request embedding_of(Ids ids, Pooling pooling) {
  Request request = request_of(std::move(ids), 5);
  request.pooling = pooling;
  return request;
}

std::vector<float> result(Stream& stream) {
  const Told told = read_all(stream)[0];
  EXPECT_TRUE(told.ids.empty());
  EXPECT_EQ(told.finish->error, "");
  return told.finish->embedding;
}

TEST(Embeddings, AreWhatTheHeadSees) {
  Engine engine = open("demo", 256, 1);
  const Ids ids = prompt(engine, 20);
  const std::vector<float> rows = rows_of(engine, ids);
  const std::span<const float> logits = engine.decoder().logits(std::vector<int>{19});
  const HostTensor* head = engine.file().find("output.weight");
  if (head == nullptr) head = engine.file().find("token_embd.weight");
  ASSERT_NE(head, nullptr);
  const auto d_model = static_cast<size_t>(engine.model().spec.d_model);
  std::vector<float> weights(static_cast<size_t>(head->elements()));
  dequantize(head->dtype, head->bytes.data(), head->elements(), weights.data());
  for (size_t id = 0; id < logits.size(); id += 97) {
    double sum = 0, norms = 0;
    for (size_t i = 0; i < d_model; ++i) {
      const double product = static_cast<double>(weights[id * d_model + i]) * static_cast<double>(rows[19 * d_model + i]);
      sum += product;
      norms += std::abs(product);
    }
    EXPECT_NEAR(logits[id], sum, norms * static_cast<double>(d_model) * 0x1p-23) << id;
  }
}

TEST(Embeddings, DoNotDependOnNeighboursStepsOrTheCache) {
  Engine alone = open("demo", 512, 1, 512);
  const auto d_model = static_cast<size_t>(alone.model().spec.d_model);
  const Ids ids = prompt(alone, 300);
  const std::vector<float> rows = rows_of(alone, ids);
  BatchEngine batch(open("demo", 1024, 4, 48), {.check_invariants = true});
  Request chatter = request_of(prompt(alone, 30), 200);
  chatter.output.ignore_eos = true;
  const std::unique_ptr<Stream> neighbour = batch.submit(chatter);
  for (int round = 0; round < 2; ++round) {  // the second finds the prompt in the cache
    std::vector<std::unique_ptr<Stream>> streams;
    for (const Pooling pooling : kAll) streams.push_back(batch.submit(embedding_of(ids, pooling)));
    for (size_t i = 0; i < std::size(kAll); ++i) EXPECT_EQ(result(*streams[i]), pooled(kAll[i], rows, d_model)) << i;
  }
}

TEST(Embeddings, WaitForRoomAndMakeWay) {
  Engine alone = open("demo", 256, 1, 256);
  const auto d_model = static_cast<size_t>(alone.model().spec.d_model);
  // Three pages each where there are four; then somebody in a hurry needs them.
  BatchEngine batch(open("demo", 256, 4, 32), {.check_invariants = true});
  std::vector<Ids> prompts;
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 4; ++i) {
    prompts.push_back(prompt(alone, 190));
    prompts.back()[0] = 40 + i;
    streams.push_back(batch.submit(embedding_of(prompts.back(), Pooling::kMean)));
  }
  Request hasty = request_of(prompt(alone, 100), 20);
  hasty.priority = Priority::kInteractive;
  const std::unique_ptr<Stream> ahead = batch.submit(hasty);
  for (size_t i = 0; i < streams.size(); ++i) {
    EXPECT_EQ(result(*streams[i]), pooled(Pooling::kMean, rows_of(alone, prompts[i]), d_model));
  }
}

TEST(Embeddings, OfSeveralCompletionsAreRefused) {
  BatchEngine batch(open("demo", 256, 2), {});
  Request request = embedding_of({1, 2, 3}, Pooling::kMean);
  request.n = 2;
  EXPECT_THROW(batch.submit(request), RequestError);
}

TEST(Pooler, TakesEachPositionOnce) {
  Pooler mean(Pooling::kMean, 4);
  EXPECT_THAT(mean.wanted(0, 3), testing::ElementsAre(0, 1, 2));
  mean.add(std::vector<int>{0, 1, 2}, std::vector<float>{1, 10, 2, 20, 3, 30});
  EXPECT_THAT(mean.wanted(0, 3), testing::ElementsAre());  // computed anew
  EXPECT_THAT(mean.wanted(2, 2), testing::ElementsAre(3));
  mean.add(std::vector<int>{3}, std::vector<float>{6, 60});
  EXPECT_THAT(mean.take(), testing::ElementsAre(3.0f, 30.0f));
  Pooler last(Pooling::kLast, 4);
  EXPECT_EQ(last.n_skipped(), 3);
  EXPECT_THAT(last.wanted(0, 3), testing::ElementsAre());
  EXPECT_THAT(last.wanted(3, 1), testing::ElementsAre(3));
  Pooler first(Pooling::kFirst, 4);
  EXPECT_THAT(first.wanted(0, 3), testing::ElementsAre(0));
  EXPECT_THAT(first.wanted(1, 3), testing::ElementsAre());
}

}  // namespace
}  // namespace glint
