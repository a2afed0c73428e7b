// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/printf.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/arguments.h"
#include "text/jinja/number_format.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxPrecision = 1000;

class PrintfFormatter {
 public:
  PrintfFormatter(Runtime& runtime, const String& format, const Value& arguments)
      : runtime_(runtime),
        text_(format.text),
        format_(format.text.view()),
        markup_(format.markup),
        arguments_(arguments),
        out_(&runtime.meter) {}

  Text run();

 private:
  void conversion();
  void write_conversion(char type, FormatSpec spec);
  void write_number(char type, FormatSpec spec, const Value& value);
  const Value& next_argument();
  Value mapped_argument();
  int64_t count(int64_t most);
  char peek() const {
    if (offset_ >= format_.size()) fail("incomplete format");
    return format_[offset_];
  }

  Runtime& runtime_;
  const Text& text_;
  std::string_view format_;
  bool markup_;
  const Value& arguments_;
  TextBuilder out_;
  size_t offset_ = 0;
  size_t n_used_ = 0;
  Value mapped_;  // the value of the current %(key)
  bool used_mapping_ = false;
};

Text PrintfFormatter::run() {
  while (offset_ < format_.size()) {
    const size_t percent = std::min(format_.find('%', offset_), format_.size());
    out_.append(text_, offset_, percent);
    offset_ = percent;
    if (offset_ < format_.size()) {
      runtime_.meter.step();
      ++offset_;
      conversion();
    }
  }
  const size_t n_given = arguments_.tuple() != nullptr ? arguments_.tuple()->items.size() : 1;
  const bool mapping_like = arguments_.dict() != nullptr || arguments_.list() != nullptr || arguments_.undefined();
  if (!used_mapping_ && !mapping_like && n_used_ < n_given) {
    fail("not all arguments converted during string formatting");
  }
  return out_.take();
}

void PrintfFormatter::conversion() {
  FormatSpec spec;
  mapped_ = Value();
  if (peek() == '(') mapped_ = mapped_argument();
  bool zero = false;
  for (;; ++offset_) {
    const char c = peek();
    if (c == '-') {
      spec.align = '<';
    } else if (c == '0') {
      zero = true;
    } else if (c == '+' || (c == ' ' && spec.sign != '+')) {
      spec.sign = c;
    } else if (c == '#') {
      spec.alternate = true;
    } else if (c != ' ') {
      break;
    }
  }
  spec.width = count(kMaxWidth);
  if (spec.width < 0) {
    spec.align = '<';
    spec.width = -spec.width;
  }
  if (peek() == '.') {
    ++offset_;
    spec.precision = std::max<int64_t>(count(kMaxPrecision), 0);
  }
  if (peek() == 'l' || peek() == 'h' || peek() == 'L') ++offset_;
  const char type = peek();
  if (zero && spec.align == 0 && std::string_view("diuxXoeEfFgG").find(type) != std::string_view::npos) {
    spec.fill.assign(1, '0');
    spec.align = '=';
  }
  if (spec.align == 0) spec.align = '>';
  write_conversion(type, spec);
  ++offset_;
}

void PrintfFormatter::write_conversion(char type, FormatSpec spec) {
  if (type == '%') return out_.append(text_, offset_, offset_ + 1);
  if (std::string_view("diuxXoeEfFgGcsra").find(type) == std::string_view::npos) {
    fail("unsupported format character '{}'", type);
  }
  const Value& value = next_argument();
  if (type == 's') {
    Text text = to_text(runtime_, value);
    if (markup_ && !(value.string() != nullptr && value.string()->markup)) text = escape_html(runtime_, text);
    return write_padded(runtime_, out_, text, spec);
  }
  if (type == 'r' || type == 'a') {
    TextBuilder repr(&runtime_.meter);
    write_repr(runtime_, repr, value);
    return write_padded(runtime_, out_, repr.take(), spec);
  }
  if (type == 'c') {
    const Text* text = value.text();
    if (text != nullptr && text->n_points() == 1) return write_padded(runtime_, out_, *text, spec);
    if (text != nullptr || !integer_value(value)) fail("%c requires int or char");
    TextBuilder point(&runtime_.meter);
    write_formatted(runtime_, point, value, "c");
    return write_padded(runtime_, out_, point.take(), spec);
  }
  write_number(type, spec, value);
}

void PrintfFormatter::write_number(char type, FormatSpec spec, const Value& value) {
  if (const Undefined* undefined = value.as_undefined()) fail("{}", undefined->message);
  const std::optional<int64_t> integer = integer_value(value);
  const double* floating = value.floating();
  if (!integer && floating == nullptr) fail("%{} format: a number is required, not {}", type, type_name(value));
  if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
    const double number = floating != nullptr ? *floating : static_cast<double>(*integer);
    return out_.append(assemble_number(float_digits(number, type, spec.alternate, spec.precision), spec), false);
  }
  const bool decimal = type == 'd' || type == 'i' || type == 'u';
  if (!integer && !decimal) fail("%{} format: an integer is required, not float", type);
  if (!integer && !(std::fabs(*floating) < 0x1p63)) fail("cannot convert {} to integer", float_repr(*floating));
  const int64_t number = integer ? *integer : static_cast<int64_t>(*floating);
  out_.append(assemble_number(integer_digits(number, decimal ? 'd' : type, spec.alternate, spec.precision), spec),
              false);
}

const Value& PrintfFormatter::next_argument() {
  if (!mapped_.missing()) return mapped_;
  if (const Tuple* tuple = arguments_.tuple()) {
    if (n_used_ >= tuple->items.size()) fail("not enough arguments for format string");
    return tuple->items[n_used_++];
  }
  if (n_used_++ > 0) fail("not enough arguments for format string");
  return arguments_;
}

Value PrintfFormatter::mapped_argument() {
  const Dict* dict = arguments_.dict();
  if (dict == nullptr) fail("format requires a mapping");
  size_t depth = 0;
  const size_t begin = offset_ + 1;
  for (; offset_ < format_.size(); ++offset_) {
    if (format_[offset_] == '(') ++depth;
    if (format_[offset_] == ')' && --depth == 0) break;
  }
  if (offset_ >= format_.size()) fail("incomplete format key");
  const std::string_view key = format_.substr(begin, offset_ - begin);
  ++offset_;
  used_mapping_ = true;
  const Value* found = dict->find(key);
  if (found == nullptr) fail("KeyError: '{}'", key);
  return *found;
}

int64_t PrintfFormatter::count(int64_t most) {
  if (peek() == '*') {
    ++offset_;
    const std::optional<int64_t> value = integer_value(next_argument());
    if (!value) fail("* wants int");
    if (*value > most || *value < -most) fail("template too expensive: format width {}", *value);
    return *value;
  }
  int64_t value = 0;
  for (; peek() >= '0' && peek() <= '9'; ++offset_) {
    value = value * 10 + (peek() - '0');
    if (value > most) fail("template too expensive: format width {}", value);
  }
  return value;
}

}  // namespace

Value format_printf(Runtime& runtime, const String& format, const Value& arguments) {
  return runtime.text(PrintfFormatter(runtime, format, arguments).run(), format.markup);
}

}  // namespace glint::jinja
