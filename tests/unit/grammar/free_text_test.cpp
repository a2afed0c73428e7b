// SPDX-License-Identifier: Apache-2.0
//
// Text up to words, against a search for them.
#include "grammar/free_text.h"

#include <gtest/gtest.h>

#include <random>

namespace glint::grammar {
namespace {

TEST(FreeText, AgreesWithASearch) {
  const std::vector<std::vector<std::string>> sets = {{"</t>"}, {"aab", "ab"}, {"aa", "b"}, {"abab", "bb"}, {"é<", "<<"}};
  std::minstd_rand random(5);
  for (const auto& words : sets) {
    const CharDfa without = text_without(words);
    const CharDfa up_to = text_up_to(words[0], std::span(words).subspan(1));
    int n_in = 0;
    for (int round = 0; round < 4000; ++round) {
      std::string text;
      for (size_t n = random() % 9; n > 0; --n) text += std::vector<std::string>{"a", "b", "<", "/", "ab", ">", "é", "</t>"}[random() % 8];
      // The first place where words end decides, and of several the longest.
      bool any = false, ends_so = false;
      for (size_t end = 1; end <= text.size() && !any; ++end) {
        std::string longest;
        for (const std::string& word : words) {
          if (text.substr(0, end).ends_with(word) && word.size() > longest.size()) longest = word;
        }
        any = !longest.empty();
        ends_so = longest == words[0] && end == text.size();
      }
      EXPECT_EQ(without.accepts(text), !any) << text;
      EXPECT_EQ(up_to.accepts(text), ends_so) << text;
      n_in += up_to.accepts(text);
    }
    EXPECT_GT(n_in, 0) << words[0];
  }
}

}  // namespace
}  // namespace glint::grammar
