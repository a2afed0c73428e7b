// SPDX-License-Identifier: Apache-2.0
#include "engine/candidates.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace glint {
void Candidates::sort_prefix(size_t n) {
  n = std::min(n, items_.size());
  if (n <= sorted_) return;
  const auto first = items_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  const auto middle = items_.begin() + static_cast<std::ptrdiff_t>(n);
  // Selecting, then sorting what was selected, beats a heap for the prefixes met here.
  if (middle != items_.end()) std::nth_element(first, middle, items_.end(), before);
  std::sort(first, middle, before);
  sorted_ = n;
}

const Candidate& Candidates::best() {
  if (sorted_ > 0) return items_[0];
  return *std::min_element(items_.begin(), items_.end(), before);
}

void Candidates::truncate(size_t n) {
  items_.resize(std::min(n, items_.size()));
  sorted_ = std::min(sorted_, items_.size());
}

void Candidates::keep_top_k(int k, size_t min_keep) {
  if (k <= 0) return;
  const size_t n = std::max({static_cast<size_t>(k), min_keep, size_t{1}});
  if (n >= size()) return;
  sort_prefix(n);
  truncate(n);
}

double Candidates::sum_of_exponentials() {
  const double highest = best().logit;
  double sum = 0;
  for (const Candidate& candidate : items_) sum += std::exp(candidate.logit - highest);
  return sum;
}

std::vector<double> Candidates::probabilities() {
  const double highest = best().logit;
  const double sum = sum_of_exponentials();
  std::vector<double> result(size());
  for (size_t i = 0; i < size(); ++i) result[i] = std::exp(items_[i].logit - highest) / sum;
  return result;
}

void Candidates::keep_top_p(double p, size_t min_keep) {
  if (p >= 1) return;
  const double highest = best().logit;
  const double sum = sum_of_exponentials();
  double cumulative = 0;
  for (size_t i = 0; i < size(); ++i) {
    if (i >= sorted_) sort_prefix(std::max<size_t>(64, 4 * i));
    cumulative += std::exp(items_[i].logit - highest) / sum;
    if (cumulative >= p && i + 1 >= min_keep) {
      truncate(i + 1);
      return;
    }
  }
}

void Candidates::keep_min_p(double p, size_t min_keep) {
  if (p <= 0) return;
  // probability >= p * highest probability, in terms of logits
  const float limit = best().logit + static_cast<float>(std::log(p));
  const auto passes = [limit](const Candidate& candidate) { return candidate.logit >= limit; };
  const auto n_passing = static_cast<size_t>(std::count_if(items_.begin(), items_.end(), passes));
  const size_t n = std::max({n_passing, min_keep, size_t{1}});
  if (n >= size()) return;
  sort_prefix(n);
  truncate(n);
}

void Candidates::keep_typical(double p, size_t min_keep) {
  if (p >= 1) return;
  sort_all();
  const std::vector<double> probability = probabilities();
  double entropy = 0;
  for (double q : probability) {
    if (q > 0) entropy -= q * std::log(q);
  }
  std::vector<double> distance(size());
  for (size_t i = 0; i < size(); ++i) {
    distance[i] = probability[i] > 0 ? std::fabs(-std::log(probability[i]) - entropy) : HUGE_VAL;
  }
  std::vector<size_t> order(size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return distance[a] < distance[b]; });
  double cumulative = 0;
  size_t n = 0;
  while (n < order.size()) {
    cumulative += probability[order[n++]];
    if (cumulative > p && n >= std::max<size_t>(min_keep, 1)) break;
  }
  order.resize(n);
  std::sort(order.begin(), order.end());  // back to descending logits
  std::vector<Candidate> kept;
  kept.reserve(n);
  for (size_t i : order) kept.push_back(items_[i]);
  items_ = std::move(kept);
  sorted_ = items_.size();
}

void Candidates::keep_top_n_sigma(double n) {
  if (n <= 0 || size() <= 1) return;
  double sum = 0;
  for (const Candidate& candidate : items_) sum += candidate.logit;
  const double mean = sum / static_cast<double>(size());
  double squares = 0;
  for (const Candidate& candidate : items_) squares += (candidate.logit - mean) * (candidate.logit - mean);
  const double limit = best().logit - n * std::sqrt(squares / static_cast<double>(size()));
  const auto kept = std::stable_partition(items_.begin(), items_.end(),
                                          [limit](const Candidate& candidate) { return candidate.logit >= limit; });
  const auto n_kept = static_cast<size_t>(kept - items_.begin());
  truncate(std::max<size_t>(n_kept, 1));
}

void Candidates::drop_top_choices(double threshold, size_t min_keep) {
  if (threshold > 0.5 || size() < 2) return;
  // At most 1 / threshold candidates can reach the threshold; sort until one does not.
  const double highest = best().logit;
  const double sum = sum_of_exponentials();
  size_t n_above = 0;
  while (n_above < size()) {
    if (n_above >= sorted_) sort_prefix(std::max<size_t>(16, 4 * n_above));
    if (std::exp(items_[n_above].logit - highest) / sum < threshold) break;
    ++n_above;
  }
  if (n_above < 2 || size() - (n_above - 1) < min_keep) return;
  items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(n_above - 1));
  sorted_ -= n_above - 1;
}

void Candidates::divide(float temperature) {
  // Relative to the best, so that a tiny temperature gives -infinity to the others and never infinity to all.
  const float highest = best().logit;
  for (Candidate& candidate : items_) candidate.logit = (candidate.logit - highest) / temperature;
}

void Candidates::divide_by_entropy(float base, float range, float exponent) {
  if (size() <= 1) return;
  double entropy = 0;
  for (double q : probabilities()) {
    if (q > 0) entropy -= q * std::log(q);
  }
  const double share = entropy / std::log(static_cast<double>(size()));
  const float low = std::max(0.0f, base - range);
  const float high = base + range;
  const float temperature = low + (high - low) * static_cast<float>(std::pow(share, exponent));
  if (temperature > 0) {
    divide(temperature);
  } else {
    keep_top_k(1, 0);
  }
}

const Candidate& Candidates::pick(double u) {
  const double highest = best().logit;
  const double target = u * sum_of_exponentials();
  double cumulative = 0;
  for (const Candidate& candidate : items_) {
    cumulative += std::exp(candidate.logit - highest);
    if (cumulative > target) return candidate;
  }
  return items_.back();
}

}  // namespace glint
