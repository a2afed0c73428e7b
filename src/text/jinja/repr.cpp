// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/repr.h"

#include <array>
#include <charconv>
#include <cmath>

#include "text/jinja/characters.h"

namespace glint::jinja {
namespace {

void write_escape(TextBuilder& out, char32_t point, bool trusted) {
  switch (point) {
    case '\n':
      return out.append("\\n", trusted);
    case '\r':
      return out.append("\\r", trusted);
    case '\t':
      return out.append("\\t", trusted);
    default:
      break;
  }
  const auto code = static_cast<uint32_t>(point);
  if (code <= 0xff) return out.append(fmt::format("\\x{:02x}", code), trusted);
  if (code <= 0xffff) return out.append(fmt::format("\\u{:04x}", code), trusted);
  out.append(fmt::format("\\U{:08x}", code), trusted);
}

void write_string_repr(TextBuilder& out, const String& string) {
  const std::string_view bytes = string.text.view();
  const bool has_single = bytes.find('\'') != std::string_view::npos;
  const char quote = has_single && bytes.find('"') == std::string_view::npos ? '"' : '\'';
  if (string.markup) out.append("Markup(", false);
  out.append(std::string_view(&quote, 1), false);
  string.text.for_each_run(0, bytes.size(), [&](std::string_view run, bool trusted) {
    size_t plain = 0;  // start of what is copied as is
    for (size_t offset = 0; offset < run.size();) {
      const size_t begin = offset;
      const char32_t point = next_point(run, offset);
      const bool quoted = point == '\\' || point == static_cast<char32_t>(quote);
      if (!quoted && is_printable(point)) continue;
      out.append(run.substr(plain, begin - plain), trusted);
      if (quoted) {
        out.append("\\", trusted);
        plain = begin;
      } else {
        write_escape(out, point, trusted);
        plain = offset;
      }
    }
    out.append(run.substr(plain), trusted);
  });
  out.append(std::string_view(&quote, 1), false);
  if (string.markup) out.append(")", false);
}

void write_items(Runtime& runtime, TextBuilder& out, const std::vector<Value>& items, std::string_view open,
                 std::string_view close) {
  out.append(open, false);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(", ", false);
    write_repr(runtime, out, items[i]);
  }
  out.append(close, false);
}

void write_dict_repr(Runtime& runtime, TextBuilder& out, const Dict& dict) {
  out.append("{", false);
  bool first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!first) out.append(", ", false);
    first = false;
    write_repr(runtime, out, key);
    out.append(": ", false);
    write_repr(runtime, out, value);
  }
  out.append("}", false);
}

}  // namespace

void write_repr(Runtime& runtime, TextBuilder& out, const Value& value) {
  runtime.meter.step();
  const Nesting nesting(runtime.meter);
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return out.append("Undefined", false);
    case Kind::kNone:
      return out.append("None", false);
    case Kind::kBool:
      return out.append(*value.boolean() ? "True" : "False", false);
    case Kind::kInt:
      return out.append(fmt::format("{}", *value.integer()), false);
    case Kind::kFloat:
      return out.append(float_repr(*value.floating()), false);
    case Kind::kString:
      return write_string_repr(out, *value.string());
    case Kind::kList:
      return write_items(runtime, out, value.list()->items, "[", "]");
    case Kind::kTuple: {
      const auto& items = value.tuple()->items;
      return write_items(runtime, out, items, "(", items.size() == 1 ? ",)" : ")");
    }
    case Kind::kDict:
      return write_dict_repr(runtime, out, *value.dict());
    case Kind::kObject:
      return value.object()->write_repr(runtime, out);
  }
}

void write_str(Runtime& runtime, TextBuilder& out, const Value& value) {
  if (const Text* text = value.text()) return out.append(*text);
  if (value.undefined() || value.missing()) return;
  write_repr(runtime, out, value);
}

Text to_text(Runtime& runtime, const Value& value) {
  if (const Text* text = value.text()) return *text;
  TextBuilder out(&runtime.meter);
  write_str(runtime, out, value);
  return out.take();
}

std::string short_repr(Runtime& runtime, const Value& value) {
  constexpr size_t kLongest = 100;
  TextBuilder out(&runtime.meter);
  write_repr(runtime, out, value);
  std::string text = out.take().bytes();
  if (text.size() <= kLongest) return text;
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer{};
  const auto scientific =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  const std::string_view shortest(buffer.data(), static_cast<size_t>(scientific.ptr - buffer.data()));
  const size_t e = shortest.find('e');
  int exponent = 0;
  std::from_chars(shortest.data() + e + (shortest[e + 1] == '+' ? 2 : 1), shortest.data() + shortest.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shortest);  // both write at least two exponent digits
  const auto fixed = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  std::string text(buffer.data(), fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

}  // namespace glint::jinja
