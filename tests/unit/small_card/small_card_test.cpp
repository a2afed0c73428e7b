// SPDX-License-Identifier: Apache-2.0
//
// Cards of any size, which only the emulated one can be: what was left open is chosen to fit, and the peak of loading
// stays within the plan.
#include <cuda_runtime.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/cuda_backend.h"
#include "engine/engine.h"
#include "tests/unit/engine/batch_fixture.h"

namespace glint {
namespace {

constexpr size_t kOrdinary = size_t{1} << 32;

class SmallCard : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cuda_devices().at(0).name, "emulated");
    if (!batch::has("glm4_moe_lite")) GTEST_SKIP() << "the model is not here";
  }
  void TearDown() override { emulated_set_memory(kOrdinary); }
  /// The model says that it was trained for more tokens than any of these cards holds.
  static Engine open(EngineOptions options) {
    const std::vector<std::string> overrides = {fmt::format("deepseek2.context_length=int:{}", kTrained)};
    return Engine::open(gguf::File::open(batch::path_of("glm4_moe_lite"), overrides), options);
  }
  static constexpr int kTrained = 400'000;
  static EngineOptions options(const std::string& backend) {
    EngineOptions options;
    options.backend = backend;
    options.n_threads = 1;
    options.n_ubatch = 16;
    return options;
  }
};

TEST_F(SmallCard, PeakOfLoadingIsWithinThePlan) {
  EngineOptions tight = options("cuda");
  tight.n_ctx = 256;
  MemoryPlan plan;
  {
    emulated_set_memory(kOrdinary);  // also starts the count of the most
    const Engine engine = open(tight);
    plan = engine.plan();
    EXPECT_LE(static_cast<int64_t>(emulated_most_allocated_bytes()), plan.needed() - plan.machine.reserve_bytes);
  }
  EXPECT_EQ(emulated_allocated_bytes(), 0u);
  // A card with just enough is enough; with a byte less it is refused.
  emulated_set_memory(static_cast<size_t>(plan.needed()));
  EXPECT_NO_THROW(open(tight));
  emulated_set_memory(static_cast<size_t>(plan.needed()) - 1);
  EXPECT_THROW(open(tight), Error);
}

TEST_F(SmallCard, ContextIsChosenToFit) {
  EngineOptions set = options("cuda");
  set.n_ctx = 200 * MemoryPlanner::kContextStep;
  const int64_t enough = open(set).plan().needed();
  emulated_set_memory(static_cast<size_t>(enough));
  const int n_ctx = open(options("cuda")).n_ctx();
  EXPECT_GE(n_ctx, set.n_ctx);
  EXPECT_LT(n_ctx, set.n_ctx * 11 / 10);  // buffers come in whole pieces
  EngineOptions beside = options("cuda");
  beside.least_ctx = n_ctx;
  EXPECT_EQ(open(beside).n_ctx(), n_ctx);
  beside.least_ctx = n_ctx + MemoryPlanner::kContextStep;
  EXPECT_THROW(open(beside), OutOfMemory);
  emulated_set_memory(kOrdinary);
  beside.least_ctx = 1 << 30;  // more than it was trained for
  EXPECT_GT(open(beside).n_ctx(), n_ctx);
}

TEST_F(SmallCard, AutoLeavesExpertsInHostMemoryWhereThatMakesItFit) {
  EngineOptions all = options("cuda");
  all.n_ctx = 8192;  // so that the cache, not loading, is what needs most
  const MemoryPlan plan = open(all).plan();
  emulated_set_memory(static_cast<size_t>(plan.needed()) - 1);
  try {
    open(all);
    FAIL() << "it fitted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("--n-cpu-moe 2"));  // the first layer has none
  }
  EngineOptions chosen = all;
  chosen.backend = "auto";
  const Engine engine = open(chosen);
  EXPECT_EQ(engine.options().backend, "cuda");
  EXPECT_EQ(engine.plan().decoder.n_on_host(), 1);
}

TEST_F(SmallCard, AutoTakesTheProcessorWhereTheCardIsTooSmall) {
  emulated_set_memory(size_t{1} << 20);
  const Engine engine = open(options("auto"));
  EXPECT_EQ(engine.options().backend, "cpu");
  EXPECT_THAT(engine.plan().note, testing::HasSubstr("CUDA0"));
  EXPECT_THROW(open(options("cuda")), Error);
}

}  // namespace
}  // namespace glint
