// SPDX-License-Identifier: Apache-2.0
#include "grammar/gbnf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "grammar/machine.h"

namespace glint::grammar {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const Grammar> gbnf(std::string_view text) {
  return std::make_shared<const Grammar>(compile_gbnf(text));
}

std::string problem(std::string_view text) {
  try {
    compile_gbnf(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Gbnf, ReadsAlternativesSequencesGroupsAndRepetitions) {
  const auto grammar = gbnf(R"x(# a comment
root ::= "a" b{2,3} | [x-z]+ # another
b ::= "b" |
  "(" b ")"   # recursion
)x");
  for (const char* text : {"abb", "abbb", "ab(b)", "a(((b)))b", "xyz"}) EXPECT_TRUE(matches(grammar, text)) << text;
  for (const char* text : {"", "a", "ab", "abbbb", "a(b", "xa", "a(b))"}) EXPECT_FALSE(matches(grammar, text)) << text;
}

TEST(Gbnf, ReadsEscapesClassesAndUnicode) {
  const auto grammar = gbnf(R"(root ::= "\"\\\n\x41\u00e9\U0001F600" [^a-c\]]  . [é-ë-])");
  EXPECT_TRUE(matches(grammar,
                      "\"\\\nAé\xF0\x9F\x98\x80"
                      "d\n-"));
  EXPECT_TRUE(matches(grammar,
                      "\"\\\nAé\xF0\x9F\x98\x80"
                      "ü\xE4\xBD\xA0ê"));
  EXPECT_FALSE(matches(grammar,
                       "\"\\\nAé\xF0\x9F\x98\x80"
                       "]xé"));
  EXPECT_FALSE(matches(grammar,
                       "\"\\\nAé\xF0\x9F\x98\x80"
                       "d\xFFé"))
      << "only UTF-8 is produced";
}

TEST(Gbnf, CountsLargeRepetitionsWithoutWritingThemOut) {
  const auto grammar = gbnf("root ::= ([a-c]{0,1000000000} \",\"){3} \"x\"{500,}");
  EXPECT_LT(grammar->states.size(), 100u);
  EXPECT_TRUE(matches(grammar, std::string(5000, 'a') + ",," + "b," + std::string(500, 'x')));
  EXPECT_FALSE(matches(grammar, ",,," + std::string(499, 'x')));
}

TEST(Gbnf, CountsRepetitionsOfWhatMayBeEmpty) {
  const auto grammar = gbnf("root ::= (item item item item item item item){2,3} \"!\"\nitem ::= \"a\"? [b-y]{0,40}");
  EXPECT_TRUE(matches(grammar, "!"));
  std::string longest;
  for (int i = 0; i < 21; ++i) longest += "a" + std::string(40, 'c');
  EXPECT_TRUE(matches(grammar, longest + "!"));
  EXPECT_FALSE(matches(grammar, longest + "a!"));
}

TEST(Gbnf, FollowsRightRecursionWithoutAGrowingStack) {
  const auto grammar = gbnf("root ::= \"a\" root | \"b\"");
  EXPECT_TRUE(matches(grammar, std::string(20000, 'a') + "b"));
}

TEST(Gbnf, PrunesWhatCanNeverEnd) {
  const auto grammar = gbnf("root ::= \"a\" endless | \"b\" | endless*\nendless ::= \"x\" endless");
  EXPECT_TRUE(matches(grammar, "b"));
  Machine machine(grammar);
  EXPECT_EQ(machine.step(machine.start(), 'a'), Machine::kDead);
  EXPECT_EQ(machine.step(machine.start(), 'x'), Machine::kDead);
}

TEST(Gbnf, NamesTheLineAndColumnOfAnError) {
  EXPECT_EQ(problem("root ::= (\"a\""), "grammar line 1, column 10: \"(\" without \")\"");
  EXPECT_EQ(problem("root ::= a\n a ::= zz"), "grammar line 2, column 8: rule \"zz\" is not defined");
  EXPECT_EQ(problem("root ::= [a"), "grammar line 1, column 10: a character class without \"]\"");
  EXPECT_EQ(problem("root ::= \"a"), "grammar line 1, column 10: a string without closing quotes");
  EXPECT_EQ(problem("root = \"a\""), "grammar line 1, column 6: expected \"::=\" after \"root\", found \"=\"");
  EXPECT_EQ(problem("root ::= \"\\q\""),
            "grammar line 1, column 11: an unknown escape; known are \\n \\r \\t \\\\ \\\" \\[ \\] "
            "\\- \\^ \\xHH \\uHHHH \\UHHHHHHHH");
  EXPECT_THAT(problem("root ::= \"a\"{3,2}"), HasSubstr("minimum 3 is above its maximum 2"));
  EXPECT_THAT(problem("root ::= \"a\"{x}"), HasSubstr("expected a number, found \"x\""));
  EXPECT_THAT(problem("root ::= \"a\"\nroot ::= \"b\""), HasSubstr("line 2, column 1: rule \"root\" is defined twice"));
  EXPECT_THAT(problem("start ::= \"a\""), HasSubstr("no rule \"root\""));
  EXPECT_THAT(problem("root ::= <think>"), HasSubstr("tokens in grammars"));
  EXPECT_THAT(problem("root ::= | * \"a\""), HasSubstr("a repetition with nothing before it"));
  EXPECT_THAT(problem("root ::= \"a\"*?"), HasSubstr("line 1, column 14: a repetition of a repetition"));
  EXPECT_THAT(problem("root ::= [\\uD800]"), HasSubstr("no character"));
  EXPECT_THAT(problem("root ::= " + std::string(1000, '(')), HasSubstr("nested more than"));
  EXPECT_THAT(problem("root ::= \"\xFF\""), HasSubstr("not valid UTF-8"));
}

TEST(Gbnf, RefusesLeftRecursionAndNamesTheCycle) {
  EXPECT_THAT(problem("root ::= root \"a\" | \"b\""), HasSubstr("left recursion: root -> root"));
  EXPECT_THAT(problem("root ::= a\na ::= b? c \"x\" | \"y\"\nb ::= \"b\"\nc ::= a"), HasSubstr("left recursion"));
  EXPECT_EQ(problem("root ::= a\na ::= \"b\" c | \"y\"\nc ::= a"), "accepted");
}

TEST(Gbnf, RefusesARootThatNeverEnds) {
  EXPECT_THAT(problem("root ::= \"x\" root"), HasSubstr("\"root\" can never be completed"));
}

TEST(Gbnf, IsBounded) {
  std::string bomb = "root ::= a0\n";
  for (int i = 0; i < 30; ++i) bomb += fmt::format("a{} ::= a{} a{}\n", i, i + 1, i + 1);
  EXPECT_EQ(problem(bomb + "a30 ::= \"x\""), "accepted") << "rules are shared, not written out";
  EXPECT_THROW(compile_gbnf("root ::= ((((((\"a\"{60}){60}){60}){60}){60}){60} | [a-z]{1,9}", {.max_states = 20}),
               Error);
}

}  // namespace
}  // namespace glint::grammar
