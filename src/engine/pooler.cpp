// SPDX-License-Identifier: Apache-2.0
#include "engine/pooler.h"

#include <algorithm>

namespace glint {

std::vector<int> Pooler::wanted(int from, int count) const {
  int first = std::max(from, n_seen_), end = from + count;
  if (pooling_ == Pooling::kFirst) end = std::min(end, 1);
  if (pooling_ == Pooling::kLast) first = std::max(first, n_prompt_ - 1);
  std::vector<int> positions;
  for (int position = first; position < std::min(end, n_prompt_); ++position) positions.push_back(position);
  return positions;
}

void Pooler::add(std::span<const int> positions, std::span<const float> rows) {
  n_seen_ = positions.back() + 1;
  if (pooling_ != Pooling::kMean) {
    values_.insert(values_.end(), rows.begin(), rows.end());
    return;
  }
  const size_t d_model = rows.size() / positions.size();
  sum_.resize(d_model);
  for (size_t i = 0; i < rows.size(); ++i) sum_[i % d_model] += static_cast<double>(rows[i]);
}

std::vector<float> Pooler::take() {
  for (const double sum : sum_) values_.push_back(static_cast<float>(sum / n_prompt_));
  return std::move(values_);
}

}  // namespace glint
