// SPDX-License-Identifier: Apache-2.0
//
// Deterministic automata over code points: where regular expressions, lengths, formats and key sets are intersected,
// subtracted and counted before they become byte rules. Every operation is bounded by a number of states.
// Called by regex and json_schema; knows nothing of JSON or bytes.
// Tested by tests/unit/grammar/char_dfa_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/char_set.h"

namespace glint::grammar {

struct CharDfa {
  struct Edge {
    char32_t low = 0, high = 0;
    int32_t target = 0;
  };
  struct State {
    std::vector<Edge> edges;  // ascending, disjoint; what is missing is refused
    bool accepts = false;
  };
  std::vector<State> states;  // 0 is the start

  bool accepts(std::string_view utf8_text) const;
  /// No string at all; exact only after trim().
  bool empty() const { return states.empty(); }
  /// Drops states that are not reachable or cannot accept; an automaton of no string gets no states.
  void trim();
};

/// Error messages of the bounded operations below start with `what`.
struct DfaLimit {
  std::string_view what = "regular expression";
  int32_t max_states = 20000;
};

CharDfa any_string();
/// Strings of `minimum` to `maximum` code points; kNoMaximum for no upper bound.
inline constexpr uint64_t kNoMaximum = UINT64_MAX;
CharDfa strings_of_length(uint64_t minimum, uint64_t maximum, const DfaLimit& limit);
/// Exactly these strings (valid UTF-8).
CharDfa one_of(std::span<const std::string> strings);
CharDfa intersection(const CharDfa& a, const CharDfa& b, const DfaLimit& limit);
CharDfa complement(const CharDfa& a);

/// Code points of the shortest and longest string that `dfa` (trimmed, not empty) accepts.
struct LengthBounds {
  uint64_t shortest = 0, longest = kNoMaximum;
};
LengthBounds length_bounds(const CharDfa& dfa);

}  // namespace glint::grammar
