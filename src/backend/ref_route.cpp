// SPDX-License-Identifier: Apache-2.0
//
// Router of a mixture of experts. See ref_route.h. Gates: softmax over all experts (DeepSeek-V2, Qwen3, Mixtral),
// sigmoid with a bias that only chooses (DeepSeek-V3, GLM-4.7-Flash), softmax over the chosen logits (gpt-oss).
// Tested by tests/unit/backend/route_test.cpp.
#include "backend/ref_route.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace glint {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

/// In place. A NaN gets no probability and does not spoil the others'; +infinity takes all of it.
void softmax(std::span<float> x) {
  float largest = kLowest;
  for (float v : x) largest = v > largest ? v : largest;
  const auto numerator = [&](float v) {
    if (std::isnan(v)) return 0.0;
    return v == largest ? 1.0 : std::exp(static_cast<double>(v) - largest);
  };
  double sum = 0;
  for (float v : x) sum += numerator(v);
  for (float& v : x) v = sum > 0 ? static_cast<float>(numerator(v) / sum) : 0.0f;
}

/// Index of the first-ranked value not yet taken; PRECOND: one is left.
int best_free(std::span<const float> values, std::span<const bool> taken) {
  int best = -1;
  for (int i = 0; i < static_cast<int>(values.size()); ++i) {
    if (taken[i]) continue;
    if (best < 0 || ranks_before(values[i], i, values[best], best)) best = i;
  }
  return best;
}

/// Plain bools with a span view, which std::vector<bool> does not give.
struct Flags {
  explicit Flags(int n) : values(std::make_unique<bool[]>(static_cast<uint32_t>(n))), size(n) {}
  std::unique_ptr<bool[]> values;
  int size;
  std::span<bool> span() { return {values.get(), static_cast<size_t>(size)}; }
};

float group_score(std::span<const float> choice, Gate gate) {
  float first = kLowest;
  float second = kLowest;
  for (float v : choice) {
    if (v > first) {
      second = first;
      first = v;
    } else if (v > second) {
      second = v;
    }
  }
  return gate == Gate::kSigmoid && choice.size() > 1 ? first + second : first;
}

/// Marks the experts of all groups but the best n_groups_used as taken.
void exclude_weak_groups(std::span<const float> choice, const RouteParams& params, std::span<bool> taken) {
  const int group_size = static_cast<int>(choice.size()) / params.n_groups;
  std::vector<float> scores(params.n_groups);
  for (int g = 0; g < params.n_groups; ++g)
    scores[g] = group_score(choice.subspan(g * group_size, group_size), params.gate);
  Flags used(params.n_groups);
  for (int i = 0; i < params.n_groups_used; ++i) used.span()[best_free(scores, used.span())] = true;
  for (size_t e = 0; e < choice.size(); ++e) taken[e] = !used.span()[e / group_size];
}

}  // namespace

bool ranks_before(float a, int index_a, float b, int index_b) {
  if (std::isnan(a) || std::isnan(b)) {
    if (std::isnan(a) != std::isnan(b)) return std::isnan(b);
    return index_a < index_b;
  }
  if (a != b) return a > b;
  return index_a < index_b;
}

void top_of_rows(TopEntry* out, Tensor x, int k) {
  GLINT_CHECK(x.n_heads == 1 && k >= 1 && k <= kMostTop && k <= x.width);
  const auto before = [](const TopEntry& a, const TopEntry& b) {
    return ranks_before(a.value, a.index, b.value, b.index);
  };
  std::vector<TopEntry> entries(static_cast<size_t>(x.width));
  for (int r = 0; r < x.n_rows; ++r) {
    for (int i = 0; i < x.width; ++i) entries[static_cast<size_t>(i)] = {i, x.row(r)[i]};
    std::partial_sort(entries.begin(), entries.begin() + k, entries.end(), before);
    std::copy_n(entries.begin(), k, out + static_cast<ptrdiff_t>(r) * k);
  }
}

void route_token(std::span<const float> logits, const RouteParams& params, std::span<int32_t> experts,
                 std::span<float> weights) {
  const int n_experts = static_cast<int>(logits.size());
  const int n_groups = params.n_groups;
  GLINT_CHECK(n_groups >= 1 && n_experts % n_groups == 0);
  GLINT_CHECK(params.n_groups_used >= 1 && params.n_groups_used <= n_groups);
  GLINT_CHECK(params.top_k >= 1 && params.top_k <= n_experts / n_groups * params.n_groups_used);

  std::vector<float> scores(logits.begin(), logits.end());
  if (params.gate == Gate::kSoftmax) softmax(scores);
  if (params.gate == Gate::kSigmoid)
    for (float& s : scores) s = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(s))));

  // A NaN logit is carried into `choice`, so that softmax's harmless 0 for it cannot win against a tie of zeros.
  std::vector<float> choice = scores;
  for (int e = 0; e < n_experts; ++e) {
    if (params.selection_bias != nullptr) choice[e] += params.selection_bias[e];
    if (std::isnan(logits[e])) choice[e] = logits[e];
  }

  Flags taken(n_experts);
  if (n_groups > 1) exclude_weak_groups(choice, params, taken.span());
  for (int s = 0; s < params.top_k; ++s) {
    experts[s] = best_free(choice, taken.span());
    weights[s] = scores[experts[s]];
    taken.span()[experts[s]] = true;
  }

  if (params.gate == Gate::kSoftmaxAfterTopK) softmax(weights.first(params.top_k));
  for (int s = 0; s < params.top_k; ++s)
    if (std::isnan(weights[s])) weights[s] = 0;
  if (params.renormalise) {
    double sum = 1e-20;
    for (int s = 0; s < params.top_k; ++s) sum += weights[s];
    for (int s = 0; s < params.top_k; ++s) weights[s] = static_cast<float>(weights[s] / sum);
  }
  for (int s = 0; s < params.top_k; ++s) weights[s] *= params.scale;
}

}  // namespace glint
