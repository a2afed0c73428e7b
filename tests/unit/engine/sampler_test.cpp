// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/check.h"

namespace glint {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Everything off, temperature 1; tests switch on what they look at.
SamplingParams neutral() {
  SamplingParams p;
  p.temperature = 1;
  p.top_k = 0;
  p.top_p = 1;
  p.min_p = 0;
  p.seed = 1;
  return p;
}

Sampler make(const SamplingParams& params, SamplerVocab vocab = {}) {
  return Sampler(resolve_sampling(params, {}, gguf::Metadata("test")), std::move(vocab));
}

/// Ids that come up in 2,000 draws, each from a fresh history.
std::map<int32_t, int> draws(SamplingParams params, const std::vector<float>& logits, SamplerVocab vocab = {},
                             const std::vector<int32_t>& history = {}) {
  std::map<int32_t, int> counts;
  for (int i = 0; i < 2000; ++i) {
    params.seed = 1000 + i;
    Sampler sampler = make(params, vocab);
    for (int32_t id : history) sampler.accept(id);
    ++counts[sampler.sample(logits)];
  }
  return counts;
}

std::set<int32_t> support(const std::map<int32_t, int>& counts) {
  std::set<int32_t> ids;
  for (const auto& [id, n] : counts) ids.insert(id);
  return ids;
}

const std::vector<float> kLogits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};

/// Looking at the largest logits alone chooses as looking at all does. What makes it look at all: DRY with nothing to
/// find, since no sequence repeats.
TEST(Sampler, TheShortWayChoosesAsTheLongOne) {
  uint32_t state = 1;
  const auto random = [&state] { return (state = state * 1664525u + 1013904223u) >> 8; };
  for (int round = 0; round < 300; ++round) {
    SamplingParams params = neutral();
    params.seed = round;
    params.temperature = round % 4 == 0 ? 0.0f : 1.0f;
    params.top_k = 1 + static_cast<int>(random() % 60);
    params.min_keep = static_cast<int>(random() % 70);
    params.top_p = round % 3 == 0 ? 0.7f : 1.0f;
    params.xtc_probability = round % 5 == 0 ? 0.5f : 0.0f;
    params.logit_bias = {{5, 2.0f}, {7, -kInfinity}, {250, 1.0f}};
    SamplerVocab vocab;
    vocab.banned = {3, 44, 299};
    std::vector<float> logits(300);
    for (float& logit : logits) logit = static_cast<float>(random() % 40) / 4;  // with many equals
    logits[random() % 300] = kNan;
    logits[random() % 300] = -kInfinity;
    std::vector<uint64_t> allowed(5, ~uint64_t{0});
    if (round % 2 == 0) allowed[1] = 0xffffffff0f0f0f0f;
    SamplingParams all = params;
    all.dry_multiplier = 1.0f;
    Sampler short_way = make(params, vocab), long_way = make(all, vocab);
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(short_way.sample(logits, allowed), long_way.sample(logits, allowed)) << round;
      long_way = make(all, vocab);
      short_way = make(params, vocab);
      std::rotate(logits.begin(), logits.begin() + 100, logits.end());
    }
  }
}

/// In both words of a mask; greedy and drawn.
TEST(Sampler, WhatIsNotAllowedIsNotChosen) {
  std::vector<float> logits(80, 0.0f);
  logits[3] = 9;
  logits[70] = 8;
  std::vector<uint64_t> allowed(2);
  for (const float temperature : {0.0f, 0.01f}) {
    SamplingParams params = neutral();
    params.temperature = temperature;
    allowed = {~uint64_t{0}, ~uint64_t{0}};
    EXPECT_EQ(make(params).sample(logits, allowed), 3);
    allowed[0] &= ~(uint64_t{1} << 3);
    EXPECT_EQ(make(params).sample(logits, allowed), 70);
    allowed = {uint64_t{1} << 7, 0};
    EXPECT_EQ(make(params).sample(logits, allowed), 7);
    allowed = {0, 0};
    EXPECT_THROW(make(params).sample(logits, allowed), Error);
    EXPECT_THROW(make(params).sample(logits, std::span(allowed).first(1)), InternalError);
  }
}

TEST(Sampler, DrawsWithTheSoftmaxFrequencies) {
  const auto counts = draws(neutral(), kLogits);
  // 5 standard deviations of a binomial of 2,000 draws
  const double p[] = {0.5, 0.3, 0.15, 0.05};
  for (int id = 0; id < 4; ++id) {
    const double expected = 2000 * p[id];
    EXPECT_NEAR(counts.at(id), expected, 5 * std::sqrt(expected * (1 - p[id]))) << id;
  }
}

TEST(Sampler, TemperatureZeroIsArgmaxWithTiesToTheLowestId) {
  SamplingParams p = neutral();
  p.temperature = 0;
  EXPECT_EQ(make(p).sample(std::vector<float>{1, 3, 3, 2}), 1);
  EXPECT_EQ(make(p).sample(std::vector<float>(1000, 0.0f)), 0);
}

TEST(Sampler, TemperatureSharpens) {
  SamplingParams p = neutral();
  p.temperature = 0.5;
  // squares of the probabilities, normalised: 0.25 / (0.25 + 0.09 + 0.0225 + 0.0025)
  EXPECT_NEAR(draws(p, kLogits).at(0), 2000 * 0.25 / 0.365, 5 * std::sqrt(2000 * 0.685 * 0.315));
  p.temperature = 1e-30f;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0}));
}

TEST(Sampler, TopK) {
  SamplingParams p = neutral();
  p.top_k = 2;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0, 1}));
}

TEST(Sampler, TopPKeepsTheFewestThatReachP) {
  SamplingParams p = neutral();
  p.top_p = 0.79f;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0, 1}));
  p.top_p = 0.81f;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0, 1, 2}));
  p.top_p = 0;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0}));
}

TEST(Sampler, MinP) {
  SamplingParams p = neutral();
  p.min_p = 0.29f;  // of 0.5: 0.145
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0, 1, 2}));
  p.min_p = 0.31f;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0, 1}));
}

TEST(Sampler, MinKeepHoldsEveryCutBack) {
  SamplingParams p = neutral();
  p.min_keep = 3;
  p.top_k = 1;
  p.top_p = 0;
  p.min_p = 1;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0, 1, 2}));
}

TEST(Sampler, TypicalKeepsWhatIsNearTheEntropy) {
  SamplingParams p = neutral();
  p.typical_p = 0.2f;
  // Entropy 1.142; surprises 0.693, 1.204, 1.897, 2.996: the second is the most typical and 0.3 > 0.2.
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{1}));
}

TEST(Sampler, TopNSigma) {
  SamplingParams p = neutral();
  p.top_n_sigma = 1;
  // logits 10, 9, 0, 0: mean 4.75, deviation 4.76, so 5.24 and more stay
  EXPECT_EQ(support(draws(p, {10, 9.5f, 0, 0})), (std::set<int32_t>{0, 1}));
}

TEST(Sampler, XtcDropsAllButTheLeastOfTheTopChoices) {
  SamplingParams p = neutral();
  p.xtc_probability = 1;
  p.xtc_threshold = 0.2f;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{1, 2, 3}));
  p.xtc_threshold = 0.6f;
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{0, 1, 2, 3}));
}

TEST(Sampler, Penalties) {
  SamplingParams p = neutral();
  p.temperature = 0;
  p.repeat_penalty = 2;
  // 4 / 2 < 3; -1 * 2 < -1.5
  Sampler positive = make(p);
  positive.accept(0);
  EXPECT_EQ(positive.sample(std::vector<float>{4, 3}), 1);
  Sampler negative = make(p);
  negative.accept(0);
  EXPECT_EQ(negative.sample(std::vector<float>{-1, -1.5f}), 1);
  p.repeat_penalty = 1;
  p.frequency_penalty = 0.6f;
  Sampler frequency = make(p);
  frequency.accept(0);
  EXPECT_EQ(frequency.sample(std::vector<float>{4, 3}), 0);  // 4 - 0.6 > 3
  EXPECT_EQ(frequency.sample(std::vector<float>{4, 3}), 1);  // twice seen: 4 - 1.2 < 3
  p.frequency_penalty = 0;
  p.presence_penalty = 1.1f;
  Sampler presence = make(p);
  presence.accept(0);
  EXPECT_EQ(presence.sample(std::vector<float>{4, 3}), 1);
  p.repeat_last_n = 1;
  Sampler window = make(p);
  window.accept(0);
  window.accept(1);
  EXPECT_EQ(window.sample(std::vector<float>{4, 3}), 0);
}

TEST(Sampler, DryPenalisesWhatLengthensARepetition) {
  SamplingParams p = neutral();
  p.temperature = 0;
  p.dry_multiplier = 1;
  const std::vector<float> logits = {0, 0, 0, 1, 0.5f};
  // 0 1 2 3 ... 0 1 2: the next 3 would make a repetition of 3 tokens 4 long: 1 * 1.75^1 is taken off.
  Sampler repeats = make(p);
  for (int32_t id : {0, 1, 2, 3, 4, 0, 1, 2}) repeats.accept(id);
  EXPECT_EQ(repeats.sample(logits), 4);
  SamplerVocab vocab;
  vocab.sequence_breaker = {false, true, false, false, false};
  Sampler broken = make(p, vocab);  // token 1 ends a repetition: only "2" repeats, shorter than allowed
  for (int32_t id : {0, 1, 2, 3, 4, 0, 1, 2}) broken.accept(id);
  EXPECT_EQ(broken.sample(logits), 3);
}

TEST(Sampler, BiasAndBans) {
  SamplingParams p = neutral();
  p.logit_bias = {{3, 100.0f}};
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{3}));
  p.logit_bias = {{0, -kInfinity}, {1, -100.0f}};
  EXPECT_EQ(support(draws(p, kLogits)), (std::set<int32_t>{2, 3}));
  p.logit_bias = {};
  SamplerVocab vocab;
  vocab.banned = {0, 2};
  EXPECT_EQ(support(draws(p, kLogits, vocab)), (std::set<int32_t>{1, 3}));
}

TEST(Sampler, NonFiniteLogitsAreNeverChosen) {
  for (float temperature : {0.0f, 1.0f}) {
    SamplingParams p = neutral();
    p.temperature = temperature;
    for (size_t at : {0u, 1u, 2u}) {
      for (float bad : {kNan, kInfinity, -kInfinity}) {
        std::vector<float> logits = {1, 1, 1};
        logits[at] = bad;
        Sampler sampler = make(p);
        EXPECT_NE(sampler.sample(logits), static_cast<int32_t>(at));
        EXPECT_TRUE(sampler.saw_non_finite());
      }
    }
    EXPECT_THROW(make(p).sample(std::vector<float>(3, kNan)), Error);
    EXPECT_THROW(make(p).sample(std::vector<float>(3, -kInfinity)), Error);
  }
}

TEST(Sampler, SeedDecidesTheText) {
  const auto text = [](int64_t seed) {
    SamplingParams p = neutral();
    p.seed = seed;
    Sampler sampler = make(p);
    std::vector<int32_t> ids;
    for (int i = 0; i < 32; ++i) ids.push_back(sampler.sample(kLogits));
    return ids;
  };
  EXPECT_EQ(text(42), text(42));
  EXPECT_NE(text(42), text(43));
  EXPECT_NE(text(-1), text(-1));
}

TEST(Sampler, MirostatStaysNearItsTarget) {
  for (int version : {1, 2}) {
    SamplingParams p = neutral();
    p.mirostat = version;
    p.mirostat_tau = 2.0f;
    Sampler sampler = make(p);
    std::vector<float> logits(1000);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = -1.1f * std::log(static_cast<float>(i + 1));  // Zipf
    double surprise = 0;
    constexpr int kDraws = 400;
    for (int i = 0; i < kDraws; ++i) surprise -= log_probability(logits, sampler.sample(logits)) / std::log(2.0);
    // Without it the mean surprise of this distribution is about 6.5 bits.
    EXPECT_LT(surprise / kDraws, 5.0) << version;
  }
}

TEST(Sampler, LogProbabilities) {
  const std::vector<float> logits = {2, 1, 0};
  EXPECT_NEAR(log_probability(logits, 0), -0.4076, 1e-4);
  EXPECT_NEAR(log_probability(logits, 1), -1.4076, 1e-4);
  EXPECT_NEAR(log_probability(logits, 2), -2.4076, 1e-4);
  const auto top = top_log_probabilities(logits, 2);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].id, 0);
  EXPECT_EQ(top[1].id, 1);
  EXPECT_NEAR(top[1].log_probability, -1.4076, 1e-4);
}

TEST(Sampler, LongVocabularyCutsEqualAFullSort) {
  std::vector<float> logits(154880);
  CounterRandom random(5);
  for (float& logit : logits) logit = static_cast<float>(random.uniform() * 12);
  std::vector<Candidate> items;
  for (size_t i = 0; i < logits.size(); ++i) items.push_back({static_cast<int32_t>(i), logits[i]});
  Candidates fast(items), sorted(items);
  sorted.sort_all();
  fast.keep_top_p(0.3, 0);
  ASSERT_LT(fast.size(), logits.size());
  double cumulative = 0;
  const std::vector<double> probability = sorted.probabilities();
  size_t n = 0;
  while (cumulative < 0.3) cumulative += probability[n++];
  EXPECT_NEAR(static_cast<double>(fast.size()), static_cast<double>(n), 1);  // sums in another order may differ by one
  for (size_t i = 0; i < std::min(n, fast.size()); ++i) EXPECT_EQ(fast[i].id, sorted[i].id);
}

}  // namespace
}  // namespace glint
