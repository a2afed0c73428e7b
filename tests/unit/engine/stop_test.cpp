// SPDX-License-Identifier: Apache-2.0
#include "engine/stop.h"

#include <gtest/gtest.h>

namespace glint {
namespace {

struct Outcome {
  std::string text;
  std::string matched;
};

Outcome feed(std::vector<std::string> stops, std::string_view text, size_t piece) {
  StopMatcher matcher(std::move(stops));
  Outcome outcome;
  for (size_t at = 0; at < text.size(); at += piece) {
    const StopMatcher::Result result = matcher.push(text.substr(at, piece));
    outcome.text += result.text;
    if (result.stopped) {
      outcome.matched = result.matched;
      return outcome;
    }
  }
  outcome.text += matcher.finish();
  return outcome;
}

TEST(Stop, CutsAtTheStringWhateverThePieces) {
  for (size_t piece = 1; piece < 16; ++piece) {
    const Outcome got = feed({"\nUser:"}, "Hello\nUser: more", piece);
    EXPECT_EQ(got.text, "Hello") << piece;
    EXPECT_EQ(got.matched, "\nUser:") << piece;
  }
}

TEST(Stop, APartialStringAtTheEndIsText) { EXPECT_EQ(feed({"STOP"}, "go ST", 1).text, "go ST"); }

TEST(Stop, RestartsInsideAFailedBeginning) {
  // "aab" occurs at 1, after a false start at 0.
  EXPECT_EQ(feed({"aab"}, "aaab!", 1).text, "a");
}

TEST(Stop, TheEarliestWins) {
  for (size_t piece = 1; piece < 12; ++piece) {
    const Outcome got = feed({"cd", "bcde"}, "abcdef", piece);
    // "bcde" begins first and is completed, so it wins over the shorter one inside it.
    EXPECT_EQ(got.text, "a") << piece;
    EXPECT_EQ(got.matched, "bcde") << piece;
  }
  EXPECT_EQ(feed({"cd", "bcdx"}, "abcdef", 1).text, "ab");
}

TEST(Stop, EmptyStringsNeverStop) { EXPECT_EQ(feed({""}, "text", 1).text, "text"); }

}  // namespace
}  // namespace glint
