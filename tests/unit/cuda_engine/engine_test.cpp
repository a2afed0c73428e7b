// SPDX-License-Identifier: Apache-2.0
//
// The engine on a card, emulated or real: it takes what its plan says and nothing later, refuses what does not fit
// before it reads a weight, and serves many requests as it serves each alone.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/cuda_backend.h"
#include "engine/bench.h"
#include "tests/unit/engine/batch_fixture.h"

namespace glint {
namespace {

using batch::Ids;
using batch::request_of;
using testing::HasSubstr;

class CudaEngine : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
    if (!batch::has(GetParam())) GTEST_SKIP() << "the model is not here";
  }
  static EngineOptions options() {
    EngineOptions options;
    options.backend = "cuda";
    options.n_threads = 2;
    options.n_ctx = 192;
    options.n_ubatch = 16;
    return options;
  }
  /// The emulated card takes what is asked for alone; on a real one kernels take some when they first run, and small
  /// allocations share pieces.
  static void expect_taken(int64_t found, int64_t expected) {
    const bool emulated = cuda_devices()[0].name == "emulated";
    EXPECT_NEAR(static_cast<double>(found), static_cast<double>(expected), emulated ? 0 : 160 << 20);
  }
  Engine open(const EngineOptions& options) const {
    return Engine::open(gguf::File::open(batch::path_of(GetParam())), options);
  }
};

TEST_P(CudaEngine, ThreeAtOnceGetTheIdsThatTheyGetAlone) {
  std::vector<Request> requests;
  for (int i = 0; i < 3; ++i) {
    Ids ids;
    for (int k = 0; k < 6 + 5 * i; ++k) ids.push_back((17 * k + 31 * i + 3) % 200);
    requests.push_back(request_of(ids, 6, i));
    requests.back().output.ignore_eos = true;
  }
  std::vector<Ids> expected;
  {
    Engine engine = open(options());
    for (const Request& request : requests) expected.push_back(batch::alone(engine, request).ids);
  }
  EngineOptions many = options();
  many.n_sequences = 3;
  BatchEngine engine(open(many), {.check_invariants = true});
  std::vector<std::unique_ptr<Stream>> streams;
  for (const Request& request : requests) streams.push_back(engine.submit(request));
  for (size_t i = 0; i < streams.size(); ++i) {
    const batch::Told told = batch::read_all(*streams[i])[0];
    ASSERT_TRUE(told.finish);
    EXPECT_EQ(told.finish->error, "");
    EXPECT_EQ(told.ids, expected[i]) << i;
    EXPECT_EQ(told.ids.size(), 6u);
  }
}

TEST_P(CudaEngine, TakesWhatIsPlannedAndNothingLater) {
  const int64_t before = cuda_free_bytes(0);
  EngineOptions many = options();
  many.n_sequences = 3;
  MemoryPlan told;
  int64_t free_when_told = 0;
  many.on_plan = [&](const MemoryPlan& plan) {
    told = plan;
    free_when_told = cuda_free_bytes(0);
  };
  Engine engine = open(many);
  EXPECT_EQ(told.allocated(), engine.plan().allocated());
  expect_taken(before - free_when_told, 0);  // no weight was read
  const int64_t ready = cuda_free_bytes(0);
  expect_taken(before - ready, told.allocated());
  Session session(engine);
  session.sync(Ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21});
  engine.decoder().forward(std::vector<Row>{{5, 21, 0}, {6, 0, 1}, {7, 0, 2}});
  engine.decoder().logits(std::vector<int>{0, 1, 2});
  expect_taken(ready - cuda_free_bytes(0), 0);
}

TEST_P(CudaEngine, RefusesWhatDoesNotFitBeforeReading) {
  EngineOptions large = options();
  large.n_ctx = 1 << 30;
  bool told = false;
  large.on_plan = [&](const MemoryPlan&) { told = true; };
  const int64_t before = cuda_free_bytes(0);
  try {
    open(large);
    FAIL() << "a context of 2^30 tokens fitted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("-c "));
    EXPECT_THAT(error.what(), HasSubstr("-dev none"));
  }
  EXPECT_FALSE(told);
  expect_taken(before - cuda_free_bytes(0), 0);
}

TEST_P(CudaEngine, LoadingThatIsGivenUpGivesAllBack) {
  const int64_t before = cuda_free_bytes(0);
  EngineOptions cancelled = options();
  int64_t last = -1;
  cancelled.on_load = [&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_LT(done, total);
    last = done;
    if (done > total / 2) fail("cancelled");
  };
  EXPECT_THROW(open(cancelled), Error);
  EXPECT_GT(last, 0);
  expect_taken(before - cuda_free_bytes(0), 0);
}

TEST_P(CudaEngine, PartOfTheLayersIsRefused) {
  EngineOptions part = options();
  part.n_gpu_layers = 1;
  try {
    open(part);
    FAIL() << "one layer went to the card";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("-ngl all"));
  }
  part.n_gpu_layers = 99;
  EXPECT_EQ(open(part).options().backend, "cuda");
  part.n_gpu_layers = 0;
  EXPECT_EQ(open(part).options().backend, "cpu");
}

/// The same as all on the card, but for f16 inputs of products there.
TEST_P(CudaEngine, ExpertsInHostMemoryGiveTheSameAnswer) {
  const Ids ids = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  const auto logits_of = [&](Engine& engine) {
    std::vector<float> logits;
    engine.for_each_logits(ids, true,
                           [&](std::span<const float> row) { logits.insert(logits.end(), row.begin(), row.end()); });
    return logits;
  };
  Engine all = open(options());
  EngineOptions part = options();
  part.tensor_places = {"ffn_.*_exps=CPU"};
  const int64_t before = cuda_free_bytes(0);
  Engine split = open(part);
  const int n_moved = split.plan().decoder.n_on_host();
  const bool has_experts = std::string(GetParam()) != "llama";
  EXPECT_EQ(n_moved > 0, has_experts);
  expect_taken(before - cuda_free_bytes(0), split.plan().allocated());
  if (has_experts) {
    EXPECT_LT(split.plan().weights, all.plan().weights);
  }
  const std::vector<float> expected = logits_of(all), found = logits_of(split);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 0.02) << i;
}

TEST_P(CudaEngine, AutoTakesTheCard) {
  EngineOptions open_choice = options();
  open_choice.backend = "auto";
  EXPECT_EQ(open(open_choice).options().backend, "cuda");
}

TEST_P(CudaEngine, IsMeasured) {
  Engine engine = open(options());
  Bench bench(engine, engine.machine_limits(), {.repetitions = 1, .warm_up = false});
  const BenchResult result = bench.run({10, 2, 17});
  EXPECT_GT(result.limit_share(), 0);
  EXPECT_EQ(result.seconds.size(), 1u);
  EngineOptions many = options();
  const BatchedTest test{9, 2, 2};
  many = batched_options(many, {test});
  BatchEngine batch(open(many), {.prompt_tokens = many.n_ubatch});
  EXPECT_GT(run_batched(batch, test).rate(), 0);
}

INSTANTIATE_TEST_SUITE_P(Models, CudaEngine, testing::Values("glm4_moe_lite", "llama"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace glint
