// SPDX-License-Identifier: Apache-2.0
//
// Text up to words, against a search for them.
#include "grammar/free_text.h"

#include <gtest/gtest.h>

#include <random>

namespace glint::grammar {
namespace {

TEST(FreeText, AgreesWithASearch) {
  const std::vector<std::vector<std::string>> sets = {{"</t>"}, {"aab", "ab"}, {"aa", "b"}, {"abab", "ba"}, {"é<", "<<"}};
  std::minstd_rand random(5);
  for (const auto& words : sets) {
    const CharDfa without = text_without(words);
    const CharDfa up_to = text_up_to(words[0], std::span(words).subspan(1));
    int n_in = 0;
    for (int round = 0; round < 4000; ++round) {
      std::string text;
      for (size_t n = random() % 9; n > 0; --n) text += std::vector<std::string>{"a", "b", "<", "/", "t", ">", "é", "</t>"}[random() % 8];
      bool has_other = false;
      for (size_t i = 1; i < words.size(); ++i) has_other |= text.find(words[i]) != std::string::npos;
      const size_t first = text.find(words[0]);
      EXPECT_EQ(without.accepts(text), !has_other && first == std::string::npos) << text;
      // A barred word that ends with the last one is the last one.
      bool barred_before_end = false;
      for (size_t i = 1; i < words.size(); ++i) {
        const size_t at = text.find(words[i]);
        barred_before_end |= at != std::string::npos && (at + words[i].size() < text.size() || !words[i].ends_with(words[0]));
      }
      const bool ends = first != std::string::npos && first + words[0].size() == text.size();
      const bool wanted = ends && !barred_before_end;
      if (words[0].find(words.back()) == std::string::npos || words.size() == 1) EXPECT_EQ(up_to.accepts(text), wanted) << text;
      n_in += up_to.accepts(text);
    }
    EXPECT_EQ(n_in > 0, words[0] != "aab" && words[0] != "abab") << words[0];  // those hold a barred word
  }
}

}  // namespace
}  // namespace glint::grammar
