// SPDX-License-Identifier: Apache-2.0
//
// Byte pair encoding proper: merges neighbouring tokens, best rank first, until no pair merges. Called by text/tokenizer.
// Tested by tests/unit/text/bpe_test.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "text/merge_table.h"

namespace glint {

/// Merges sequences of ids. Holds scratch memory, so that a text of many short pieces allocates once; one thread at a
/// time may use it.
class BpeMerger {
 public:
  explicit BpeMerger(const MergeTable& merges) : merges_(merges) {}

  /// Merges ids[first, end) in place and shortens `ids`. Ids below zero never merge. Of equal ranks the leftmost goes
  /// first. O(n log n) time and O(n) memory whatever the sequence.
  void merge(std::vector<int32_t>& ids, size_t first);

 private:
  struct Candidate {
    uint64_t order;  // rank, then position of the left symbol
    int32_t left, right, result;
  };
  void consider(const std::vector<int32_t>& ids, size_t first, uint32_t left, uint32_t right);

  const MergeTable& merges_;
  std::vector<uint32_t> previous_, next_;  // neighbours of each symbol that still exists
  std::vector<Candidate> heap_;
};

}  // namespace glint
