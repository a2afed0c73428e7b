// SPDX-License-Identifier: Apache-2.0
#include "grammar/char_dfa.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "grammar/regex.h"

namespace glint::grammar {
namespace {

const std::vector<std::string> kTexts = {"", "a", "b", "ab", "ba", "aa", "abb", "abab", "é", "aé", "ab!", "bbbb"};

TEST(CharDfa, OneOfAcceptsExactlyItsStrings) {
  const std::vector<std::string> strings = {"ab", "abab", "", "é"};
  const CharDfa dfa = one_of(strings);
  for (const std::string& text : kTexts) {
    EXPECT_EQ(dfa.accepts(text), std::find(strings.begin(), strings.end(), text) != strings.end()) << text;
  }
}

TEST(CharDfa, IntersectionAndComplementAreTheSetOperations) {
  const CharDfa a = regex_full_match("a[ab]*"), b = regex_full_match(".*b");
  const CharDfa both = intersection(a, b, {}), not_a = complement(a);
  for (const std::string& text : kTexts) {
    EXPECT_EQ(both.accepts(text), a.accepts(text) && b.accepts(text)) << text;
    EXPECT_EQ(not_a.accepts(text), !a.accepts(text)) << text;
  }
  EXPECT_TRUE(intersection(a, not_a, {}).empty());
  EXPECT_TRUE(complement(any_string()).empty());
  EXPECT_TRUE(complement(CharDfa{}).accepts("anything"));
}

TEST(CharDfa, LengthsCountCodePoints) {
  const CharDfa dfa = strings_of_length(2, 3, {});
  EXPECT_FALSE(dfa.accepts("é"));
  EXPECT_TRUE(dfa.accepts("éé"));
  EXPECT_TRUE(dfa.accepts("a\xF0\x9F\x98\x80é"));
  EXPECT_FALSE(dfa.accepts("abcd"));
  EXPECT_TRUE(strings_of_length(2, kNoMaximum, {}).accepts("abcdefgh"));
  EXPECT_TRUE(strings_of_length(3, 2, {}).empty());
  EXPECT_THROW(strings_of_length(0, uint64_t{1} << 40, {}), Error);
}

TEST(CharDfa, LengthBoundsAreTheShortestAndLongest) {
  const auto expect_bounds = [](const char* pattern, uint64_t shortest, uint64_t longest) {
    const LengthBounds bounds = length_bounds(regex_full_match(pattern));
    EXPECT_EQ(bounds.shortest, shortest) << pattern;
    EXPECT_EQ(bounds.longest, longest) << pattern;
  };
  expect_bounds("", 0, 0);
  expect_bounds("abc|a{5}", 3, 5);
  expect_bounds("a?b?", 0, 2);
  expect_bounds("ab*", 1, kNoMaximum);
  expect_bounds("(ab){2,3}", 4, 6);
}

TEST(CharDfa, StopsAtItsLimit) {
  const CharDfa a = strings_of_length(0, 100, {}), b = regex_search("a");
  EXPECT_THROW(intersection(a, b, {.what = "test", .max_states = 50}), Error);
}

}  // namespace
}  // namespace glint::grammar
