// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_numbers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/check.h"

namespace glint::grammar {
namespace {

constexpr int64_t kMaxDivisor = 100000;
constexpr int64_t kMaxCountedDivisor = 1000;  // up to here digits are counted too: states for every pair of both
// Decimals of so many digits survive being read as doubles: bounds and multiples hold for the reader as well.
constexpr int kExactDigits = 15;

std::strong_ordering compare_magnitudes(const Decimal& a, const Decimal& b) {
  if (a.integer.size() != b.integer.size()) return a.integer.size() <=> b.integer.size();
  if (const int order = a.integer.compare(b.integer); order != 0) return order <=> 0;
  return a.fraction.compare(b.fraction) <=> 0;
}

/// value * 10^places mod divisor, for a value of at most `places` digits after the point.
int64_t remainder_of(const Decimal& value, size_t places, int64_t divisor) {
  int64_t rest = 0;
  for (const char c : value.integer + value.fraction) rest = (rest * 10 + (c - '0')) % divisor;
  for (size_t i = value.fraction.size(); i < places; ++i) rest = rest * 10 % divisor;
  return rest;
}

/// A multiple as a whole number of 10^-places.
struct Divisor {
  int64_t whole = 1;
  size_t places = 0;
  bool given = true;
};

std::optional<Divisor> divisor_of(const Decimal& multiple) {
  const std::string digits = multiple.integer + multiple.fraction;
  int64_t whole = 0;
  for (const char c : digits) {
    whole = whole * 10 + (c - '0');
    if (whole > int64_t{1} << 40) return std::nullopt;
  }
  return Divisor{whole, multiple.fraction.size(), true};
}

/// How the digits so far compare with a bound's.
enum class Side : uint8_t { kBelow, kEqual, kAbove };

Side side_of(char digit, char bound) {
  return digit < bound ? Side::kBelow : digit > bound ? Side::kAbove : Side::kEqual;
}

/// Automaton of the magnitudes between two bounds. A state is what must be known of the digits so far.
class MagnitudeAutomaton {
 public:
  MagnitudeAutomaton(std::optional<NumberBound> lower, std::optional<NumberBound> upper, Divisor divisor,
                     bool integers_only, const DfaLimit& limit, CharDfa& out)
      : lower_(std::move(lower)),
        upper_(std::move(upper)),
        divisor_(divisor),
        integers_only_(integers_only),
        limit_(limit),
        out_(out) {}

  /// Adds its states to `out`; returns the edges of its first digit.
  std::vector<CharDfa::Edge> build() {
    std::vector<CharDfa::Edge> first;
    for (char digit = '0'; digit <= '9'; ++digit) {
      State begin;
      if (const auto next = after_integer_digit(begin, digit)) add_edge(first, digit, number_of(*next));
    }
    for (size_t i = 0; i < order_.size(); ++i) expand(order_[i]);
    return first;
  }

 private:
  enum class Phase : uint8_t { kInteger, kZero, kPoint, kFraction };
  struct State {
    Phase phase = Phase::kInteger;
    int n_digits = 0;   // of the part at hand
    int n_integer = 0;  // in the fraction: digits before the point
    Side lower = Side::kEqual, upper = Side::kEqual;
    int64_t rest = 0;
    auto operator<=>(const State&) const = default;
  };

  static void add_edge(std::vector<CharDfa::Edge>& edges, char digit, int32_t target) {
    const auto c = static_cast<char32_t>(digit);
    if (!edges.empty() && edges.back().target == target && edges.back().high + 1 == c) {
      edges.back().high = c;
    } else {
      edges.push_back({c, c, target});
    }
  }

  int32_t number_of(const State& state) {
    const auto [place, added] = numbers_.try_emplace(state, static_cast<int32_t>(out_.states.size()));
    if (added) {
      if (out_.states.size() >= static_cast<size_t>(limit_.max_states)) {
        fail("{}: needs more than {} states", limit_.what, limit_.max_states);
      }
      out_.states.emplace_back();
      order_.push_back(state);
    }
    return place->second;
  }

  static Side integer_side(Side before, int n_digits, char digit, const NumberBound& bound) {
    const std::string& digits = bound.value.integer;
    if (static_cast<size_t>(n_digits) > digits.size()) return Side::kAbove;
    return before != Side::kEqual ? before : side_of(digit, digits[static_cast<size_t>(n_digits) - 1]);
  }

  std::optional<State> after_integer_digit(const State& state, char digit) const {
    State next = state;
    if (state.phase == Phase::kZero) return std::nullopt;
    if (state.n_digits == 0 && digit == '0') next.phase = Phase::kZero;
    next.n_digits = state.n_digits + 1;
    if (lower_) next.lower = integer_side(state.lower, next.n_digits, digit, *lower_);
    if (upper_) next.upper = integer_side(state.upper, next.n_digits, digit, *upper_);
    if (upper_ && static_cast<size_t>(next.n_digits) > upper_->value.integer.size()) return std::nullopt;
    const int longest = longest_of(&Decimal::integer);
    next.rest = (state.rest * 10 + (digit - '0')) % divisor_.whole;
    if (divisor_.whole > kMaxCountedDivisor) {
      next.n_digits = std::min(next.n_digits, longest + 1);  // past the bounds' lengths they need not be told apart
    } else if (next.n_digits > std::max(longest, divisor_.given ? kExactDigits : kMaxDigits)) {
      return std::nullopt;
    }
    return next;
  }

  int longest_of(std::string Decimal::*part) const {
    const size_t low = lower_ ? (lower_->value.*part).size() : 0, high = upper_ ? (upper_->value.*part).size() : 0;
    return static_cast<int>(std::max(low, high));
  }

  int max_fraction(int n_integer) const {
    if (divisor_.given) return std::max(static_cast<int>(divisor_.places), 1);
    return std::max(kExactDigits - n_integer, longest_of(&Decimal::fraction));
  }

  /// The integer part is over: a shorter one is below, whatever its digits.
  static Side settled(Side side, int n_digits, const std::optional<NumberBound>& bound) {
    return bound && static_cast<size_t>(n_digits) < bound->value.integer.size() ? Side::kBelow : side;
  }

  State at_point(const State& state) const {
    return {.phase = Phase::kPoint,
            .n_digits = 0,
            .n_integer = state.n_digits,
            .lower = settled(state.lower, state.n_digits, lower_),
            .upper = settled(state.upper, state.n_digits, upper_),
            .rest = state.rest};
  }

  std::optional<State> after_fraction_digit(const State& state, char digit) const {
    State next = state;
    next.phase = Phase::kFraction;
    const auto place = static_cast<size_t>(state.n_digits);
    next.n_digits = state.n_digits + 1;
    if (next.n_digits > max_fraction(state.n_integer)) return std::nullopt;
    const auto compare = [&](Side& side, const std::optional<NumberBound>& bound) {
      if (!bound || side != Side::kEqual) return;
      side = side_of(digit, place < bound->value.fraction.size() ? bound->value.fraction[place] : '0');
    };
    compare(next.lower, lower_);
    compare(next.upper, upper_);
    if (divisor_.given) {
      if (place >= divisor_.places && digit != '0') return std::nullopt;
      if (place < divisor_.places) next.rest = (state.rest * 10 + (digit - '0')) % divisor_.whole;
    }
    return next;
  }

  bool accepts(const State& state) const {
    if (state.phase == Phase::kPoint) return false;
    State end = state;
    size_t n_fraction = 0;
    if (state.phase == Phase::kFraction) {
      n_fraction = static_cast<size_t>(state.n_digits);
    } else {
      end = at_point(state);
    }
    const auto settle = [&](Side side, const std::optional<NumberBound>& bound) {  // missing digits are zeros
      return side == Side::kEqual && bound && bound->value.fraction.size() > n_fraction ? Side::kBelow : side;
    };
    const Side low = settle(end.lower, lower_), high = settle(end.upper, upper_);
    if (lower_ && (low == Side::kBelow || (low == Side::kEqual && lower_->exclusive))) return false;
    if (upper_ && (high == Side::kAbove || (high == Side::kEqual && upper_->exclusive))) return false;
    int64_t rest = end.rest;
    for (size_t i = n_fraction; i < divisor_.places; ++i) rest = rest * 10 % divisor_.whole;
    return divisor_.whole == 1 || rest == 0;
  }

  void expand(const State state) {
    const int32_t number = number_of(state);
    std::vector<CharDfa::Edge> edges;
    const bool integer = state.phase == Phase::kInteger || state.phase == Phase::kZero;
    if (integer && !integers_only_) edges.push_back({'.', '.', number_of(at_point(state))});
    for (char digit = '0'; digit <= '9'; ++digit) {
      const auto next = integer ? after_integer_digit(state, digit) : after_fraction_digit(state, digit);
      if (next) add_edge(edges, digit, number_of(*next));
    }
    out_.states[number].edges = std::move(edges);
    out_.states[number].accepts = accepts(state);
  }

  const std::optional<NumberBound> lower_, upper_;
  const Divisor divisor_;
  const bool integers_only_;
  const DfaLimit& limit_;
  CharDfa& out_;
  std::map<State, int32_t> numbers_;
  std::vector<State> order_;
};

NumberBound mirrored(NumberBound bound) {
  bound.value.negative = false;
  return bound;
}

CharDfa automaton_of(const NumberBounds& bounds, Divisor divisor, bool integers_only, const DfaLimit& limit) {
  CharDfa dfa;
  dfa.states.resize(2);  // the start, and after the sign
  const auto sign_of = [](const std::optional<NumberBound>& b) {
    return !b || b->value.is_zero() ? 0 : b->value.negative ? -1 : 1;
  };
  const int low = sign_of(bounds.lower), high = sign_of(bounds.upper);
  const bool negatives = !bounds.lower || low < 0, others = !bounds.upper || high >= 0;
  if (negatives) {
    std::optional<NumberBound> least = NumberBound{Decimal{}, true}, most;  // -0 is left out
    if (bounds.upper && high < 0) least = mirrored(*bounds.upper);
    if (bounds.lower) most = mirrored(*bounds.lower);
    auto edges = MagnitudeAutomaton(least, most, divisor, integers_only, limit, dfa).build();
    dfa.states[1].edges = std::move(edges);
    dfa.states[0].edges.push_back({'-', '-', 1});
  }
  if (others) {
    std::optional<NumberBound> least;
    if (bounds.lower && low >= 0) least = bounds.lower;
    const auto edges = MagnitudeAutomaton(least, bounds.upper, divisor, integers_only, limit, dfa).build();
    dfa.states[0].edges.insert(dfa.states[0].edges.end(), edges.begin(), edges.end());
  }
  dfa.trim();
  return dfa;
}

}  // namespace

Decimal Decimal::of(const nlohmann::ordered_json& number) {
  std::string text;
  if (number.is_number_float()) {
    text = fmt::format("{}", number.get<double>());  // shortest form that reads back equal
  } else {
    text = number.is_number_unsigned() ? std::to_string(number.get<uint64_t>()) : std::to_string(number.get<int64_t>());
  }
  Decimal decimal;
  decimal.negative = text.starts_with('-');
  if (decimal.negative) text.erase(0, 1);
  const size_t e = std::min(text.size(), text.find('e'));
  const int exponent = e < text.size() ? std::stoi(text.substr(e + 1)) : 0;
  const size_t point = std::min(e, text.find('.'));
  std::string digits = text.substr(0, point) + (point < e ? text.substr(point + 1, e - point - 1) : "");
  int n_integer = static_cast<int>(point) + exponent;
  if (n_integer <= 0) {
    digits.insert(0, static_cast<size_t>(1 - n_integer), '0');
    n_integer = 1;
  }
  if (digits.size() < static_cast<size_t>(n_integer)) digits.resize(static_cast<size_t>(n_integer), '0');
  decimal.integer = digits.substr(0, static_cast<size_t>(n_integer));
  decimal.fraction = digits.substr(static_cast<size_t>(n_integer));
  decimal.integer.erase(0, std::min(decimal.integer.find_first_not_of('0'), decimal.integer.size() - 1));
  decimal.fraction.erase(decimal.fraction.find_last_not_of('0') + 1);
  if (decimal.is_zero()) decimal.negative = false;
  return decimal;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const {
  if (negative != other.negative) return negative ? std::strong_ordering::less : std::strong_ordering::greater;
  return negative ? compare_magnitudes(other, *this) : compare_magnitudes(*this, other);
}

void NumberBounds::raise_lower(NumberBound bound) {
  if (!lower || bound.value > lower->value || (bound.value == lower->value && bound.exclusive))
    lower = std::move(bound);
}

void NumberBounds::drop_upper(NumberBound bound) {
  if (!upper || bound.value < upper->value || (bound.value == upper->value && bound.exclusive))
    upper = std::move(bound);
}

bool NumberBounds::admit(const Decimal& value) const {
  if (lower && (value < lower->value || (value == lower->value && lower->exclusive))) return false;
  if (upper && (value > upper->value || (value == upper->value && upper->exclusive))) return false;
  return std::all_of(multiples.begin(), multiples.end(), [&](const Decimal& multiple) {
    const auto divisor = divisor_of(multiple);
    GLINT_CHECK(divisor.has_value());
    return value.fraction.size() <= divisor->places && remainder_of(value, divisor->places, divisor->whole) == 0;
  });
}

bool NumberBounds::disjoint(const NumberBounds& other) const {
  const auto below = [](const NumberBounds& a, const NumberBounds& b) {
    if (!a.upper || !b.lower) return false;
    return a.upper->value < b.lower->value ||
           (a.upper->value == b.lower->value && (a.upper->exclusive || b.lower->exclusive));
  };
  return below(*this, other) || below(other, *this);
}

std::string NumberBounds::key() const {
  const auto show = [](const std::optional<NumberBound>& b) {
    return b ? b->value.text() + (b->exclusive ? "!" : "") : "-";
  };
  std::string key = show(lower) + ".." + show(upper);
  for (const Decimal& multiple : multiples) key += "%" + multiple.text();
  return key;
}

CharDfa number_automaton(const NumberBounds& bounds, bool integers_only, const DfaLimit& limit) {
  std::vector<Divisor> divisors;
  for (const Decimal& multiple : bounds.multiples) {
    const auto divisor = divisor_of(multiple);
    if (!divisor || divisor->whole > kMaxDivisor) {
      fail("{}: \"multipleOf\" of more than {} steps a unit is not supported", limit.what, kMaxDivisor);
    }
    divisors.push_back(*divisor);
  }
  if (divisors.empty()) return automaton_of(bounds, {.given = false}, integers_only, limit);
  CharDfa dfa = automaton_of(bounds, divisors[0], integers_only, limit);
  for (size_t i = 1; i < divisors.size(); ++i) {
    dfa = intersection(dfa, automaton_of({}, divisors[i], integers_only, limit), limit);
  }
  return dfa;
}

}  // namespace glint::grammar
