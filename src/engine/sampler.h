// SPDX-License-Identifier: Apache-2.0
//
// Chooses the next token: bias, penalties, cuts, temperature and the draw, in the order the settings give. The random
// numbers are a function of (seed, how many were drawn), so one seed gives one text whatever else runs beside it.
// One Sampler a sequence; not shared between threads.
// Tested by tests/unit/engine/sampler_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/candidates.h"
#include "engine/sampling_params.h"

namespace glint {

/// Facts of the vocabulary that some samplers need.
struct SamplerVocab {
  std::vector<int32_t> banned;         // ids never chosen: end of generation under ignore_eos, padding
  std::vector<bool> sequence_breaker;  // [n_vocab] tokens that end a repetition for DRY; empty: none
};

/// uniform(n): the n-th number in [0, 1) of this seed (SplitMix64 finaliser over seed and counter; public domain).
class CounterRandom {
 public:
  explicit CounterRandom(uint64_t seed) : seed_(seed) {}
  double uniform();

 private:
  uint64_t seed_;
  uint64_t counter_ = 0;
};

class Sampler {
 public:
  /// PRECOND: sampling comes from resolve_sampling. A seed of -1 is replaced by one of the system's random numbers.
  Sampler(ResolvedSampling sampling, SamplerVocab vocab);

  /// Tells penalties about a token that was not chosen here (the prompt).
  void accept(int32_t id);
  /// Chooses from [n_vocab] logits and accepts the choice. NaN and infinite logits are never chosen (saw_non_finite
  /// turns true), nor ids whose bit id % 64 of allowed[id / 64] is 0 (empty: all may be); throws Error when nothing is
  /// left.
  int32_t sample(std::span<const float> logits, std::span<const uint64_t> allowed = {});
  /// How many of the largest logits decide the next choice, if all ids are allowed; 0: all may.
  int n_deciding() const;
  /// Chooses as sample() from the n_deciding() largest finite logits, in Candidates' order of preference.
  int32_t sample_largest(std::span<const Candidate> largest);

  bool saw_non_finite() const { return saw_non_finite_; }
  uint64_t seed() const { return seed_; }
  const ResolvedSampling& sampling() const { return sampling_; }

 private:
  bool has_penalties() const;
  bool has_dry() const;
  int first_cut() const;
  int32_t choose(std::vector<Candidate> items);
  std::vector<Candidate> collect(std::span<const float> logits, std::span<const uint64_t> allowed);
  void apply_penalties(Candidates& candidates) const;
  void apply_dry(Candidates& candidates) const;
  void apply(SamplerKind kind, Candidates& candidates);
  int32_t draw(Candidates& candidates);
  int32_t draw_mirostat(Candidates& candidates);

  ResolvedSampling sampling_;
  SamplerVocab vocab_;
  uint64_t seed_;
  CounterRandom random_;
  std::vector<int32_t> history_;
  std::vector<bool> banned_;  // [the largest banned id + 1]
  std::vector<float> bias_;   // [the largest biased id + 1], 0 elsewhere
  float mirostat_mu_;
  bool saw_non_finite_ = false;
};

/// log(softmax(logits)[id]) in double.
double log_probability(std::span<const float> logits, int32_t id);

struct TokenLogProbability {
  int32_t id;
  double log_probability;
};
/// The n most probable tokens, best first, ties to the lower id.
std::vector<TokenLogProbability> top_log_probabilities(std::span<const float> logits, int n);

}  // namespace glint
