// SPDX-License-Identifier: Apache-2.0
#include "text/regex_splitter.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace glint {
namespace {

using Pieces = std::vector<std::string_view>;

Pieces split(const std::string& pattern, std::string_view text) {
  Pieces pieces;
  RegexSplitter(pattern).split(text, pieces);
  return pieces;
}

TEST(RegexSplitter, GivesMatchesAndWhatLiesBetween) {
  EXPECT_EQ(split("[0-9]+", "a12b3"), (Pieces{"a", "12", "b", "3"}));
  EXPECT_EQ(split("[0-9]+", "12"), (Pieces{"12"}));
  EXPECT_EQ(split("[0-9]+", "none"), (Pieces{"none"}));
  EXPECT_EQ(split("[0-9]+", ""), Pieces{});
}

TEST(RegexSplitter, MatchesThatAreEmptySplitNothing) {
  EXPECT_EQ(split("x*", "axé"), (Pieces{"a", "x", "é"}));
  EXPECT_EQ(split("(?=a)", "aaa"), (Pieces{"aaa"}));
  EXPECT_EQ(split("$", "😀"), (Pieces{"😀"}));
}

TEST(RegexSplitter, ClassesAreUnicode) { EXPECT_EQ(split("\\p{L}+", "été 中文1"), (Pieces{"été", " ", "中文", "1"})); }

TEST(RegexSplitter, ABadPatternIsAnErrorThatSaysWhere) {
  try {
    RegexSplitter("a(b");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a(b"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("byte 3"), std::string::npos) << error.what();
  }
}

TEST(RegexSplitter, AnExplodingPatternEndsInAnError) {
  EXPECT_THROW(split("(a+)+$", std::string(64, 'a') + "b"), Error);
  EXPECT_THROW(split("(?:a|a)*[cd]", std::string(64, 'a')), Error);
}

TEST(RegexSplitter, LongRunsNeedNoStack) {
  const std::string text(2 << 20, 'a');
  EXPECT_EQ(split("a+|b", text).size(), 1u);
  EXPECT_EQ(split("(?:a|b)", text).size(), text.size());
}

}  // namespace
}  // namespace glint
