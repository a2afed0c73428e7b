// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/number_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/utf8.h"
#include "text/jinja/arguments.h"
#include "text/jinja/characters.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxPrecision = 1000;

bool is_align(char c) {
  return c == '<' || c == '>' || c == '=' || c == '^';
}

/// Reads a run of decimal digits at `offset`.
std::optional<int64_t> read_count(std::string_view text, size_t& offset, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + offset, text.data() + text.size(), value);
  if (end == text.data() + offset) return std::nullopt;
  if (error != std::errc() || value > most || value < 0) fail("template too expensive: format width in '{}'", text);
  offset = static_cast<size_t>(end - text.data());
  return value;
}

bool take(std::string_view text, size_t& offset, char c) {
  if (offset >= text.size() || text[offset] != c) return false;
  ++offset;
  return true;
}

std::string to_digits(double value, std::chars_format format, int precision) {
  std::vector<char> buffer(static_cast<size_t>(precision) + 400);
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, precision);
  return std::string(buffer.data(), result.ptr);
}

/// Digits in the manner of %g: `significant` digits, exponent form outside [1e-4, 10^significant).
std::string general_digits(double value, int significant, bool alternate, bool keep_point_zero) {
  if (significant == 0) significant = 1;
  std::string scientific = to_digits(value, std::chars_format::scientific, significant - 1);
  const size_t e = scientific.find('e');
  int exponent = 0;
  std::from_chars(scientific.data() + e + (scientific[e + 1] == '+' ? 2 : 1), scientific.data() + scientific.size(),
                  exponent);
  const bool use_exponent = exponent < -4 || exponent >= significant - (keep_point_zero ? 1 : 0);
  std::string mantissa = use_exponent
                             ? scientific.substr(0, e)
                             : to_digits(value, std::chars_format::fixed, std::max(0, significant - 1 - exponent));
  if (!alternate && mantissa.find('.') != std::string::npos) {
    mantissa.erase(mantissa.find_last_not_of('0') + 1);
    if (mantissa.back() == '.') mantissa.pop_back();
  }
  if (alternate && mantissa.find('.') == std::string::npos) mantissa += '.';
  if (use_exponent) return mantissa + scientific.substr(e);
  if (keep_point_zero && mantissa.find('.') == std::string::npos) mantissa += ".0";
  return mantissa;
}

std::string with_point(std::string digits, bool alternate) {
  if (!alternate || digits.find('.') != std::string::npos) return digits;
  const size_t e = digits.find('e');
  digits.insert(e == std::string::npos ? digits.size() : e, ".");
  return digits;
}

/// Inserts the separator into the leading integer digits; zeros are added in front until `width` is reached.
std::string group_digits(const std::string& digits, char separator, size_t every, size_t width) {
  const char* const allowed = every == 4 ? "0123456789abcdefABCDEF" : "0123456789";
  const size_t length = std::min(digits.find_first_not_of(allowed), digits.size());
  if (length == 0) return digits;  // inf, nan
  std::string integer = digits.substr(0, length);
  const std::string rest = digits.substr(length);
  const auto grouped_size = [&] { return integer.size() + (integer.size() - 1) / every + rest.size(); };
  while (grouped_size() < width) integer.insert(0, "0");
  std::string out;
  for (size_t i = 0; i < integer.size(); ++i) {
    if (i > 0 && (integer.size() - i) % every == 0) out += separator;
    out += integer[i];
  }
  return out + rest;
}

void write_repeated(TextBuilder& out, const std::string& fill, size_t count) {
  if (fill.size() == 1) return out.append_repeated(fill[0], count, false);
  for (; count > 0; --count) out.append(fill, false);
}

void require_type(const FormatSpec& spec, std::string_view allowed, const Value& value) {
  if (spec.type != 0 && allowed.find(spec.type) == std::string_view::npos) {
    fail("Unknown format code '{}' for object of type '{}'", spec.type, type_name(value));
  }
}

void write_formatted_integer(Runtime& runtime, TextBuilder& out, const Value& value, const FormatSpec& spec) {
  const int64_t number = *integer_value(value);
  if (spec.type != 0 && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
    out.append(
        assemble_number(float_digits(static_cast<double>(number), spec.type, spec.alternate, spec.precision), spec),
        false);
    return;
  }
  require_type(spec, "bcdoxXn", value);
  if (spec.precision) fail("Precision not allowed in integer format specifier");
  if (spec.type == 'c') {
    if (number < 0 || number > 0x10ffff || (number >= 0xd800 && number < 0xe000)) fail("%c arg not in range(0x110000)");
    std::string point;
    utf8::append(point, static_cast<char32_t>(number));
    return write_padded(runtime, out, Text(point, false), spec);
  }
  const char type = spec.type == 0 || spec.type == 'n' ? 'd' : spec.type;
  out.append(assemble_number(integer_digits(number, type, spec.alternate, std::nullopt), spec), false);
}

}  // namespace

FormatSpec parse_format_spec(std::string_view text) {
  FormatSpec spec;
  size_t offset = 0;
  size_t after_first = 0;
  bool fill_given = false;
  if (!text.empty()) next_point(text, after_first);
  if (after_first < text.size() && is_align(text[after_first])) {
    spec.fill = std::string(text.substr(0, after_first));
    spec.align = text[after_first];
    offset = after_first + 1;
    fill_given = true;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[offset++];
  }
  if (offset < text.size() && (text[offset] == '+' || text[offset] == '-' || text[offset] == ' ')) {
    spec.sign = text[offset++];
  }
  spec.alternate = take(text, offset, '#');
  if (!fill_given && take(text, offset, '0')) {
    spec.fill = "0";
    if (spec.align == 0) spec.align = '=';
  }
  spec.width = read_count(text, offset, kMaxWidth).value_or(0);
  if (take(text, offset, ',')) spec.grouping = ',';
  if (take(text, offset, '_')) spec.grouping = '_';
  if (take(text, offset, '.')) {
    spec.precision = read_count(text, offset, kMaxPrecision);
    if (!spec.precision) fail("Format specifier missing precision");
  }
  if (offset < text.size()) spec.type = text[offset++];
  if (offset < text.size()) fail("Invalid format specifier '{}'", text);
  return spec;
}

NumberText integer_digits(int64_t value, char type, bool alternate, std::optional<int64_t> precision) {
  NumberText number;
  number.negative = value < 0;
  const uint64_t magnitude = number.negative ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  const int base = type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10;
  std::array<char, 64> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude, base);
  number.digits.assign(buffer.data(), result.ptr);
  if (type == 'X') {
    std::transform(number.digits.begin(), number.digits.end(), number.digits.begin(),
                   [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
  }
  if (precision && *precision > static_cast<int64_t>(number.digits.size())) {
    number.digits.insert(0, static_cast<size_t>(*precision) - number.digits.size(), '0');
  }
  if (alternate && base != 10) number.prefix = std::string("0") + type;
  return number;
}

NumberText float_digits(double value, char type, bool alternate, std::optional<int64_t> precision) {
  NumberText number;
  number.negative = std::signbit(value) && !std::isnan(value);
  value = std::fabs(value);
  const bool upper = type == 'E' || type == 'F' || type == 'G';
  if (type == '%') value *= 100;
  const int digits = static_cast<int>(precision.value_or(6));
  if (!std::isfinite(value)) {
    number.digits = std::isnan(value) ? "nan" : "inf";
  } else if (type == 'e' || type == 'E') {
    number.digits = with_point(to_digits(value, std::chars_format::scientific, digits), alternate);
  } else if (type == 'f' || type == 'F' || type == '%') {
    number.digits = with_point(to_digits(value, std::chars_format::fixed, digits), alternate);
  } else if (type == 'g' || type == 'G' || type == 'n') {
    number.digits = general_digits(value, digits, alternate, false);
  } else if (precision) {
    number.digits = general_digits(value, digits, alternate, true);
  } else {
    number.digits = float_repr(value);
  }
  if (type == '%') number.digits += '%';
  if (upper) {
    std::transform(number.digits.begin(), number.digits.end(), number.digits.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  }
  return number;
}

std::string assemble_number(const NumberText& number, const FormatSpec& spec) {
  std::string head = number.negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  head += number.prefix;
  std::string digits = number.digits;
  const auto width = static_cast<size_t>(std::max<int64_t>(spec.width, 0));
  if (spec.grouping != 0) {
    const bool zeros = spec.align == '=' && spec.fill == "0";
    const bool binary = spec.type == 'b' || spec.type == 'o' || spec.type == 'x' || spec.type == 'X';
    digits =
        group_digits(digits, spec.grouping, binary ? 4 : 3, zeros && width > head.size() ? width - head.size() : 0);
  }
  const size_t used = head.size() + digits.size();
  const size_t padding = width > used ? width - used : 0;
  std::string fill;
  const size_t before = spec.align == '<' ? 0 : spec.align == '^' ? padding / 2 : padding;
  for (size_t i = 0; i < before; ++i) fill += spec.fill;
  std::string after;
  for (size_t i = before; i < padding; ++i) after += spec.fill;
  if (spec.align == '=') return head + fill + digits;
  return fill + head + digits + after;
}

void write_padded(Runtime& runtime, TextBuilder& out, const Text& text, const FormatSpec& spec) {
  size_t n_points = text.n_points();
  size_t end = text.size();
  if (spec.precision && static_cast<size_t>(*spec.precision) < n_points) {
    n_points = static_cast<size_t>(*spec.precision);
    end = text.offset_of(n_points);
  }
  runtime.meter.work(text.size());
  const auto width = static_cast<size_t>(std::max<int64_t>(spec.width, 0));
  const size_t padding = width > n_points ? width - n_points : 0;
  const size_t before = spec.align == '>' ? padding : spec.align == '^' ? padding / 2 : 0;
  write_repeated(out, spec.fill, before);
  out.append(text, 0, end);
  write_repeated(out, spec.fill, padding - before);
}

void write_formatted(Runtime& runtime, TextBuilder& out, const Value& value, std::string_view text) {
  if (text.empty()) return write_str(runtime, out, value);
  if (value.text() == nullptr && !is_number(value)) {
    fail("unsupported format string passed to {}.__format__", type_name(value));
  }
  FormatSpec spec = parse_format_spec(text);
  if (value.text() != nullptr) {
    require_type(spec, "s", value);
    if (spec.sign != '-' || spec.alternate || spec.grouping != 0)
      fail("Invalid format specifier '{}' for a string", text);
    if (spec.align == '=') {
      if (spec.fill != "0") fail("'=' alignment not allowed in string format specifier");
      spec.align = '<';
    }
    return write_padded(runtime, out, *value.text(), spec);
  }
  if (spec.align == 0) spec.align = '>';
  if (const double* number = value.floating()) {
    require_type(spec, "eEfFgG%n", value);
    out.append(assemble_number(float_digits(*number, spec.type, spec.alternate, spec.precision), spec), false);
    return;
  }
  write_formatted_integer(runtime, out, value, spec);
}

}  // namespace glint::jinja
