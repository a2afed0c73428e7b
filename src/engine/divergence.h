// SPDX-License-Identifier: Apache-2.0
//
// Perplexity and divergence over many positions, with the standard errors and quantiles that llama-perplexity states.
// Used by apps/perplexity. Tested by tests/unit/engine/divergence_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/distribution.h"

namespace glint {

struct Estimate {
  double value = 0;
  double error = 0;  // standard error; 0 where a single value tells none
};

/// The mean of values that are taken to be independent; 0 for none.
Estimate mean_of(std::span<const double> values);
/// exp(mean) of negative log-likelihoods in nats.
Estimate perplexity_of(std::span<const double> nll);
/// Of ascending values, at least one; between two of them linear.
double quantile(std::span<const double> sorted, double fraction);

/// What compare() said of many positions, in their order.
struct DivergenceSamples {
  std::vector<double> nll, base_nll, kl, p_difference;
  std::vector<double> gaps;  // only where the tops differ

  void add(const PositionDivergence& position);
  int64_t size() const { return static_cast<int64_t>(kl.size()); }
  /// Share of positions with the same most likely id.
  Estimate same_top() const;
  /// Mean log of tested over base perplexity. Positions are paired, so its error is that of the differences.
  Estimate log_ratio() const;
  /// The same ratio itself, and the difference of the two perplexities.
  Estimate ratio() const;
  Estimate difference() const;
  /// Of the two negative log-likelihoods, in [-1, 1]; 0 where one of them never changes.
  double correlation() const;
  /// Root of the mean square of p_difference.
  Estimate rms_p_difference() const;
};

}  // namespace glint
