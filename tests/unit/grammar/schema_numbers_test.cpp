// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_numbers.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace glint::grammar {
namespace {

using Json = nlohmann::ordered_json;

Decimal decimal(const char* text) {
  return Decimal::of(Json::parse(text));
}

TEST(Decimal, ReadsEveryFormOfAJsonNumber) {
  const std::pair<const char*, const char*> cases[] = {{"0", "0"},
                                                       {"-0", "0"},
                                                       {"-0.0", "0"},
                                                       {"12", "12"},
                                                       {"-12.50", "-12.5"},
                                                       {"1e3", "1000"},
                                                       {"1.5e-3", "0.0015"},
                                                       {"123456.75", "123456.75"},
                                                       {"1e21", "1000000000000000000000"},
                                                       {"18446744073709551615", "18446744073709551615"},
                                                       {"-9223372036854775808", "-9223372036854775808"},
                                                       {"5e-324", nullptr}};
  for (const auto& [text, expected] : cases) {
    if (expected != nullptr) {
      EXPECT_EQ(decimal(text).text(), expected) << text;
    } else {
      EXPECT_FALSE(decimal(text).is_zero());
    }
  }
}

TEST(Decimal, ComparesByValue) {
  const char* const ascending[] = {"-100", "-99.5", "-1.25", "-1.2", "-0.5", "0",    "0.05",
                                   "0.1",  "0.15",  "1",     "9",    "10",   "10.5", "11"};
  for (size_t i = 0; i < std::size(ascending); ++i) {
    for (size_t j = 0; j < std::size(ascending); ++j) {
      EXPECT_EQ(decimal(ascending[i]) < decimal(ascending[j]), i < j) << ascending[i] << " " << ascending[j];
    }
  }
}

/// Every number of at most three digits before and two after the point, against the definition.
void expect_exact(const NumberBounds& bounds, bool integers_only) {
  const CharDfa dfa = number_automaton(bounds, integers_only, {});
  // Of multiples only as many digits after the point as they have, or a zero.
  size_t max_fraction = 2;
  for (const Decimal& m : bounds.multiples)
    max_fraction = std::min(max_fraction, std::max<size_t>(m.fraction.size(), 1));
  const int step = bounds.multiples.empty() ? 7 : 1;
  int n_accepted = 0;
  for (int hundredths = -45000; hundredths <= 45000; hundredths += hundredths % 700 == 0 ? 1 : step) {
    const int magnitude = std::abs(hundredths);
    std::string text = fmt::format("{}{}.{:02}", hundredths < 0 ? "-" : "", magnitude / 100, magnitude % 100);
    for (int shorter = 0; shorter < 3; ++shorter) {
      const bool has_point = text.find('.') != std::string::npos;
      const size_t n_fraction = has_point ? text.size() - text.find('.') - 1 : 0;
      const bool expected =
          bounds.admit(decimal(text.c_str())) && !(integers_only && has_point) && n_fraction <= max_fraction;
      ASSERT_EQ(dfa.accepts(text), expected) << text << " within " << bounds.key();
      n_accepted += expected;
      if (!has_point || text.back() != '0') break;
      text.pop_back();
      if (text.back() == '.') text.pop_back();
    }
  }
  EXPECT_GT(n_accepted, 0) << bounds.key();
  for (const char* text : {"", "-", "00", "01", "1.", ".5", "+1", "1e2", "--1", "-0"})
    EXPECT_FALSE(dfa.accepts(text)) << text;
}

TEST(NumberAutomaton, KeepsBoundsExactly) {
  const char* const values[] = {"-300", "-99.95", "-10", "-0.07", "0", "0.5", "3", "99.9", "100", "250.25"};
  for (const char* low : values) {
    for (const char* high : values) {
      if (!(decimal(low) < decimal(high))) continue;
      for (const bool exclusive : {false, true}) {
        expect_exact({.lower = NumberBound{decimal(low), exclusive},
                      .upper = NumberBound{decimal(high), !exclusive},
                      .multiples = {}},
                     false);
        if (HasFatalFailure()) return;
      }
    }
  }
  expect_exact({.lower = NumberBound{decimal("-7"), true}, .upper = {}, .multiples = {}}, true);
  expect_exact({.lower = {}, .upper = NumberBound{decimal("19"), true}, .multiples = {}}, true);
}

TEST(NumberAutomaton, KeepsMultiples) {
  for (const char* multiple : {"1", "2", "7", "10", "100", "0.5", "0.25", "0.01", "1.5"}) {
    SCOPED_TRACE(multiple);
    for (const bool integers_only : {false, true}) {
      expect_exact({.lower = {}, .upper = {}, .multiples = {decimal(multiple)}}, integers_only);
      expect_exact({.lower = NumberBound{decimal("-20"), true},
                    .upper = NumberBound{decimal("210.5"), false},
                    .multiples = {decimal(multiple), decimal("3")}},
                   integers_only);
    }
  }
}

TEST(NumberAutomaton, HasNoNumberWhereThereIsNone) {
  EXPECT_TRUE(number_automaton(
                  {.lower = NumberBound{decimal("1"), true}, .upper = NumberBound{decimal("2"), true}, .multiples = {}},
                  true, {})
                  .empty());
  EXPECT_TRUE(
      number_automaton(
          {.lower = NumberBound{decimal("5"), false}, .upper = NumberBound{decimal("4"), false}, .multiples = {}},
          false, {})
          .empty());
}

TEST(NumberAutomaton, TakesLargeBounds) {
  const CharDfa dfa = number_automaton(
      {.lower = NumberBound{decimal("9007199254740993"), false}, .upper = {}, .multiples = {}}, true, {});
  EXPECT_FALSE(dfa.accepts("9007199254740992"));
  EXPECT_TRUE(dfa.accepts("9007199254740993"));
  EXPECT_TRUE(dfa.accepts("90071992547409920"));
  EXPECT_THROW(number_automaton({.lower = {}, .upper = {}, .multiples = {decimal("123456789")}}, true, {}), Error);
}

}  // namespace
}  // namespace glint::grammar
