// SPDX-License-Identifier: Apache-2.0
//
// What is measured (which ids at which positions, what is timed) and the numbers made of it; never how fast.
#include "engine/bench.h"

#include <gmock/gmock.h>

#include "tests/unit/engine/batch_fixture.h"

namespace glint {
namespace {

TEST(BenchTest, Names) {
  EXPECT_EQ((BenchTest{512, 0, 0}.name()), "pp512");
  EXPECT_EQ((BenchTest{0, 128, 0}.name()), "tg128");
  EXPECT_EQ((BenchTest{512, 128, 0}.name()), "pp512+tg128");
  EXPECT_EQ((BenchTest{0, 64, 8192}.name()), "tg64 @ d8192");
}

TEST(BenchResult, Statistics) {
  const BenchResult result{.test = {100, 0, 0}, .seconds = {1, 2, 4}, .least_seconds = 0.7};
  EXPECT_DOUBLE_EQ(result.mean_rate(), (100.0 + 50 + 25) / 3);
  EXPECT_NEAR(result.deviation_of_rate(), 38.188, 1e-3);  // of the sample: squares over n - 1
  EXPECT_DOUBLE_EQ(result.mean_seconds(), 7.0 / 3);
  EXPECT_DOUBLE_EQ(result.limit_share(), 0.3);
  const BenchResult once{.test = {0, 10, 0}, .seconds = {2}};
  EXPECT_EQ(once.deviation_of_rate(), 0);
  EXPECT_EQ(once.limit_share(), 0);
}

class BenchRun : public testing::Test {
 protected:
  Engine engine_ = batch::open("demo", 256, 1, 32);
};

TEST_F(BenchRun, RunsEveryRepetitionAndLeavesTheCacheEmpty) {
  Bench bench(engine_, {1e9, 1e9}, {.n_batch = 48, .repetitions = 3});
  std::vector<std::pair<int, int>> told;
  const BenchResult result = bench.run({50, 4, 70}, [&](int done, int total) { told.emplace_back(done, total); });
  EXPECT_EQ(result.seconds.size(), 3u);
  EXPECT_GT(result.mean_rate(), 0);
  EXPECT_GT(result.least_seconds, 0);
  EXPECT_EQ(told, (std::vector<std::pair<int, int>>{{0, 5}, {1, 5}, {2, 5}, {3, 5}, {4, 5}}));
  EXPECT_EQ(engine_.decoder().n_cached(0), 0);
}

/// The last run's logits are those of random ids at every position behind the depth, whatever the batches.
TEST_F(BenchRun, IdsDependOnPositionAlone) {
  std::vector<std::vector<float>> last;
  for (const auto& [n_batch, test] : std::vector<std::pair<int, BenchTest>>{
           {2048, {40, 0, 0}}, {7, {40, 0, 0}}, {2048, {20, 0, 20}}, {2048, {30, 10, 0}}, {2048, {0, 1, 39}}}) {
    Engine engine = batch::open("demo", 256, 1, 32);
    Bench bench(engine, {}, {.n_batch = n_batch, .repetitions = 1, .warm_up = false});
    bench.run(test);
    // Rows of the last step are still there.
    const int rows_left = test.n_generate > 0 ? 1 : n_batch == 7 ? 5 : test.n_prompt == 40 ? 8 : 20;
    const std::span<const float> logits = engine.decoder().logits(std::vector<int>{rows_left - 1});
    last.emplace_back(logits.begin(), logits.end());
  }
  for (size_t i = 1; i < last.size(); ++i) EXPECT_EQ(last[i], last[0]) << i;
}

TEST_F(BenchRun, RefusesWhatMakesNoSense) {
  Bench bench(engine_, {}, {});
  EXPECT_THROW(bench.run({0, 0, 10}), Error);
  EXPECT_THROW(bench.run({200, 0, 57}), Error);
  EXPECT_THROW(bench.run({-1, 2, 0}), Error);
  EXPECT_THROW(Bench(engine_, {}, {.repetitions = 0}), Error);
}

TEST(Batched, CountsAsTheTableSays) {
  EXPECT_EQ((BatchedTest{128, 32, 4, false}.n_cached()), 4 * 160);
  EXPECT_EQ((BatchedTest{128, 32, 4, true}.n_cached()), 128 + 4 * 32);
  const BatchedResult result{
      .test = {100, 10, 4, false}, .prompt_seconds = 2, .generate_seconds = 1, .n_generated_late = 40};
  EXPECT_DOUBLE_EQ(result.prompt_rate(), 200);
  EXPECT_DOUBLE_EQ(result.generate_rate(), 40);
  EXPECT_DOUBLE_EQ(result.rate(), 440.0 / 3);
}

TEST(Batched, EveryRequestGetsItsTokens) {
  const std::vector<BatchedTest> tests = {{40, 5, 1}, {40, 5, 6}, {70, 3, 4, true}};
  EngineOptions options;
  options.n_threads = 2;
  options.n_ubatch = 4;
  options = batched_options(options, tests);
  EXPECT_EQ(options.n_sequences, 6);
  EXPECT_GT(options.n_ubatch, 6);
  BatchEngine engine(Engine::open(gguf::File::open(batch::path_of("demo")), options),
                     {.prompt_tokens = options.n_ubatch});
  for (const BatchedTest& test : tests) {
    const BatchedResult result = run_batched(engine, test);
    // All but those that came before the last request had its first.
    EXPECT_GT(result.n_generated_late, 0);
    EXPECT_LE(result.n_generated_late, test.n_requests * test.n_generate);
    EXPECT_GT(result.prompt_seconds, 0);
    EXPECT_GT(result.generate_seconds, 0);
  }
  EXPECT_THROW(run_batched(engine, {0, 1, 1}), Error);
}

}  // namespace
}  // namespace glint
