// SPDX-License-Identifier: Apache-2.0
//
// How a router's scores become weights, and which scoring a file gets: what it says, what it leaves out, what it says
// wrongly, and what the user says over it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "model/arch/arch.h"
#include "tests/unit/model/glm_flash.h"
#include "tests/unit/model/golden.h"

namespace glint {
namespace {

using golden::EditedFile;
using golden::Instance;
using golden::OwnedFile;
using testing::HasSubstr;

struct Reading {
  Gate gate = Gate::kSoftmax;
  bool selection_bias = false;
  std::vector<Finding> warnings;
};

Reading read_gate_of(const OwnedFile& owned) {
  std::vector<Finding> findings;
  const ModelSpec spec = read_spec(owned.file, findings);
  const auto& moe = std::get<MoeSpec>(spec.layers.back().ffn);
  Reading reading{.gate = moe.route.gate, .selection_bias = moe.selection_bias, .warnings = {}};
  for (const Finding& finding : findings) {
    if (finding.level != FindingLevel::kNote) reading.warnings.push_back(finding);
  }
  return reading;
}

Reading reading(const EditedFile& file) { return read_gate_of(file.build()); }
Reading reading(const EditedFile& file, const std::string& override_text) { return read_gate_of(file.build(override_text)); }

const std::string kKey = "deepseek2.expert_gating_func";

TEST(Gating, SigmoidWhereTheFileSaysNothing) {
  const Reading got = reading(golden::glm_flash_header());
  EXPECT_EQ(got.gate, Gate::kSigmoid);
  EXPECT_TRUE(got.selection_bias);
  EXPECT_TRUE(got.warnings.empty());
  // By its shape alone, were the bias lost; load then misses it by name.
  const Reading without_bias = reading(golden::glm_flash_header().drop("blk.1.exp_probs_b.bias"));
  EXPECT_EQ(without_bias.gate, Gate::kSigmoid);
  EXPECT_TRUE(without_bias.selection_bias);
}

TEST(Gating, SigmoidWhereTheFileSaysSo) {
  const Reading got = reading(golden::glm_flash_header().set(kKey, 2));
  EXPECT_EQ(got.gate, Gate::kSigmoid);
  EXPECT_TRUE(got.warnings.empty());
}

TEST(Gating, SigmoidWithAWarningWhereTheFileSaysSoftmax) {
  const Reading got = reading(golden::glm_flash_header().set(kKey, 1));
  EXPECT_EQ(got.gate, Gate::kSigmoid);
  ASSERT_EQ(got.warnings.size(), 1u);
  EXPECT_EQ(got.warnings[0].level, FindingLevel::kWarning);
  EXPECT_THAT(got.warnings[0].text, HasSubstr(kKey + " is 1 (softmax)"));
  EXPECT_THAT(got.warnings[0].text, HasSubstr("sigmoid is used"));
  EXPECT_THAT(got.warnings[0].fix, HasSubstr("--override-kv " + kKey + "=int:1"));
}

TEST(Gating, TheUserAlwaysWins) {
  for (const EditedFile& file : {golden::glm_flash_header(), golden::glm_flash_header().set(kKey, 1), golden::glm_flash_header().set(kKey, 2)}) {
    const Reading softmax = reading(file, kKey + "=int:1");
    EXPECT_EQ(softmax.gate, Gate::kSoftmax);
    EXPECT_TRUE(softmax.warnings.empty());
    EXPECT_EQ(reading(file, kKey + "=int:2").gate, Gate::kSigmoid);
    EXPECT_EQ(reading(file, kKey + "=int:3").gate, Gate::kSoftmaxAfterTopK);
  }
  // Sigmoid for a file without a bias: the user's word needs no tensor.
  const Reading v2 = reading(golden::glm_flash_header().set("deepseek2.attention.head_count", 16).drop("blk.1.exp_probs_b.bias"),
                             kKey + "=int:2");
  EXPECT_EQ(v2.gate, Gate::kSigmoid);
  EXPECT_FALSE(v2.selection_bias);
}

TEST(Gating, DeepSeekV2StaysSoftmax) {
  const EditedFile v2 = golden::glm_flash_header().set("deepseek2.attention.head_count", 16).drop("blk.1.exp_probs_b.bias");
  const Reading unsaid = reading(v2);
  EXPECT_EQ(unsaid.gate, Gate::kSoftmax);
  EXPECT_FALSE(unsaid.selection_bias);
  EXPECT_TRUE(unsaid.warnings.empty());
  EXPECT_EQ(reading(EditedFile(v2).set(kKey, 1)).gate, Gate::kSoftmax);
}

TEST(Gating, UnknownCodesAreRefused) {
  for (const uint32_t code : {4u, 1000000u}) {
    const OwnedFile owned = golden::glm_flash_header().set(kKey, code).build();
    std::vector<Finding> findings;
    try {
      read_spec(owned.file, findings);
      ADD_FAILURE() << code;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(fmt::format("{} is {}", kKey, code)));
    }
  }
}

TEST(Gating, WeightsOfTheReportedCase) {
  const std::unique_ptr<Backend> backend = make_ref_backend();
  std::vector<float> logits = {2, 1, 0, -1};
  const std::vector<float> bias(4, 0.0f);
  std::vector<int32_t> expert(2);
  std::vector<float> weight(2);
  const Routing routing{.expert = expert.data(), .weight = weight.data(), .n_tokens = 1, .top_k = 2};
  RouteParams params{.gate = Gate::kSigmoid, .top_k = 2, .renormalise = true, .selection_bias = bias.data()};
  backend->route(routing, Tensor::matrix(logits.data(), 1, 4), params);
  EXPECT_EQ(expert, (std::vector<int32_t>{0, 1}));
  EXPECT_NEAR(weight[0], 0.5464, 5e-5);
  EXPECT_NEAR(weight[1], 0.4536, 5e-5);
  params.gate = Gate::kSoftmax;
  backend->route(routing, Tensor::matrix(logits.data(), 1, 4), params);
  EXPECT_NEAR(weight[0], 0.7311, 5e-5);
  EXPECT_NEAR(weight[1], 0.2689, 5e-5);
}

class GatingLogits : public golden::Test, public testing::WithParamInterface<std::string> {};

/// The whole way: whatever the key says, the logits are those of the right file; an override changes them.
TEST_P(GatingLogits, DoNotDependOnAWrongKey) {
  const std::vector<int32_t> ids = golden::prompt_ids(GetParam(), "p7");
  const std::string key = std::string(golden::source(GetParam()).metadata().string("general.architecture")) + ".expert_gating_func";
  Instance right(golden::edit(GetParam()).build(), golden::exact_options());
  const std::vector<float> expected = right.feed(ids);
  Instance unsaid(golden::edit(GetParam()).drop_key(key).build(), golden::exact_options());
  EXPECT_EQ(unsaid.feed(ids), expected);
  Instance wrong(golden::edit(GetParam()).set(key, 1).build(), golden::exact_options());
  EXPECT_EQ(wrong.feed(ids), expected);
  Instance overridden(golden::edit(GetParam()).build(key + "=int:1"), golden::exact_options());
  EXPECT_GT(golden::largest_difference(overridden.feed(ids), expected), 0.1);
}

INSTANTIATE_TEST_SUITE_P(Models, GatingLogits, testing::Values("glm4_moe_lite", "deepseek_v3", "glm4_moe"));

}  // namespace
}  // namespace glint
