// SPDX-License-Identifier: Apache-2.0
//
// The syntax of regular expressions: ECMA-262's, without what no finite automaton can do (back-references) and without
// look-around and word boundaries. Called by regex.cpp; knows nothing of automata.
// Tested by tests/unit/grammar/regex_test.cpp.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar/char_set.h"

namespace glint::grammar {

struct RegexNode {
  enum class Kind : uint8_t { kEmpty, kChars, kSequence, kAlternatives, kRepeat, kStart, kEnd };
  static constexpr uint32_t kUnbounded = UINT32_MAX;

  Kind kind = Kind::kEmpty;
  CharSet chars = {};                    // kChars: any one of these
  std::vector<RegexNode> children = {};  // kRepeat: one
  uint32_t minimum = 0, maximum = 0;     // kRepeat
};

/// Throws Error: what is wrong or unsupported and at which byte of the pattern.
RegexNode parse_regex(std::string_view pattern);

/// The members of a Unicode general category by its short or long name ("L", "Lu", "Uppercase_Letter", "digit").
/// Throws Error for other properties.
CharSet unicode_category(std::string_view name);

}  // namespace glint::grammar
