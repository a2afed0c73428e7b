// SPDX-License-Identifier: Apache-2.0
#include "engine/distribution.h"

#include <cmath>

#include "base/check.h"

namespace glint {

Distribution softmax_of(std::span<const float> logits) {
  GLINT_CHECK(!logits.empty());
  size_t top = 0;
  for (size_t id = 1; id < logits.size(); ++id) {
    if (logits[id] > logits[top]) top = id;
  }
  // Nothing that is no number hides here: NaN, and what +-infinity minus itself is, stay in the sum.
  const double maximum = logits[top];
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - maximum);
  if (!std::isfinite(sum)) {
    fail("the model's logits are no numbers (NaN or infinity among {} of them): the backend or the file is damaged",
         logits.size());
  }
  return {logits, maximum + std::log(sum), static_cast<int32_t>(top)};
}

PositionDivergence compare(const Distribution& base, const Distribution& tested, int32_t target, double least_log_p) {
  GLINT_CHECK(base.values.size() == tested.values.size());
  PositionDivergence result;
  result.nll = -tested.log_p(target);
  result.base_nll = -base.log_p(target);
  result.p_difference = std::exp(-result.nll) - std::exp(-result.base_nll);
  for (size_t id = 0; id < base.values.size(); ++id) {
    const double log_p = base.values[id] - base.log_sum;
    // -infinity is above nothing, so that no product of zero and infinity comes up.
    if (log_p > least_log_p) result.kl += std::exp(log_p) * (log_p - (tested.values[id] - tested.log_sum));
  }
  result.same_top = base.top == tested.top;
  result.gap = base.log_p(base.top) - base.log_p(tested.top);
  return result;
}

}  // namespace glint
