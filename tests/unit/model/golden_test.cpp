// SPDX-License-Identifier: Apache-2.0
//
// Every architecture against Hugging Face, with an f32 cache. `ref` must reproduce the stored logits within 2e-4 and
// all greedy ids; the tolerance is the one the data's makers derive for f32 weights, activations and cache, and the
// least effect of any mistake they tried was ten times that. `cpu` must reproduce the distributions within a KL
// divergence of 1e-6, and all greedy ids.
#include "tests/unit/model/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace glint {
namespace {

using golden::Instance;

double worst_difference(std::span<const float> got, const nlohmann::json& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double worst = 0;
  for (size_t i = 0; i < got.size() && i < expected.size(); ++i) {
    const double difference = std::fabs(got[i] - expected[i].get<double>());
    worst = std::isnan(difference) ? HUGE_VAL : std::max(worst, difference);
  }
  return worst;
}

class Golden : public golden::Test, public testing::WithParamInterface<std::string> {};

TEST_P(Golden, RefReproducesLogitsAndGreedyIds) {
  const nlohmann::json answers = golden::answers(GetParam());
  ASSERT_FALSE(answers["prompts"].empty());
  for (const auto& prompt : answers["prompts"]) {
    SCOPED_TRACE(prompt["name"].get<std::string>());
    Instance instance(GetParam(), make_ref_backend(), golden::exact_options());
    const auto ids = prompt["ids"].get<std::vector<int32_t>>();
    std::vector<float> last = instance.feed(ids);
    EXPECT_LE(worst_difference(last, prompt["logits_last"]), 2e-4);
    if (prompt.contains("logits_all")) {
      for (size_t i = 0; i < ids.size(); ++i) {
        EXPECT_LE(worst_difference(instance.last_logits(static_cast<int>(i)), prompt["logits_all"][i]), 2e-4) << i;
      }
    }
    int position = static_cast<int>(ids.size());
    for (const auto& expected : prompt["greedy"]) {
      const int id = golden::argmax(last);
      ASSERT_EQ(id, expected.get<int>()) << "at position " << position;
      last = instance.feed({id}, position++);
    }
  }
}

/// The CPU sums in f32 in an order of its own; every greedy step has a margin of 0.004 to the next best.
TEST_P(Golden, CpuReproducesDistributionsAndGreedyIds) {
  const nlohmann::json answers = golden::answers(GetParam());
  ASSERT_FALSE(answers["prompts"].empty());
  for (const auto& prompt : answers["prompts"]) {
    SCOPED_TRACE(prompt["name"].get<std::string>());
    Instance instance(GetParam(), golden::make("cpu"), golden::exact_options());
    const auto ids = prompt["ids"].get<std::vector<int32_t>>();
    std::vector<float> last = instance.feed(ids);
    EXPECT_LE(golden::divergence(prompt["logits_last"].get<std::vector<double>>(), last), 1e-6);
    EXPECT_LE(worst_difference(last, prompt["logits_last"]), 2e-4);
    if (prompt.contains("logits_all")) {
      for (size_t i = 0; i < ids.size(); ++i) {
        const auto expected = prompt["logits_all"][i].get<std::vector<double>>();
        EXPECT_LE(golden::divergence(expected, instance.last_logits(static_cast<int>(i))), 1e-6) << i;
      }
    }
    int position = static_cast<int>(ids.size());
    for (const auto& expected : prompt["greedy"]) {
      const int id = golden::argmax(last);
      ASSERT_EQ(id, expected.get<int>()) << "at position " << position;
      last = instance.feed({id}, position++);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::ValuesIn(golden::names()));

class GoldenNextn : public Golden {};

TEST_P(GoldenNextn, EveryBackendReproducesPredictionLogits) {
  DecoderOptions options = golden::exact_options();
  options.nextn = true;
  const nlohmann::json answers = golden::answers(GetParam());
  ASSERT_FALSE(answers["prompts"].empty());
  for (const std::string& backend : golden::backends()) {
    for (const auto& prompt : answers["prompts"]) {
      SCOPED_TRACE(backend + " " + prompt["name"].get<std::string>());
      Instance instance(GetParam(), golden::make(backend), options);
      const auto ids = prompt["ids"].get<std::vector<int32_t>>();
      instance.feed(ids);
      const auto& expected = prompt["mtp"];
      instance.decoder->forward_nextn(expected["next_ids"].get<std::vector<int32_t>>());
      const auto row = instance.decoder->nextn_logits(std::vector<int>{static_cast<int>(ids.size()) - 1});
      EXPECT_LE(worst_difference(row, expected["logits_last"]), 2e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenNextn, testing::Values("glm4_moe", "glm4_moe_lite_mtp"));

}  // namespace
}  // namespace glint
