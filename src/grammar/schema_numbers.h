// SPDX-License-Identifier: Apache-2.0
//
// Numbers of JSON schemas, exactly: decimals, bounds and multiples, and the automaton of the JSON numbers that keep
// them. Called by schema_facets and schema_values; knows nothing of documents.
// Tested by tests/unit/grammar/schema_numbers_test.cpp.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "grammar/char_dfa.h"

namespace glint::grammar {

/// A decimal number, written without exponent, leading or trailing zeros.
struct Decimal {
  bool negative = false;
  std::string integer = "0", fraction;

  /// Of a JSON number; a float means its shortest decimal form.
  static Decimal of(const nlohmann::ordered_json& number);
  bool is_zero() const { return integer == "0" && fraction.empty(); }
  bool is_integer() const { return fraction.empty(); }
  std::string text() const { return (negative ? "-" : "") + integer + (fraction.empty() ? "" : "." + fraction); }
  std::strong_ordering operator<=>(const Decimal& other) const;
  bool operator==(const Decimal& other) const = default;
};

struct NumberBound {
  Decimal value;
  bool exclusive = false;
};

struct NumberBounds {
  std::optional<NumberBound> lower, upper;
  std::vector<Decimal> multiples;  // positive: the number is a multiple of each

  bool unbounded() const { return !lower && !upper && multiples.empty(); }
  void raise_lower(NumberBound bound);
  void drop_upper(NumberBound bound);
  bool admit(const Decimal& value) const;
  /// No number keeps both; false may also mean not known.
  bool disjoint(const NumberBounds& other) const;
  /// Equal texts for equal bounds.
  std::string key() const;
};

/// Numbers within `bounds` without exponent, `integers_only` without fraction too. Digits are limited in number, so
/// that a model cannot write them forever.
CharDfa number_automaton(const NumberBounds& bounds, bool integers_only, const DfaLimit& limit);

inline constexpr int kMaxDigits = 64;  // before the point, and after it

}  // namespace glint::grammar
