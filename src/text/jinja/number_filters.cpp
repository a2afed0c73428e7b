// SPDX-License-Identifier: Apache-2.0
//
// Filters that make or round numbers.
#include <array>
#include <charconv>
#include <cmath>

#include "text/jinja/arguments.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t end = trim_end(text);
  const size_t begin = std::min(skip_space(text), end);
  return text.substr(begin, end - begin);
}

/// Underscores between digits removed; nothing if one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const auto is_digit = [&](size_t at) {
      return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at]));
    };
    if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) return std::nullopt;
  }
  return out;
}

/// float(text); nothing if it is no number.
std::optional<double> parse_float(std::string_view text) {
  const std::optional<std::string> cleaned = without_underscores(trimmed(text));
  if (!cleaned || cleaned->empty()) return std::nullopt;
  std::string digits = lower(*cleaned);
  const bool negative = digits[0] == '-';
  if (digits[0] == '-' || digits[0] == '+') digits.erase(0, 1);
  double value = 0;
  if (digits == "inf" || digits == "infinity") {
    value = HUGE_VAL;
  } else if (digits == "nan") {
    value = std::nan("");
  } else {
    if (digits.empty() || (digits[0] != '.' && !std::isdigit(static_cast<unsigned char>(digits[0]))))
      return std::nullopt;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end != digits.data() + digits.size()) return std::nullopt;
    // Out of range: huge or tiny; the exponent's sign tells which.
    if (error == std::errc::result_out_of_range) value = digits.find("e-") != std::string::npos ? 0.0 : HUGE_VAL;
  }
  return negative ? -value : value;
}

/// int(text, base); nothing if it is no integer.
std::optional<int64_t> parse_integer(std::string_view text, int base) {
  const std::optional<std::string> cleaned = without_underscores(trimmed(text));
  if (!cleaned) return std::nullopt;
  std::string digits = lower(*cleaned);
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.erase(0, 1);
  const int marked = digits.starts_with("0x") ? 16 : digits.starts_with("0o") ? 8 : digits.starts_with("0b") ? 2 : 0;
  if (marked != 0 && (base == marked || base == 0)) {
    digits.erase(0, 2);
    if (digits.starts_with('_')) digits.erase(0, 1);
    base = marked;
  } else if (base == 0) {
    if (digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos)
      return std::nullopt;
    base = 10;
  }
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  if (negative) digits.insert(size_t{0}, 1, '-');
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return std::nullopt;
  if (error != std::errc()) fail("integer overflow: {} does not fit 64 bits", digits.substr(0, 40));
  return value;
}

int64_t truncate_float(double value) {
  const double whole = std::trunc(value);
  if (!(std::fabs(whole) < 0x1p63)) fail("integer overflow: {} does not fit 64 bits", float_repr(value));
  return static_cast<int64_t>(whole);
}

Value filter_int(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  const Value otherwise = bound.given(0) ? bound[0] : Value(int64_t{0});
  const int64_t base = bound.integer_or(1, 10);
  if (const auto integer = integer_value(input)) return Value(*integer);
  if (const double* number = input.floating()) {
    if (std::isnan(*number)) return otherwise;
    if (std::isinf(*number)) fail("cannot convert float infinity to integer");
    return Value(truncate_float(*number));
  }
  if (const Undefined* undefined = input.as_undefined()) fail("{}", undefined->message);
  const Text* text = input.text();
  if (text == nullptr) return otherwise;
  runtime.meter.work(text->size());
  if (base != 0 && (base < 2 || base > 36)) return otherwise;
  if (const auto integer = parse_integer(text->view(), static_cast<int>(base))) return Value(*integer);
  const std::optional<double> number = parse_float(text->view());
  return number && std::isfinite(*number) ? Value(truncate_float(*number)) : otherwise;
}

Value filter_float(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  const Value otherwise = bound.given(0) ? bound[0] : Value(0.0);
  if (input.floating() != nullptr) return input;
  if (const auto integer = integer_value(input)) return Value(static_cast<double>(*integer));
  if (const Undefined* undefined = input.as_undefined()) fail("{}", undefined->message);
  if (input.text() == nullptr) return otherwise;
  runtime.meter.work(input.text()->size());
  const std::optional<double> number = parse_float(input.text()->view());
  return number ? Value(*number) : otherwise;
}

Value filter_abs(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("abs", arguments, {});
  if (const double* number = input.floating()) return Value(std::fabs(*number));
  if (const auto integer = integer_value(input)) return *integer < 0 ? negate(runtime, input) : Value(*integer);
  if (const Undefined* undefined = input.as_undefined()) fail("{}", undefined->message);
  fail("bad operand type for abs(): '{}'", type_name(input));
}

/// round(value, digits) for integers: only negative digits change anything; halves go to even.
int64_t round_integer(int64_t value, int64_t digits) {
  if (digits >= 0) return value;
  if (digits < -18) return 0;
  int64_t unit = 1;
  for (int64_t i = digits; i < 0; ++i) unit *= 10;
  const int64_t remainder = ((value % unit) + unit) % unit;
  const int64_t below = value - remainder;
  const bool up = remainder * 2 > unit || (remainder * 2 == unit && (below / unit) % 2 != 0);
  int64_t rounded = below;
  if (up && __builtin_add_overflow(below, unit, &rounded)) fail("integer overflow: the result does not fit 64 bits");
  return rounded;
}

/// round(value, digits) for floats: correct to the last bit, as the decimal digits are correctly rounded.
double round_float(double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 323) return value;
  if (digits < -308) return std::copysign(0.0, value);
  if (digits < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(value / unit) * unit;
  }
  const std::string text = fmt::format("{:.{}f}", value, digits);
  double rounded = 0;
  std::from_chars(text.data(), text.data() + text.size(), rounded);
  return rounded;
}

Value filter_round(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const int64_t digits = bound.integer_or(0, 0);
  const std::string method = bound.given(1) ? bound.text(1).bytes() : "common";
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  if (!is_number(input)) {
    if (const Undefined* undefined = input.as_undefined()) fail("{}", undefined->message);
    fail("type {} doesn't define __round__ method", type_name(input));
  }
  if (method == "common") {
    if (input.floating() != nullptr) return Value(round_float(*input.floating(), digits));
    return Value(round_integer(*integer_value(input), digits));
  }
  const Value scale = arithmetic(runtime, Arithmetic::kPower, Value(int64_t{10}), Value(digits));
  Value scaled = arithmetic(runtime, Arithmetic::kMultiply, input, scale);
  if (const double* number = scaled.floating()) {
    if (!std::isfinite(*number)) fail("cannot convert float {} to integer", float_repr(*number));
    scaled = Value(truncate_float(method == "ceil" ? std::ceil(*number) : std::floor(*number)));
  }
  return arithmetic(runtime, Arithmetic::kDivide, scaled, scale);
}

Value refused(Runtime&, const Value&, Arguments&) {
  fail("filter 'filesizeformat' is not supported in prompts");
}

constexpr std::array kFilters = {
    Filter{"abs", filter_abs}, Filter{"filesizeformat", refused}, Filter{"float", filter_float},
    Filter{"int", filter_int}, Filter{"round", filter_round},
};

}  // namespace

std::span<const Filter> number_filters() {
  return kFilters;
}

}  // namespace glint::jinja
