// SPDX-License-Identifier: Apache-2.0
#include "grammar/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <regex>

#include "base/check.h"
#include "grammar/machine.h"

namespace glint::grammar {
namespace {

using ::testing::HasSubstr;

bool found(const char* pattern, std::string_view text) {
  return regex_search(pattern).accepts(text);
}

TEST(Regex, SearchesUnlessAnchored) {
  EXPECT_TRUE(found("abc", "xxabcyy"));
  EXPECT_TRUE(found("^abc", "abcz"));
  EXPECT_FALSE(found("^abc", "zabc"));
  EXPECT_FALSE(found("\\S", "   "));
  EXPECT_TRUE(found("^\\d{4}-\\d{2}$", "2024-01"));
  EXPECT_FALSE(found("^\\d{4}-\\d{2}$", "2024-011"));
  EXPECT_FALSE(found("^\\d{4}-\\d{2}$", "2024-01\n"));
  EXPECT_TRUE(found("a$|^b", "bxx"));
  EXPECT_TRUE(found("$^", ""));
  EXPECT_FALSE(found("$^", "x"));
  EXPECT_TRUE(found("", ""));
}

TEST(Regex, ReadsClassesAndEscapes) {
  EXPECT_TRUE(found("^[\\w.-]+$", "a_Z.9-"));
  EXPECT_FALSE(found("^\\w$", "é"));
  EXPECT_TRUE(found("^\\s$", "\xEF\xBB\xBF"));
  EXPECT_TRUE(found("^[^a-c]$", "\xF0\x9F\x98\x80")) << "one code point";
  EXPECT_TRUE(found("^\\u{1F600}\\uD83D\\uDE00\\x41\\cA$",
                    "\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
                    "A\x01"));
  EXPECT_TRUE(found("^\\p{Lu}\\p{Letter}+\\P{L}$", "Ébc1"));
  EXPECT_TRUE(found("^a{,2}$", "a{,2}")) << "a brace that starts no count is text";
  EXPECT_FALSE(found("^.$", "\n"));
  EXPECT_FALSE(found("[]", "x"));
  EXPECT_TRUE(found("^[^]$", "\n"));
}

TEST(Regex, RefusesWhatItCannotDoAndSaysWhere) {
  const auto problem = [](const char* pattern) -> std::string {
    try {
      regex_search(pattern);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(problem("a(?=b)"), HasSubstr("look-around is not supported at byte 3"));
  EXPECT_THAT(problem("(a)\\1"), HasSubstr("back-references are not supported"));
  EXPECT_THAT(problem("\\bword"), HasSubstr("word boundaries"));
  EXPECT_THAT(problem("(a"), HasSubstr("a group without \")\""));
  EXPECT_THAT(problem("a)"), HasSubstr("unmatched"));
  EXPECT_THAT(problem("[b-a]"), HasSubstr("backwards"));
  EXPECT_THAT(problem("*a"), HasSubstr("nothing before it"));
  EXPECT_THAT(problem("a**"), HasSubstr("a quantifier after a quantifier"));
  EXPECT_THAT(problem("a{3,2}"), HasSubstr("minimum is above"));
  EXPECT_THAT(problem("\\p{Nope}"), HasSubstr("not a Unicode general category"));
  EXPECT_THAT(problem("\xFF"), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(problem(std::string(1000, '(').c_str()), HasSubstr("nested too deeply"));
}

TEST(Regex, IsBounded) {
  EXPECT_THROW(regex_search("^(a|b)*a(a|b){30}$"), Error);
  EXPECT_THROW(regex_search("((a{1000}){1000}){1000}"), Error);
  EXPECT_TRUE(found("^.{1,1000}$", std::string(1000, 'x')));
  EXPECT_FALSE(found("^.{1,1000}$", std::string(1001, 'x')));
}

std::string random_pattern(std::mt19937& random, int depth) {
  const char* const atoms[] = {"a", "b", ".", "[ab]", "[^a]", "^", "$", "(?:)"};
  std::string pattern;
  for (unsigned n = random() % 3 + 1; n > 0; --n) {
    const unsigned kind = random() % 10;
    std::string part = kind < 7 || depth > 2 ? atoms[random() % 8] : "(" + random_pattern(random, depth + 1) + ")";
    if (part != "^" && part != "$" && random() % 3 == 0) {
      const char* const quantifiers[] = {"*", "+", "?", "{2}", "{1,2}", "{0,1}"};
      part = "(?:" + part + ")" + quantifiers[random() % 6];
    }
    pattern += part;
  }
  if (random() % 4 == 0) pattern += "|" + random_pattern(random, depth + 1);
  return pattern;
}

TEST(Regex, AgreesWithTheStandardLibrary) {
  std::vector<std::string> texts = {""};
  for (size_t i = 0; texts[i].size() < 4; ++i) {
    for (const char c : {'a', 'b', 'c'}) texts.push_back(texts[i] + c);
  }
  std::mt19937 random(11);
  int n_found = 0;
  for (int round = 0; round < 300; ++round) {
    const std::string pattern = random_pattern(random, 0);
    const std::regex oracle(pattern, std::regex::ECMAScript);
    const CharDfa search = regex_search(pattern), full = regex_full_match(pattern);
    for (const std::string& text : texts) {
      const bool expected = std::regex_search(text, oracle);
      ASSERT_EQ(search.accepts(text), expected) << pattern << " in \"" << text << "\"";
      ASSERT_EQ(full.accepts(text), std::regex_match(text, oracle)) << pattern << " is \"" << text << "\"";
      n_found += expected;
    }
  }
  EXPECT_GT(n_found, 5000);
  EXPECT_LT(n_found, 300 * 110);
}

TEST(Regex, BecomesAGrammarOfTheWholeText) {
  const auto grammar = std::make_shared<const Grammar>(compile_regex("(foo|ba[rz]){2}\\d{3,}é?"));
  EXPECT_TRUE(matches(grammar, "foobar123"));
  EXPECT_TRUE(matches(grammar, "bazfoo1234é"));
  EXPECT_FALSE(matches(grammar, "bazfoo12"));
  EXPECT_FALSE(matches(grammar, "xfoobar123"));
  EXPECT_THROW(compile_regex("a[]"), Error);
}

}  // namespace
}  // namespace glint::grammar
