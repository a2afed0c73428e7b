// SPDX-License-Identifier: Apache-2.0
//
// A model's answer at one position as a probability distribution over the vocabulary, and how far two of them lie
// apart. Everything is computed in double: log-probabilities of 150,000 logits keep what f32 logits say. Used by
// engine/perplexity and engine/logits_file. Tested by tests/unit/engine/divergence_test.cpp.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace glint {

/// log p(id) = values[id] - log_sum, in nats. `values` belongs to somebody else.
struct Distribution {
  std::span<const float> values;  // [n_vocab]
  double log_sum = 0;
  int32_t top = 0;  // the most likely id, of equal ones the lowest

  double log_p(int32_t id) const { return static_cast<double>(values[static_cast<size_t>(id)]) - log_sum; }
};

/// The softmax of logits [n_vocab]; a logit of -infinity is probability 0. Throws Error for logits that are no
/// distribution: NaN or +infinity among them, or nothing but -infinity.
Distribution softmax_of(std::span<const float> logits);

/// How a tested distribution differs from a base at one position, whose true next id is the target.
struct PositionDivergence {
  double nll = 0;           // -log p of the target in the tested one, nats
  double base_nll = 0;      // and in the base
  double kl = 0;            // sum of p log(p / q), p the base and q the tested one; infinite where q is 0 and p is not
  double p_difference = 0;  // of the target's probability, tested minus base
  bool same_top = true;
  double gap = 0;  // nats that the base puts between its own top and the tested one's; 0 where they are the same
};

/// Of ids whose base log-probability is not above `least_log_p`, kl takes no notice: a base that was stored with fewer
/// bits does not know how unlikely they are.
PositionDivergence compare(const Distribution& base, const Distribution& tested, int32_t target,
                           double least_log_p = -std::numeric_limits<double>::infinity());

}  // namespace glint
