// SPDX-License-Identifier: Apache-2.0
//
// A heap of candidate merges over a doubly linked list of symbols. A candidate is checked when it comes up: it is stale
// when either symbol has changed since. Each merge adds at most two candidates, so the heap stays within 3n.
#include "text/bpe.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "base/check.h"

namespace glint {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
constexpr int32_t kMerged = std::numeric_limits<int32_t>::min();  // the id of a symbol that became part of another

}  // namespace

void BpeMerger::consider(const std::vector<int32_t>& ids, size_t first, uint32_t left, uint32_t right) {
  if (left == kNone || right == kNone) return;
  const int32_t left_id = ids[first + left], right_id = ids[first + right];
  if (left_id < 0 || right_id < 0) return;
  const Merge merge = merges_.find(left_id, right_id);
  if (merge.result < 0) return;
  heap_.push_back({static_cast<uint64_t>(merge.rank) << 32 | left, left_id, right_id, merge.result});
}

void BpeMerger::merge(std::vector<int32_t>& ids, size_t first) {
  const size_t n = ids.size() - first;
  if (n < 2) return;
  if (n >= kNone) fail("a text of {} symbols is too long to tokenize", n);
  previous_.resize(n);
  next_.resize(n);
  heap_.clear();
  for (uint32_t i = 0; i < n; ++i) {
    previous_[i] = i == 0 ? kNone : i - 1;
    next_[i] = i + 1 == n ? kNone : i + 1;
    consider(ids, first, i, next_[i]);
  }
  // The heap's top is the least order: best rank, then leftmost.
  const auto earliest_on_top = std::ranges::greater{};
  std::ranges::make_heap(heap_, earliest_on_top, &Candidate::order);
  while (!heap_.empty()) {
    std::ranges::pop_heap(heap_, earliest_on_top, &Candidate::order);
    const Candidate best = heap_.back();
    heap_.pop_back();
    const uint32_t left = static_cast<uint32_t>(best.order);
    const uint32_t right = next_[left];
    if (ids[first + left] != best.left || right == kNone || ids[first + right] != best.right) continue;
    ids[first + left] = best.result;
    ids[first + right] = kMerged;
    next_[left] = next_[right];
    if (next_[left] != kNone) previous_[next_[left]] = left;
    for (const auto& [a, b] : {std::pair(previous_[left], left), std::pair(left, next_[left])}) {
      const size_t before = heap_.size();
      consider(ids, first, a, b);
      if (heap_.size() != before) std::ranges::push_heap(heap_, earliest_on_top, &Candidate::order);
    }
  }
  ids.erase(std::remove(ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end(), kMerged), ids.end());
}

}  // namespace glint
