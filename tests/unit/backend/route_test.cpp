// SPDX-License-Identifier: Apache-2.0
//
// The router: weights by hand for each gate, biases that only choose, groups, ties, and numbers that are none.
#include <gmock/gmock.h>

#include "base/check.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

struct Chosen {
  std::vector<int32_t> experts;
  std::vector<float> weights;
};

Chosen route(std::vector<float> logits, RouteParams params, const std::vector<float>& bias = {}) {
  Chosen chosen;
  chosen.experts.resize(static_cast<size_t>(params.top_k), -1);
  chosen.weights.resize(static_cast<size_t>(params.top_k), -1);
  if (!bias.empty()) params.selection_bias = bias.data();
  make_ref_backend()->route({chosen.experts.data(), chosen.weights.data(), 1, params.top_k},
                            Tensor::matrix(logits.data(), 1, static_cast<int>(logits.size())), params);
  return chosen;
}

RouteParams gate(Gate which, int top_k, bool renormalise, float scale = 1) {
  RouteParams params;
  params.gate = which;
  params.top_k = top_k;
  params.renormalise = renormalise;
  params.scale = scale;
  return params;
}

auto near(float v) {
  return FloatNear(v, 5e-5f);
}

/// A model that gates by sigmoid, run with softmax, talks nonsense; the two differ in these numbers.
TEST(RefRoute, SigmoidAndSoftmaxOfTheSameLogits) {
  const Chosen sigmoid = route({2, 1, 0, -1}, gate(Gate::kSigmoid, 2, true));
  EXPECT_THAT(sigmoid.experts, ElementsAre(0, 1));
  EXPECT_THAT(sigmoid.weights, ElementsAre(near(0.5464f), near(0.4536f)));
  const Chosen softmax = route({2, 1, 0, -1}, gate(Gate::kSoftmax, 2, true));
  EXPECT_THAT(softmax.weights, ElementsAre(near(0.7311f), near(0.2689f)));
  const Chosen after = route({2, 1, 0, -1}, gate(Gate::kSoftmaxAfterTopK, 2, false));
  EXPECT_THAT(after.weights, ElementsAre(near(0.7311f), near(0.2689f)));
}

TEST(RefRoute, WithoutRenormalisingWeightsAreTheScores) {
  EXPECT_THAT(route({2, 1, 0, -1}, gate(Gate::kSoftmax, 2, false)).weights, ElementsAre(near(0.6439f), near(0.2369f)));
  EXPECT_THAT(route({2, 1, 0, -1}, gate(Gate::kSigmoid, 2, false, 1.8f)).weights,
              ElementsAre(near(1.58544f), near(1.31591f)));
  EXPECT_THAT(route({2, 1, 0, -1}, gate(Gate::kSigmoid, 2, true, 1.8f)).weights,
              ElementsAre(near(0.98361f), near(0.81639f)));
}

TEST(RefRoute, TheBiasChoosesAndDoesNotWeigh) {
  const Chosen chosen = route({2, 1, 0, -1}, gate(Gate::kSigmoid, 2, false), {0, 0, 0, 10});
  EXPECT_THAT(chosen.experts, ElementsAre(3, 0));
  EXPECT_THAT(chosen.weights, ElementsAre(near(0.2689f), near(0.8808f)));
}

/// Biases near 9, as real files have, leave 2^-20 of resolution; the order of scores must survive it.
TEST(RefRoute, LargeEqualBiasesDoNotBlurTheOrder) {
  const Chosen chosen = route({0.001f, 0.002f, 0.004f, 0.003f}, gate(Gate::kSigmoid, 4, false), {9, 9, 9, 9});
  EXPECT_THAT(chosen.experts, ElementsAre(2, 3, 1, 0));
}

TEST(RefRoute, TiesGoToTheLowerId) {
  EXPECT_THAT(route({1, 5, 5, 5, 1}, gate(Gate::kSoftmax, 4, false)).experts, ElementsAre(1, 2, 3, 0));
  // Saturated sigmoids are equal.
  EXPECT_THAT(route({90, 100, 110}, gate(Gate::kSigmoid, 2, false)).experts, ElementsAre(0, 1));
}

/// Groups {0,1} {2,3} {4,5} {6,7}. The best single expert is in a group whose second is poor.
TEST(RefRoute, SigmoidGroupsCountTheirBestTwo) {
  const std::vector<float> logits = {3, -9, 1, 1, 2, -3, 0, 0};
  RouteParams params = gate(Gate::kSigmoid, 2, false);
  params.n_groups = 4;
  params.n_groups_used = 1;
  // Sums of sigmoids: 0.953, 1.462, 0.928, 1.0.
  EXPECT_THAT(route(logits, params).experts, ElementsAre(2, 3));
  params.n_groups_used = 2;  // and the last group
  EXPECT_THAT(route(logits, params).experts, ElementsAre(2, 3));
  params.top_k = 4;
  EXPECT_THAT(route(logits, params).experts, ElementsAre(2, 3, 6, 7));
  // The bias takes part in the group's score.
  EXPECT_THAT(route(logits, params, {0, 2, 0, 0, 0, 0, 0, 0}).experts, ElementsAre(1, 0, 2, 3));
}

TEST(RefRoute, SoftmaxGroupsCountTheirBest) {
  RouteParams params = gate(Gate::kSoftmax, 2, false);
  params.n_groups = 4;
  params.n_groups_used = 1;
  EXPECT_THAT(route({3, -9, 2.9f, 2.9f, 2, -3, 0, 0}, params).experts, ElementsAre(0, 1));
}

/// An excluded group stays out even when everything in the chosen groups scores below zero.
TEST(RefRoute, ExcludedGroupsStayOutUnderNegativeBiases) {
  RouteParams params = gate(Gate::kSigmoid, 2, false);
  params.n_groups = 2;
  params.n_groups_used = 1;
  EXPECT_THAT(route({0, 0, 0, 0}, params, {-5, -5, -4, -4}).experts, ElementsAre(2, 3));
}

TEST(RefRoute, NanIsChosenLastAndHarmless) {
  for (const Gate which : {Gate::kSoftmax, Gate::kSigmoid, Gate::kSoftmaxAfterTopK}) {
    for (const int at : {0, 1, 3}) {
      std::vector<float> logits = {-30, -31, -32, -33};
      logits[static_cast<size_t>(at)] = NAN;
      const Chosen chosen = route(logits, gate(which, 3, true));
      EXPECT_THAT(chosen.experts, testing::Not(testing::Contains(at)));
      for (float w : chosen.weights) EXPECT_TRUE(w > 0 && w < 1) << w;
    }
    const Chosen all = route({NAN, NAN, NAN}, gate(which, 2, true));
    EXPECT_THAT(all.experts, ElementsAre(0, 1));
    EXPECT_THAT(all.weights, ElementsAre(0, 0));
  }
}

/// Where probabilities vanish, a NaN must not win by its lower id.
TEST(RefRoute, NanLosesAgainstAVanishingProbability) {
  EXPECT_THAT(route({NAN, 0, -1e4f, -2e4f}, gate(Gate::kSoftmax, 3, true)).experts, ElementsAre(1, 2, 3));
}

TEST(RefRoute, InfinitiesGiveNumbers) {
  for (const Gate which : {Gate::kSoftmax, Gate::kSigmoid, Gate::kSoftmaxAfterTopK}) {
    const Chosen high = route({0, INFINITY, 1}, gate(which, 2, true));
    EXPECT_EQ(high.experts[0], 1);
    for (float w : high.weights) EXPECT_TRUE(std::isfinite(w));
    const Chosen low = route({-INFINITY, -INFINITY, -INFINITY}, gate(which, 2, true));
    EXPECT_THAT(low.experts, ElementsAre(0, 1));
    for (float w : low.weights) EXPECT_TRUE(std::isfinite(w));
  }
}

TEST(RefRoute, ImpossibleRequestsAreBugs) {
  RouteParams params = gate(Gate::kSigmoid, 3, false);
  params.n_groups = 2;
  params.n_groups_used = 1;
  EXPECT_THROW(route({1, 2, 3, 4}, params), InternalError);  // three of a group of two
  params.n_groups = 3;
  EXPECT_THROW(route({1, 2, 3, 4}, params), InternalError);  // uneven groups
}

TEST(RefRoute, TokensAreRoutedAlone) {
  std::vector<float> logits = random_values(40, 1, 3);
  std::vector<int32_t> experts(12);
  std::vector<float> weights(12);
  const RouteParams params = gate(Gate::kSoftmax, 3, true);
  make_ref_backend()->route({experts.data(), weights.data(), 4, 3}, Tensor::matrix(logits.data(), 4, 10), params);
  for (size_t t = 0; t < 4; ++t) {
    const auto begin = static_cast<std::ptrdiff_t>(t);
    const Chosen alone = route({logits.begin() + begin * 10, logits.begin() + (begin + 1) * 10}, params);
    EXPECT_EQ(alone.experts, std::vector<int32_t>(experts.begin() + begin * 3, experts.begin() + (begin + 1) * 3));
    EXPECT_EQ(alone.weights, std::vector<float>(weights.begin() + begin * 3, weights.begin() + (begin + 1) * 3));
  }
}

}  // namespace
}  // namespace glint::backend_test
