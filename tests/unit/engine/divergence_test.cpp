// SPDX-License-Identifier: Apache-2.0
//
// Softmax, divergence and their statistics against values that can be worked out by hand.
#include "engine/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/check.h"

namespace glint {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kExact = 1e-14;  // some roundings of doubles of the order of 1

using Row = std::vector<float>;

PositionDivergence compare_rows(const Row& base, const Row& tested, int32_t target) {
  return compare(softmax_of(base), softmax_of(tested), target);
}

TEST(DistributionTest, IsTheSoftmax) {
  const Row row = {0, 0, 0, 0};
  EXPECT_NEAR(softmax_of(row).log_p(2), -std::log(4.0), kExact);
  const Row one = {17};
  EXPECT_EQ(softmax_of(one).log_p(0), 0);
  // Far from 0, where exp() alone would overflow or vanish.
  const Row high = {1e4f, 1e4f + 1}, low = {-1e4f, -1e4f + 1};
  EXPECT_NEAR(softmax_of(high).log_p(0), -std::log1p(std::exp(1.0)), 1e-11);  // 1e4 in doubles is exact to 2e-12
  EXPECT_NEAR(softmax_of(low).log_p(0), -std::log1p(std::exp(1.0)), 1e-11);
}

TEST(DistributionTest, TakesTheLowestOfEqualTops) {
  const Row row = {1, 3, 2, 3};
  EXPECT_EQ(softmax_of(row).top, 1);
}

TEST(DistributionTest, MinusInfinityIsProbabilityZero) {
  const Row row = {-kInfinity, 0, 0};
  EXPECT_EQ(softmax_of(row).log_p(0), -kInfinity);
  EXPECT_NEAR(softmax_of(row).log_p(1), -std::log(2.0), kExact);
}

TEST(DistributionTest, RefusesWhatIsNoDistribution) {
  for (const Row& row : {Row{0, NAN, 0}, Row{NAN, 0}, Row{0, kInfinity}, Row{-kInfinity, -kInfinity}})
    EXPECT_THROW(softmax_of(row), Error);
}

TEST(CompareTest, IsZeroForTheSame) {
  const Row row = {0.3f, -2, 5, -kInfinity};
  const Row shifted = {0.25f, -1.75f, 4}, shifted_up = {64.25f, 62.25f, 68};  // 64 more: the same probabilities
  for (const PositionDivergence& d : {compare_rows(row, row, 1), compare_rows(shifted, shifted_up, 1)}) {
    EXPECT_NEAR(d.kl, 0, kExact);
    EXPECT_NEAR(d.p_difference, 0, kExact);
    EXPECT_TRUE(d.same_top);
    EXPECT_EQ(d.gap, 0);
  }
  EXPECT_EQ(compare_rows(row, row, 1).kl, 0);
}

TEST(CompareTest, OfTwoOutcomes) {
  // p = (3/4, 1/4), q = (1/2, 1/2).
  const Row p = {std::log(3.0f), 0}, q = {0, 0};
  const double log_three = std::log(3.0f);  // as the row has it, rounded
  const double p0 = std::exp(log_three) / (std::exp(log_three) + 1);
  const PositionDivergence d = compare_rows(p, q, 1);
  EXPECT_NEAR(d.kl, p0 * std::log(2 * p0) + (1 - p0) * std::log(2 * (1 - p0)), kExact);
  EXPECT_NEAR(d.kl, 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-7);
  EXPECT_NEAR(d.nll, std::log(2.0), kExact);
  EXPECT_NEAR(d.base_nll, -std::log(1 - p0), kExact);
  EXPECT_NEAR(d.p_difference, 0.5 - (1 - p0), kExact);
  EXPECT_TRUE(d.same_top);  // of q's equal ones the lowest
}

TEST(CompareTest, SaysHowFarTheTopsAreApartInTheBase) {
  const Row base = {1, 3.5f, 3, 0}, tested = {1, 3, 3.25f, 0};
  const PositionDivergence d = compare_rows(base, tested, 0);
  EXPECT_FALSE(d.same_top);
  EXPECT_NEAR(d.gap, 0.5, kExact);
}

TEST(CompareTest, WhereOneOfTheTwoIsImpossible) {
  const Row both = {0, 0}, one = {0, -kInfinity};
  EXPECT_EQ(compare_rows(both, one, 0).kl, kInfinity);  // q excludes what p allows
  EXPECT_NEAR(compare_rows(one, both, 0).kl, std::log(2.0), kExact);
  EXPECT_EQ(compare_rows(both, one, 1).nll, kInfinity);
  EXPECT_NEAR(compare_rows(both, one, 1).p_difference, -0.5, kExact);
}

TEST(CompareTest, LeavesOutWhatTheBaseDoesNotKnow) {
  const Row base = {0, -20}, tested = {0, 20};
  const Distribution p = softmax_of(base), q = softmax_of(tested);
  // The second id's share of the sum, which is left out with a floor above it.
  const double log_p = p.log_p(1);
  EXPECT_NEAR(compare(p, q, 0).kl - compare(p, q, 0, -16).kl, std::exp(log_p) * (log_p - q.log_p(1)), kExact);
}

TEST(EstimateTest, MeanAndItsError) {
  const std::vector<double> values = {1, 2, 3, 6};
  EXPECT_DOUBLE_EQ(mean_of(values).value, 3);
  EXPECT_DOUBLE_EQ(mean_of(values).error, std::sqrt(14.0 / 4 / 3));
  const std::vector<double> one = {5};
  EXPECT_EQ(mean_of(one).value, 5);
  EXPECT_EQ(mean_of(one).error, 0);
  EXPECT_EQ(mean_of({}).value, 0);
  // Far from 0 the spread stays, which a mean of squares would lose.
  const std::vector<double> far = {1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 6};
  EXPECT_DOUBLE_EQ(mean_of(far).error, mean_of(values).error);
}

TEST(EstimateTest, Perplexity) {
  const std::vector<double> nll(7, std::log(20.0));
  EXPECT_NEAR(perplexity_of(nll).value, 20, 20 * kExact);
  EXPECT_NEAR(perplexity_of(nll).error, 0, 20 * kExact);
}

TEST(EstimateTest, Quantiles) {
  const std::vector<double> values = {0, 1, 2, 10};
  EXPECT_EQ(quantile(values, 0), 0);
  EXPECT_EQ(quantile(values, 1), 10);
  EXPECT_DOUBLE_EQ(quantile(values, 0.5), 1.5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 2 + 0.7 * 8);
  const std::vector<double> one = {4};
  for (double fraction : {0.0, 0.3, 1.0}) EXPECT_EQ(quantile(one, fraction), 4);
  const std::vector<double> endless = {1, kInfinity};
  EXPECT_EQ(quantile(endless, 0), 1);
  EXPECT_EQ(quantile(endless, 1), kInfinity);
}

DivergenceSamples divergence_of(std::vector<double> nll, std::vector<double> base) {
  DivergenceSamples d;
  for (size_t i = 0; i < nll.size(); ++i) {
    const double difference = std::exp(-nll[i]) - std::exp(-base[i]);
    d.add({nll[i], base[i], 0, difference, i > 0, i > 0 ? 0 : 0.25});
  }
  return d;
}

TEST(DivergenceTest, PairsItsPositions) {
  // Always 0.5 worse: how much is certain, whatever the texts' own spread.
  const DivergenceSamples d = divergence_of({1.5, 2.5, 4.5, 0.5}, {1, 2, 4, 0});
  EXPECT_DOUBLE_EQ(d.log_ratio().value, 0.5);
  EXPECT_NEAR(d.log_ratio().error, 0, kExact);
  EXPECT_DOUBLE_EQ(d.ratio().value, std::exp(0.5));
  EXPECT_NEAR(d.correlation(), 1, kExact);
  EXPECT_DOUBLE_EQ(d.difference().value, std::exp(2.25) - std::exp(1.75));
  EXPECT_DOUBLE_EQ(d.same_top().value, 0.75);
  EXPECT_DOUBLE_EQ(d.same_top().error, std::sqrt(0.75 * 0.25 / 3));
  EXPECT_EQ(d.gaps, std::vector<double>{0.25});
  // One way up, the other down.
  EXPECT_NEAR(divergence_of({1, 2}, {2, 1}).correlation(), -1, kExact);
  EXPECT_EQ(divergence_of({1, 2}, {2, 2}).correlation(), 0);
}

TEST(DivergenceTest, OfOnePosition) {
  const DivergenceSamples d = divergence_of({std::log(2.0)}, {std::log(4.0)});
  EXPECT_NEAR(d.rms_p_difference().value, 0.25, kExact);
  for (const Estimate& e : {d.rms_p_difference(), d.same_top(), d.log_ratio(), d.ratio(), d.difference()})
    EXPECT_EQ(e.error, 0);
}

}  // namespace
}  // namespace glint
