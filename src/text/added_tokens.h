// SPDX-License-Identifier: Apache-2.0
//
// Finds the tokens that are matched as a whole in raw text, before anything else happens to it: user-defined ones always,
// control tokens on request. Called by text/tokenizer. Tested by tests/unit/text/added_tokens_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glint {

class Vocab;

/// A half-open range of bytes.
struct ByteRange {
  size_t begin = 0, end = 0;
};

/// Immutable; safe to use from any thread.
class AddedTokens {
 public:
  struct Match {
    int32_t id = -1;
    size_t begin = 0, end = 0;  // bytes of the text; `end` is past the white space that the token takes along
  };
  struct Rules {
    bool control = false;  // match control tokens too
    // Where control tokens are not matched even so: any overlap counts. Ascending and disjoint.
    std::span<const ByteRange> literal = {};
  };

  /// `strips_right` holds the ids, ascending, of tokens that take along the white space after them.
  AddedTokens(const Vocab& vocab, std::span<const int32_t> strips_right);

  /// The first match at or after `from`; of those that begin at the same byte the longest. Most bytes of most texts cost
  /// one table look-up; at worst the cost is the text's length times the longest added token's, 256 bytes.
  std::optional<Match> find(std::string_view text, size_t from, const Rules& rules) const;

 private:
  struct Entry {
    std::string text;
    int32_t id = -1;
    bool control = false;
    bool strip_right = false;
  };
  const Entry* longest_at(std::string_view text, size_t begin, const Rules& rules) const;

  std::vector<Entry> entries_;             // sorted by text, so that a common prefix is a range
  std::array<size_t, 257> first_byte_{};   // entries whose text starts with byte b: [first_byte_[b], first_byte_[b + 1])
};

}  // namespace glint
