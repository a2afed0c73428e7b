// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic, order and membership. Look-up and iteration are in lookup.cpp.
#include "text/jinja/operators.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "text/jinja/arguments.h"
#include "text/jinja/printf.h"
#include "text/jinja/repr.h"
#include "text/jinja/search.h"

namespace glint::jinja {
namespace {

std::string_view symbol(Arithmetic op) {
  switch (op) {
    case Arithmetic::kAdd:
      return "+";
    case Arithmetic::kSubtract:
      return "-";
    case Arithmetic::kMultiply:
      return "*";
    case Arithmetic::kDivide:
      return "/";
    case Arithmetic::kFloorDivide:
      return "//";
    case Arithmetic::kModulo:
      return "%";
    case Arithmetic::kPower:
      return "** or pow()";
  }
  return "";
}

[[noreturn]] void overflow() {
  fail("integer overflow: the result does not fit 64 bits");
}

void refuse_undefined(const Value& value) {
  if (const Undefined* undefined = value.as_undefined()) fail("{}", undefined->message);
}

int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) fail("integer division or modulo by zero");
  if (b == -1) {
    if (a == std::numeric_limits<int64_t>::min()) overflow();
    return -a;
  }
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t floor_modulo(int64_t a, int64_t b) {
  if (b == 0) fail("integer division or modulo by zero");
  if (b == -1) return 0;
  const int64_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

int64_t integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(result, base, &result)) overflow();
    exponent /= 2;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) overflow();
  }
  return result;
}

double float_modulo(double a, double b) {
  double remainder = std::fmod(a, b);
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) remainder += b;
  } else {
    remainder = std::copysign(0.0, b);
  }
  return remainder;
}

/// Python's float //: the quotient is rounded to the integer it is near, whatever fmod lost.
double float_floor_divide(double a, double b) {
  const double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0 && (b < 0) != (remainder < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

/// a / b rounded once, however large the integers.
double true_divide(int64_t a, int64_t b) {
  if (b == 0) fail("division by zero");
  const auto magnitude = [](int64_t value) {
    return value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  };
  if (a == 0) return b < 0 ? -0.0 : 0.0;
  // Scaled so that the quotient has at least 64 bits; what the division leaves goes into its lowest bit.
  const int shift = 63 + std::countl_zero(magnitude(a));
  const auto scaled = static_cast<unsigned __int128>(magnitude(a)) << shift;
  const unsigned __int128 quotient = scaled / magnitude(b) | (scaled % magnitude(b) != 0 ? 1 : 0);
  const double result = std::ldexp(static_cast<double>(quotient), -shift);
  return (a < 0) != (b < 0) ? -result : result;
}

Value on_integers(Arithmetic op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Arithmetic::kAdd:
      if (__builtin_add_overflow(a, b, &result)) overflow();
      return Value(result);
    case Arithmetic::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) overflow();
      return Value(result);
    case Arithmetic::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) overflow();
      return Value(result);
    case Arithmetic::kDivide:
      return Value(true_divide(a, b));
    case Arithmetic::kFloorDivide:
      return Value(floor_divide(a, b));
    case Arithmetic::kModulo:
      return Value(floor_modulo(a, b));
    case Arithmetic::kPower:
      if (b >= 0) return Value(integer_power(a, b));
      if (a == 0) fail("0.0 cannot be raised to a negative power");
      return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  return Value();
}

Value float_power(double a, double b) {
  if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) fail("complex numbers are not supported");
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) fail("numerical result out of range");
  return Value(result);
}

Value on_floats(Arithmetic op, double a, double b) {
  switch (op) {
    case Arithmetic::kAdd:
      return Value(a + b);
    case Arithmetic::kSubtract:
      return Value(a - b);
    case Arithmetic::kMultiply:
      return Value(a * b);
    case Arithmetic::kDivide:
      if (b == 0) fail("float division by zero");
      return Value(a / b);
    case Arithmetic::kFloorDivide:
      if (b == 0) fail("float floor division by zero");
      return Value(float_floor_divide(a, b));
    case Arithmetic::kModulo:
      if (b == 0) fail("float modulo");
      return Value(float_modulo(a, b));
    case Arithmetic::kPower:
      return float_power(a, b);
  }
  return Value();
}

double float_of(const Value& value) {
  return value.floating() != nullptr ? *value.floating() : static_cast<double>(*integer_value(value));
}

Value add_strings(Runtime& runtime, const String& a, const String& b) {
  if (a.markup == b.markup) return concatenate(runtime, a.text, b.text, a.markup);
  if (a.markup) return concatenate(runtime, a.text, escape_html(runtime, b.text), true);
  return concatenate(runtime, escape_html(runtime, a.text), b.text, true);
}

std::vector<Value> add_items(Runtime& runtime, const std::vector<Value>& a, const std::vector<Value>& b) {
  Charge charge(&runtime.meter, (a.size() + b.size()) * sizeof(Value));
  std::vector<Value> items;
  items.reserve(a.size() + b.size());
  items.insert(items.end(), a.begin(), a.end());
  items.insert(items.end(), b.begin(), b.end());
  return items;
}

/// a * count for a string, list or tuple `a`; Missing for another type.
Value repeat(Runtime& runtime, const Value& a, int64_t count) {
  const size_t unit = a.text() != nullptr ? a.text()->size() : a.items() != nullptr ? a.items()->size() : 0;
  if (a.text() == nullptr && a.items() == nullptr) return Value();
  const size_t times = count > 0 ? static_cast<size_t>(count) : 0;
  const size_t item_bytes = a.text() != nullptr ? 1 : sizeof(Value);
  if (unit > 0 && times > runtime.meter.limits().max_live_bytes / item_bytes / unit) {
    fail("template too expensive: repeating a value {} times", times);
  }
  const size_t repeats = unit > 0 ? times : 0;
  if (const String* string = a.string()) {
    TextBuilder out(&runtime.meter);
    for (size_t i = 0; i < repeats; ++i) out.append(string->text);
    return runtime.text(out.take(), string->markup);
  }
  ListBuilder out(runtime.meter);
  for (size_t i = 0; i < repeats; ++i) {
    for (const Value& item : *a.items()) out.append(item);
  }
  return a.list() != nullptr ? out.take_list() : out.take_tuple();
}

/// Operators on strings and sequences; Missing if `op` means nothing for these types.
Value on_sequences(Runtime& runtime, Arithmetic op, const Value& a, const Value& b) {
  switch (op) {
    case Arithmetic::kAdd:
      if (a.string() != nullptr && b.string() != nullptr) return add_strings(runtime, *a.string(), *b.string());
      if (a.list() != nullptr && b.list() != nullptr) {
        return make_list(&runtime.meter, add_items(runtime, a.list()->items, b.list()->items));
      }
      if (a.tuple() != nullptr && b.tuple() != nullptr) {
        return make_tuple(&runtime.meter, add_items(runtime, a.tuple()->items, b.tuple()->items));
      }
      return Value();
    case Arithmetic::kMultiply:
      if (const auto count = integer_value(b)) return repeat(runtime, a, *count);
      if (const auto count = integer_value(a)) return repeat(runtime, b, *count);
      return Value();
    case Arithmetic::kModulo:
      return a.string() != nullptr ? format_printf(runtime, *a.string(), b) : Value();
    default:
      return Value();
  }
}

bool equal_items(Runtime& runtime, const std::vector<Value>& a, const std::vector<Value>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [&](const Value& x, const Value& y) {
           return x.same_as(y) || equal(runtime, x, y);
         });
}

bool equal_dicts(Runtime& runtime, const Dict& a, const Dict& b) {
  return a.size() == b.size() && std::all_of(a.entries().begin(), a.entries().end(), [&](const Dict::Entry& entry) {
           const Value* other = b.find(entry.first);
           return other != nullptr && (other->same_as(entry.second) || equal(runtime, entry.second, *other));
         });
}

bool less_items(Runtime& runtime, const std::vector<Value>& a, const std::vector<Value>& b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (!a[i].same_as(b[i]) && !equal(runtime, a[i], b[i])) return less(runtime, a[i], b[i]);
  }
  return a.size() < b.size();
}

[[noreturn]] void no_order(std::string_view op, const Value& a, const Value& b) {
  refuse_undefined(a);
  refuse_undefined(b);
  fail("'{}' not supported between instances of '{}' and '{}'", op, type_name(a), type_name(b));
}

bool have_order(const Value& a, const Value& b) {
  if (is_number(a)) return is_number(b);
  return a.kind() == b.kind() && (a.string() != nullptr || a.list() != nullptr || a.tuple() != nullptr);
}

bool less_or_equal(Runtime& runtime, const Value& a, const Value& b) {
  if (is_number(a)) return compare_numbers(a, b) <= 0;
  return !less(runtime, b, a);
}

}  // namespace

Value arithmetic(Runtime& runtime, Arithmetic op, const Value& a, const Value& b) {
  const std::optional<int64_t> a_int = integer_value(a);
  const std::optional<int64_t> b_int = integer_value(b);
  if (a_int && b_int) return on_integers(op, *a_int, *b_int);
  if (is_number(a) && is_number(b)) return on_floats(op, float_of(a), float_of(b));
  // A string's % takes any operand, Undefined included.
  if (op != Arithmetic::kModulo || a.string() == nullptr) {
    refuse_undefined(a);
    refuse_undefined(b);
  }
  Value result = on_sequences(runtime, op, a, b);
  if (result.missing()) {
    fail("unsupported operand type(s) for {}: '{}' and '{}'", symbol(op), type_name(a), type_name(b));
  }
  return result;
}

Value negate(Runtime& runtime, const Value& value) {
  if (const double* number = value.floating()) return Value(-*number);
  if (const auto number = integer_value(value)) return on_integers(Arithmetic::kSubtract, 0, *number);
  refuse_undefined(value);
  fail("bad operand type for unary -: {}", short_repr(runtime, value));
}

Value positive(Runtime& runtime, const Value& value) {
  if (value.floating() != nullptr) return value;
  if (const auto number = integer_value(value)) return Value(*number);
  refuse_undefined(value);
  fail("bad operand type for unary +: {}", short_repr(runtime, value));
}

bool compare(Runtime& runtime, Comparison op, const Value& a, const Value& b) {
  runtime.meter.step();
  switch (op) {
    case Comparison::kEqual:
      return equal(runtime, a, b);
    case Comparison::kNotEqual:
      return !equal(runtime, a, b);
    case Comparison::kLess:
      return less(runtime, a, b);
    case Comparison::kGreater:
      if (!have_order(a, b)) no_order(">", a, b);
      return less(runtime, b, a);
    case Comparison::kLessEqual:
      if (!have_order(a, b)) no_order("<=", a, b);
      return less_or_equal(runtime, a, b);
    case Comparison::kGreaterEqual:
      if (!have_order(a, b)) no_order(">=", a, b);
      return less_or_equal(runtime, b, a);
    case Comparison::kIn:
      return contains(runtime, b, a);
    case Comparison::kNotIn:
      return !contains(runtime, b, a);
  }
  return false;
}

bool truth(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return *value.boolean();
    case Kind::kInt:
      return *value.integer() != 0;
    case Kind::kFloat:
      return *value.floating() != 0;
    case Kind::kString:
      return !value.text()->empty();
    case Kind::kDict:
      return value.dict()->size() > 0;
    case Kind::kList:
    case Kind::kTuple:
      return !value.items()->empty();
    case Kind::kObject:
      return value.object()->truth(runtime);
  }
  return false;
}

bool equal(Runtime& runtime, const Value& a, const Value& b) {
  runtime.meter.step();
  if (is_number(a) && is_number(b)) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kString:
      if (a.text()->size() != b.text()->size()) return false;
      runtime.meter.work(a.text()->size());
      return a.text()->view() == b.text()->view();
    case Kind::kList:
    case Kind::kTuple:
      return equal_items(runtime, *a.items(), *b.items());
    case Kind::kDict:
      return equal_dicts(runtime, *a.dict(), *b.dict());
    case Kind::kObject:
      return a.object()->equals(runtime, *b.object());
    default:
      return true;  // none, Undefined: one value each
  }
}

bool less(Runtime& runtime, const Value& a, const Value& b) {
  runtime.meter.step();
  if (!have_order(a, b)) no_order("<", a, b);
  if (is_number(a)) return compare_numbers(a, b) == -1;
  if (a.text() != nullptr) {
    runtime.meter.work(std::min(a.text()->size(), b.text()->size()));
    return a.text()->view() < b.text()->view();
  }
  return less_items(runtime, *a.items(), *b.items());
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  runtime.meter.step();
  if (const Text* text = container.text()) {
    refuse_undefined(item);
    if (item.text() == nullptr) {
      fail("'in <string>' requires string as left operand, not {}", type_name(item));
    }
    runtime.meter.work(text->size());
    return find_text(text->view(), item.text()->view(), 0) != std::string_view::npos;
  }
  if (const Dict* dict = container.dict()) {
    require_hashable(item);
    if (item.text() != nullptr) runtime.meter.work(item.text()->size());
    return dict->find(item) != nullptr;
  }
  if (!is_iterable(runtime, container)) fail("argument of type '{}' is not iterable", type_name(container));
  const std::shared_ptr<Iterator> iterator = iterate(runtime, container);
  for (Value candidate; iterator->next(runtime, candidate);) {
    if (candidate.same_as(item) || equal(runtime, candidate, item)) return true;
  }
  return false;
}

Value concatenate(Runtime& runtime, const Text& a, const Text& b, bool markup) {
  TextBuilder out(&runtime.meter);
  out.append(a);
  out.append(b);
  return runtime.text(out.take(), markup);
}

Text escape_html(Runtime& runtime, const Text& text) {
  TextBuilder out(&runtime.meter);
  text.for_each_run(0, text.size(), [&](std::string_view run, bool trusted) {
    for (size_t plain = 0; plain < run.size();) {
      const size_t special = std::min(run.find_first_of("&<>'\"", plain), run.size());
      out.append(run.substr(plain, special - plain), trusted);
      if (special == run.size()) break;
      const char c = run[special];
      out.append(c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '\'' ? "&#39;" : "&#34;", trusted);
      plain = special + 1;
    }
  });
  return out.take();
}

}  // namespace glint::jinja
