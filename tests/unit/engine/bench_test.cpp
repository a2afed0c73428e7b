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

std::vector<float> logits_of(Engine& engine, int row) {
  const std::span<const float> logits = engine.decoder().logits(std::vector<int>{row});
  return {logits.begin(), logits.end()};
}

/// Those of a row of the last step of a run in a fresh engine.
std::vector<float> last_logits(const BenchTest& test, int n_batch, int row) {
  Engine engine = batch::open("demo", 256, 1, 32);
  Bench(engine, {}, {.n_batch = n_batch, .repetitions = 1, .warm_up = false}).run(test);
  return logits_of(engine, row);
}

/// Whatever the batches and the depth, and in generation too until an id is chosen.
TEST_F(BenchRun, IdsOfPromptsDependOnPositionAlone) {
  const std::vector<float> whole = last_logits({40, 0, 0}, 2048, 7);
  EXPECT_EQ(last_logits({40, 0, 0}, 7, 4), whole);
  EXPECT_EQ(last_logits({20, 0, 20}, 2048, 19), whole);
  EXPECT_EQ(last_logits({39, 1, 0}, 2048, 0), whole);
  EXPECT_EQ(last_logits({0, 1, 39}, 2048, 0), whole);
}

TEST_F(BenchRun, GeneratesTheMostLikelyIds) {
  Decoder& decoder = engine_.decoder();
  std::vector<Row> prompt;
  for (int i = 0; i <= 20; ++i) prompt.push_back({Bench::prompt_id(i, decoder.spec().n_vocab), i, 0});
  decoder.forward(prompt);
  std::vector<float> logits = logits_of(engine_, 20);
  for (int position = 21; position <= 25; ++position) {
    const auto most_likely = static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin());
    decoder.forward(std::vector<Row>{{most_likely, position, 0}});
    logits = logits_of(engine_, 0);
  }
  EXPECT_EQ(last_logits({20, 6, 0}, 2048, 0), logits);
  EXPECT_EQ(last_logits({0, 6, 20}, 2048, 0), logits);
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
