// SPDX-License-Identifier: Apache-2.0
//
// Python's format specification: parsed once, applied to strings and numbers. str.format uses it directly, the %
// operator fills in the same structure from its own syntax.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/runtime.h"

namespace glint::jinja {

/// [[fill]align][sign]["#"]["0"][width][grouping]["." precision][type]
struct FormatSpec {
  std::string fill = " ";  // one code point
  char align = 0;          // < > = ^, 0 when not given
  char sign = '-';         // - + or blank
  bool alternate = false;
  int64_t width = 0;
  char grouping = 0;  // , or _
  std::optional<int64_t> precision;
  char type = 0;
};

/// Throws Error for what is no specification.
FormatSpec parse_format_spec(std::string_view text);

/// Digits of a number, sign apart, so that padding can go between.
struct NumberText {
  bool negative = false;
  std::string prefix;  // 0x and the like
  std::string digits;
};

/// `type`: d b o x X. Precision is the least number of digits, if any.
NumberText integer_digits(int64_t value, char type, bool alternate, std::optional<int64_t> precision);
/// `type`: e E f F g G, % (times hundred), 0 (repr-like, used when no type is given), r (shortest).
NumberText float_digits(double value, char type, bool alternate, std::optional<int64_t> precision);

/// Sign, prefix, digits, padding to spec.width.
std::string assemble_number(const NumberText& number, const FormatSpec& spec);
/// Text cut to spec.precision and padded to spec.width; marks of trust kept.
void write_padded(Runtime& runtime, TextBuilder& out, const Text& text, const FormatSpec& spec);

/// format(value, spec).
void write_formatted(Runtime& runtime, TextBuilder& out, const Value& value, std::string_view spec);

}  // namespace glint::jinja
