// SPDX-License-Identifier: Apache-2.0
//
// Makes an embedding of the rows of a prompt, which may come in chunks of any size, and once more after a preemption: each
// position counts once, in order, so that the result does not depend on how they came.
// Called by engine/batch_engine. Tested by tests/unit/engine/pooler_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"

namespace glint {

class Pooler {
 public:
  Pooler(Pooling pooling, int n_prompt) : pooling_(pooling), n_prompt_(n_prompt) {}

  /// How many of the first positions it can do without.
  int n_skipped() const { return pooling_ == Pooling::kLast ? n_prompt_ - 1 : 0; }
  /// The positions in [from, from + count) whose rows it wants now, ascending.
  std::vector<int> wanted(int from, int count) const;
  /// The rows of these, one after the other.
  void add(std::span<const int> positions, std::span<const float> rows);
  /// After the last position.
  std::vector<float> take();

 private:
  Pooling pooling_;
  int n_prompt_;
  int n_seen_ = 0;             // positions below need not come again
  std::vector<float> values_;  // rows that were kept
  std::vector<double> sum_;    // of kMean
};

}  // namespace glint
