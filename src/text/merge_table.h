// SPDX-License-Identifier: Apache-2.0
//
// The merges of a BPE vocabulary by ids: which pairs of neighbouring tokens become one, which token that is, and which
// merge goes first. Byte BPE and SentencePiece differ only in how this table is filled. Called by text/tokenizer.
// Tested by tests/unit/text/bpe_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace glint {

class Vocab;
struct VocabData;

struct Merge {
  uint32_t rank = 0;   // lower goes first; equal ranks from left to right
  int32_t result = -1; // -1: the pair does not merge
};

/// A hash table from pairs of ids; 16 bytes a slot. Immutable once filled; safe to use from any thread.
class MergeTable {
 public:
  /// From a list of "left right" texts, best first. Throws Error when a text has no two parts or names a token that the
  /// vocabulary lacks.
  static MergeTable from_merges(const Vocab& vocab, const VocabData& data);
  /// From scores: any two tokens whose texts joined are a token merge, the higher that token's score the earlier. Runs of
  /// spaces that are tokens of their own go first of all. Throws Error for a token longer than any real vocabulary has.
  static MergeTable from_scores(const Vocab& vocab, std::span<const float> scores);

  Merge find(int32_t left, int32_t right) const {
    const auto slot = slot_of(left, right);
    return slot ? slots_[*slot].merge : Merge{};
  }
  size_t size() const { return size_; }

 private:
  struct Slot {
    int32_t left = -1, right = -1;
    Merge merge;
  };
  struct Entry {
    int32_t left, right;
    Merge merge;
  };

  explicit MergeTable(std::span<const Entry> entries);
  size_t home(int32_t left, int32_t right) const {
    // Fibonacci hashing of the pair; the high bits are the well mixed ones.
    const uint64_t pair = static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
    const uint64_t mixed = (pair ^ pair >> 29) * 0x9E3779B97F4A7C15u;
    return static_cast<size_t>(mixed >> shift_);
  }

  // The slot that holds the pair, or the free slot where it would go; none after so many probes that the pairs must have
  // been chosen to collide.
  std::optional<size_t> slot_of(int32_t left, int32_t right) const {
    size_t slot = home(left, right);
    for (int probe = 0; probe < 4096; ++probe, slot = (slot + 1) & (slots_.size() - 1)) {
      const Slot& s = slots_[slot];
      if (s.merge.result < 0 || (s.left == left && s.right == right)) return slot;
    }
    return std::nullopt;
  }

  std::vector<Slot> slots_;  // a power of two, at least one free
  int shift_ = 0;
  size_t size_ = 0;
};

}  // namespace glint
