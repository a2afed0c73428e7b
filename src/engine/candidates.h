// SPDX-License-Identifier: Apache-2.0
//
// The tokens still in the running, and the cuts that samplers make. Sorting 150,000 candidates would cost more than the
// cuts, so only as long a prefix is sorted as a cut looks at. Ties are always broken by the lower id.
// Used by engine/sampler.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace glint {

struct Candidate {
  int32_t id;
  float logit;
};

class Candidates {
 public:
  explicit Candidates(std::vector<Candidate> items) : items_(std::move(items)) {}

  /// The order of preference: the larger logit, of equals the lower id.
  static bool before(const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  }

  size_t size() const { return items_.size(); }
  std::span<Candidate> items() { return items_; }
  const Candidate& operator[](size_t i) const { return items_[i]; }
  /// After logits were changed one by one.
  void touch() { sorted_ = 0; }
  /// Guarantees that the first n are the n largest, in descending order.
  void sort_prefix(size_t n);
  void sort_all() { sort_prefix(size()); }

  /// The largest logit, ties to the lower id.
  const Candidate& best();

  // Cuts, each as its paper or llama.cpp defines it; none leaves fewer than max(1, min_keep).
  void keep_top_k(int k, size_t min_keep);
  void keep_top_p(double p, size_t min_keep);
  void keep_min_p(double p, size_t min_keep);
  void keep_typical(double p, size_t min_keep);
  void keep_top_n_sigma(double n);
  /// Drops all but the least probable of those with probability >= threshold (exclude top choices).
  void drop_top_choices(double threshold, size_t min_keep);
  void divide(float temperature);
  /// Temperature between base - range and base + range by normalised entropy.
  void divide_by_entropy(float base, float range, float exponent);

  /// softmax over all candidates, in their order, in double.
  std::vector<double> probabilities();
  /// The candidate at which the cumulative probability passes u in [0, 1).
  const Candidate& pick(double u);
  void truncate(size_t n);

 private:
  double sum_of_exponentials();

  std::vector<Candidate> items_;
  size_t sorted_ = 0;  // length of the sorted prefix
};

}  // namespace glint
