// SPDX-License-Identifier: Apache-2.0
#include "engine/divergence.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/check.h"

namespace glint {
namespace {

/// Mean and error of what `of(i)` gives for each of n positions.
Estimate mean_over(size_t n, const std::function<double(size_t)>& of) {
  if (n == 0) return {};
  const auto count = static_cast<double>(n);
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += of(i);
  const double mean = sum / count;
  if (n == 1) return {mean, 0};
  double squares = 0;
  for (size_t i = 0; i < n; ++i) squares += (of(i) - mean) * (of(i) - mean);
  // As llama-perplexity has it: the variance over n, the error of the mean over n - 1.
  return {mean, std::sqrt(squares / count / (count - 1))};
}

}  // namespace

Estimate mean_of(std::span<const double> values) {
  return mean_over(values.size(), [&](size_t i) { return values[i]; });
}

Estimate perplexity_of(std::span<const double> nll) {
  const Estimate mean = mean_of(nll);
  const double perplexity = std::exp(mean.value);
  return {perplexity, perplexity * mean.error};
}

double quantile(std::span<const double> sorted, double fraction) {
  GLINT_CHECK(!sorted.empty());
  const double place = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const double share = place - static_cast<double>(below);
  // Not weighted by 0: that would make NaN of an infinite neighbour.
  if (share == 0) return sorted[below];
  return (1 - share) * sorted[below] + share * sorted[below + 1];
}

void DivergenceSamples::add(const PositionDivergence& position) {
  nll.push_back(position.nll);
  base_nll.push_back(position.base_nll);
  kl.push_back(position.kl);
  p_difference.push_back(position.p_difference);
  if (!position.same_top) gaps.push_back(position.gap);
}

Estimate DivergenceSamples::same_top() const {
  if (kl.empty()) return {};
  const auto count = static_cast<double>(kl.size());
  const double share = (count - static_cast<double>(gaps.size())) / count;
  return {share, kl.size() == 1 ? 0 : std::sqrt(share * (1 - share) / (count - 1))};
}

Estimate DivergenceSamples::log_ratio() const {
  return mean_over(nll.size(), [&](size_t i) { return nll[i] - base_nll[i]; });
}

Estimate DivergenceSamples::ratio() const {
  const Estimate log = log_ratio();
  return {std::exp(log.value), std::exp(log.value) * log.error};
}

Estimate DivergenceSamples::difference() const {
  const double tested = perplexity_of(nll).value;
  const double base = perplexity_of(base_nll).value;
  // To first order a perplexity moves with its mean log-likelihood times itself.
  const Estimate moved = mean_over(nll.size(), [&](size_t i) { return tested * nll[i] - base * base_nll[i]; });
  return {tested - base, moved.error};
}

double DivergenceSamples::correlation() const {
  const double mean = mean_of(nll).value;
  const double base_mean = mean_of(base_nll).value;
  double both = 0, squares = 0, base_squares = 0;
  for (size_t i = 0; i < nll.size(); ++i) {
    both += (nll[i] - mean) * (base_nll[i] - base_mean);
    squares += (nll[i] - mean) * (nll[i] - mean);
    base_squares += (base_nll[i] - base_mean) * (base_nll[i] - base_mean);
  }
  return squares == 0 || base_squares == 0 ? 0 : both / std::sqrt(squares * base_squares);
}

Estimate DivergenceSamples::rms_p_difference() const {
  const Estimate square = mean_over(p_difference.size(), [&](size_t i) { return p_difference[i] * p_difference[i]; });
  const double root = std::sqrt(square.value);
  return {root, root == 0 ? 0 : 0.5 / root * square.error};
}

}  // namespace glint
