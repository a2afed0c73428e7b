// SPDX-License-Identifier: Apache-2.0
//
// Every architecture on the CUDA backend against Hugging Face, with an f32 cache: inputs of products are rounded to
// f16, so distributions agree within a KL divergence of 1e-4 nats, and greedy ids wherever the stored margin is larger
// than what that rounding can move. On the emulated card, or on a real one.
#include <gtest/gtest.h>

#include "cuda/cuda_backend.h"
#include "tests/unit/model/golden.h"

namespace glint {
namespace {

using golden::Instance;

class CudaGolden : public golden::Test, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
    golden::Test::SetUp();
    if (!std::filesystem::exists(golden::folder() + "/" + GetParam() + ".gguf"))
      GTEST_SKIP() << "this golden model is not here";
  }
};

/// The emulated card is slow: there a short prompt and a few steps must do.
bool is_emulated() {
  return cuda_devices()[0].name == "emulated";
}

/// Logits of these models have a deviation of about 1; f16 products move one by less than this.
constexpr float kLogitError = 0.01f;

TEST_P(CudaGolden, ReproducesDistributionsAndGreedyIds) {
  const nlohmann::json answers = golden::answers(GetParam());
  ASSERT_FALSE(answers["prompts"].empty());
  for (const auto& prompt : answers["prompts"]) {
    SCOPED_TRACE(prompt["name"].get<std::string>());
    if (is_emulated() && prompt["name"] != "p7") continue;
    Instance instance(GetParam(), make_cuda_backend(), golden::exact_options());
    const auto ids = prompt["ids"].get<std::vector<int32_t>>();
    std::vector<float> last = instance.feed(ids);
    EXPECT_LE(golden::divergence(prompt["logits_last"].get<std::vector<double>>(), last), 1e-4);
    int position = static_cast<int>(ids.size());
    const int last_position = position + (is_emulated() ? 4 : static_cast<int>(prompt["greedy"].size()));
    for (const auto& expected : prompt["greedy"]) {
      if (position == last_position) break;
      const int id = expected.get<int>();
      const int chosen = golden::argmax(last);
      ASSERT_LE(last[static_cast<size_t>(chosen)] - last[static_cast<size_t>(id)], 2 * kLogitError)
          << "at position " << position;
      last = instance.feed({id}, position++);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, CudaGolden, testing::ValuesIn(golden::names()));

/// A prompt at once (products for many tokens) and token by token (for few) give the same bits, but for attention,
/// which the models without MLA do the same way too.
TEST_P(CudaGolden, AStepIsTheSameAloneAndInCompany) {
  DecoderOptions options = golden::exact_options();
  options.n_sequences = 2;
  Instance alone(GetParam(), make_cuda_backend(), options);
  Instance company(GetParam(), make_cuda_backend(), options);
  const std::vector<int32_t> ids = golden::prompt_ids(GetParam(), "p7");
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto position = static_cast<int32_t>(i);
    alone.decoder->forward(std::vector<Row>{{ids[i], position, 0}});
    company.decoder->forward(std::vector<Row>{{ids[ids.size() - 1 - i], position, 1}, {ids[i], position, 0}});
    ASSERT_EQ(golden::largest_difference(alone.last_logits(0), company.last_logits(1)), 0) << i;
  }
}

}  // namespace
}  // namespace glint
