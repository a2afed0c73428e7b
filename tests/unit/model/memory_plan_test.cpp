// SPDX-License-Identifier: Apache-2.0
//
// What a model takes of a machine's memory, and what is said when that is too much, on a machine whose memory the test
// sets. Against a card's real allocations: tests/unit/cuda_engine.
#include "model/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/arch/arch.h"
#include "model/kv_cache.h"
#include "model/scratch.h"
#include "tests/unit/model/golden.h"
#include "tests/unit/model/recording_backend.h"

namespace glint {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Weights take twice their size, importing 1 MiB, the workspace 10 bytes a token of context, the process 1000 bytes.
class SmallMachine final : public golden::RecordingBackend {
 public:
  explicit SmallMachine(int64_t free_bytes) : RecordingBackend(make_ref_backend()), free_bytes_(free_bytes) {}
  MachineMemory memory() const override {
    return {.device = "a small machine", .free_bytes = free_bytes_, .reserve_bytes = 1000};
  }
  int64_t weight_bytes(const HostTensor& tensor) const override { return 2 * Backend::weight_bytes(tensor); }
  int64_t import_bytes() const override { return 1 << 20; }
  int64_t workspace_bytes(const StepLimits& limits) const override { return int64_t{10} * limits.n_ctx; }

 private:
  int64_t free_bytes_;
};

class MemoryPlanTest : public golden::Test {
 protected:
  void open(const std::string& model) {
    file_ = &golden::source(model);
    std::vector<Finding> findings;
    spec_ = read_spec(*file_, findings);
  }
  /// What these options need, which does not depend on what is free.
  int64_t needed(const DecoderOptions& options) const {
    const SmallMachine machine(0);
    return MemoryPlanner(*file_, spec_, machine).plan(options).needed();
  }
  /// With `free_bytes` free.
  std::string repairs(int64_t free_bytes, const DecoderOptions& options) const {
    const SmallMachine machine(free_bytes);
    return MemoryPlanner(*file_, spec_, machine).repairs(options);
  }

  const gguf::File* file_ = nullptr;
  ModelSpec spec_;
};

TEST_F(MemoryPlanTest, CountsEveryPartOnce) {
  open("llama");
  const SmallMachine machine(1 << 30);
  const DecoderOptions options{.n_ctx = 1000, .n_sequences = 2, .max_tokens = 64};
  const MemoryPlan plan = MemoryPlanner(*file_, spec_, machine).plan(options);
  int64_t file_bytes = 0;
  for (const HostTensor& tensor : file_->tensors()) {
    if (!tensor.name.starts_with("rope_f")) file_bytes += static_cast<int64_t>(tensor.bytes.size());
  }
  EXPECT_EQ(plan.weights, 2 * file_bytes);
  EXPECT_EQ(plan.cache, KvCache::capacity(options) * kv_bytes_per_token(spec_, options.kv));
  EXPECT_EQ(plan.workspace, 10 * 1000);
  EXPECT_EQ(plan.allocated(), plan.weights + plan.cache + plan.scratch + plan.workspace);
  EXPECT_EQ(plan.needed(), plan.allocated() + 1000);
  EXPECT_TRUE(plan.fits());
  EXPECT_THAT(describe(plan), HasSubstr("a small machine"));
  // The ring and the cache are not there at the same time.
  const MemoryPlan tiny = MemoryPlanner(*file_, spec_, machine).plan({.n_ctx = 64, .max_tokens = 1});
  ASSERT_LT(tiny.cache + tiny.scratch + tiny.workspace, 1 << 20);
  EXPECT_EQ(tiny.needed(), tiny.weights + (1 << 20) + 1000);
}

TEST_F(MemoryPlanTest, FittingContextIsTheLongest) {
  open("llama");
  const DecoderOptions options{.n_ctx = 0, .max_tokens = 64};
  const auto with = [&](int n_ctx) {
    DecoderOptions longer = options;
    longer.n_ctx = n_ctx;
    return longer;
  };
  const int64_t enough = needed(with(20 * 256));
  const auto fitting = [&](int64_t free_bytes, int most) {
    const SmallMachine machine(free_bytes);
    return MemoryPlanner(*file_, spec_, machine).fitting_context(options, most);
  };
  EXPECT_EQ(fitting(enough, 100'000), 20 * 256);
  EXPECT_EQ(fitting(enough - 1, 100'000), 19 * 256);
  EXPECT_EQ(fitting(enough, 5000), 5000);  // no steps where all fits
  EXPECT_EQ(fitting(needed(with(256)) - 1, 100'000), 0);
  EXPECT_EQ(fitting(0, 100'000), 0);
}

TEST_F(MemoryPlanTest, RepairsFitAndAreTheSmallest) {
  open("llama");
  DecoderOptions options{.n_ctx = 8192, .max_tokens = 2048};
  DecoderOptions quantised = options, shorter = options, fewer = options;
  quantised.kv = {DType::kQ8_0, DType::kQ8_0};
  shorter.n_ctx = 4096;
  fewer.max_tokens = 512;
  EXPECT_THAT(repairs(needed(quantised), options), HasSubstr("-ctk q8_0 -ctv q8_0"));
  EXPECT_THAT(repairs(needed(quantised) - 1, options), Not(HasSubstr("-ctk")));
  EXPECT_THAT(repairs(needed(shorter), options), HasSubstr("-c 4096"));
  EXPECT_THAT(repairs(needed(fewer), options), HasSubstr("-ub 512"));
  EXPECT_EQ(repairs(1000, options), "");
}

TEST_F(MemoryPlanTest, LatentCachesHaveNoValuesToSpeakOf) {
  open("glm4_moe_lite_realdims");
  const DecoderOptions options{.n_ctx = 8192, .max_tokens = 64};
  DecoderOptions quantised = options;
  quantised.kv = {DType::kQ8_0, DType::kQ8_0};
  const std::string text = repairs(needed(quantised), options);
  EXPECT_THAT(text, HasSubstr("-ctk q8_0"));
  EXPECT_THAT(text, Not(HasSubstr("-ctv")));
}

}  // namespace
}  // namespace glint
