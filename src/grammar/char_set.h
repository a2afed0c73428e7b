// SPDX-License-Identifier: Apache-2.0
//
// Sets of Unicode scalar values (no surrogates) as sorted ranges, and their split into byte sequences. Used by the
// readers of grammars (gbnf, regex, json_schema) and by the builder; knows nothing of rules.
// Tested by tests/unit/grammar/char_set_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glint::grammar {

struct CharRange {
  char32_t low = 0, high = 0;  // both inside
  bool operator==(const CharRange&) const = default;
};

class CharSet {
 public:
  CharSet() = default;
  CharSet(std::initializer_list<CharRange> ranges) : CharSet(std::vector<CharRange>(ranges)) {}
  explicit CharSet(std::vector<CharRange> ranges);

  static CharSet all();
  static CharSet one(char32_t c) { return CharSet{{c, c}}; }

  /// Ascending, disjoint, not touching, without surrogates.
  const std::vector<CharRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool contains(char32_t c) const;

  CharSet operator|(const CharSet& other) const;
  CharSet operator&(const CharSet& other) const;
  CharSet operator~() const;
  bool operator==(const CharSet&) const = default;

 private:
  void normalise();
  std::vector<CharRange> ranges_;
};

struct ByteRange {
  uint8_t low = 0, high = 0;
};

/// Bytes [0, size) of an encoded code point, each within its range.
struct ByteSequence {
  int size = 0;
  std::array<ByteRange, 4> bytes = {};
};

/// The UTF-8 forms of [low, high], which must hold no surrogates, as few sequences as their lengths and edges need.
std::vector<ByteSequence> utf8_sequences(CharRange range);

}  // namespace glint::grammar
