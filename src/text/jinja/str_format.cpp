// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/str_format.h"

#include <algorithm>
#include <charconv>

#include "text/jinja/number_format.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {
namespace {

constexpr int kMaxNesting = 2;  // a field, and fields within its specification

class FieldFormatter {
 public:
  FieldFormatter(Runtime& runtime, const Arguments& arguments, bool markup)
      : runtime_(runtime), arguments_(arguments), markup_(markup) {}

  Text format(const Text& text, int nesting);

 private:
  void write_field(TextBuilder& out, const Text& field, int nesting);
  Value look_up(std::string_view name);
  Value first_value(std::string_view name);

  Runtime& runtime_;
  const Arguments& arguments_;
  bool markup_;
  size_t next_index_ = 0;
  bool automatic_ = false;
  bool manual_ = false;
};

/// Offset of the brace that closes the field which begins at `begin`, nested fields skipped.
size_t closing_brace(std::string_view text, size_t begin) {
  int depth = 1;
  bool in_index = false;
  for (size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '[' && depth == 1) in_index = true;
    if (text[i] == ']') in_index = false;
    if (in_index) continue;
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  fail("expected '}}' before end of string");
}

Text FieldFormatter::format(const Text& text, int nesting) {
  if (nesting > kMaxNesting) fail("Max string recursion exceeded");
  const std::string_view format = text.view();
  TextBuilder out(&runtime_.meter);
  size_t offset = 0;
  while (offset < format.size()) {
    const size_t brace = std::min(format.find_first_of("{}", offset), format.size());
    out.append(text, offset, brace);
    if (brace == format.size()) break;
    runtime_.meter.step();
    if (brace + 1 < format.size() && format[brace + 1] == format[brace]) {
      out.append(text, brace, brace + 1);
      offset = brace + 2;
      continue;
    }
    if (format[brace] == '}') fail("Single '}}' encountered in format string");
    if (brace + 1 == format.size()) fail("Single '{{' encountered in format string");
    const size_t end = closing_brace(format, brace + 1);
    write_field(out, text.slice(brace + 1, end), nesting);
    offset = end + 1;
  }
  return out.take();
}

void FieldFormatter::write_field(TextBuilder& out, const Text& field, int nesting) {
  const std::string_view view = field.view();
  // The name ends at the first ! or : outside an index.
  size_t name_end = 0;
  for (bool in_index = false; name_end < view.size(); ++name_end) {
    const char c = view[name_end];
    if (c == '[') in_index = true;
    if (c == ']') in_index = false;
    if (!in_index && (c == '!' || c == ':')) break;
  }
  Value value = look_up(view.substr(0, name_end));
  size_t offset = name_end;
  if (offset < view.size() && view[offset] == '!') {
    if (offset + 1 >= view.size()) fail("end of string while looking for conversion specifier");
    const char conversion = view[offset + 1];
    offset += 2;
    if (offset < view.size() && view[offset] != ':') fail("expected ':' after conversion specifier");
    TextBuilder converted(&runtime_.meter);
    if (conversion == 's') {
      write_str(runtime_, converted, value);
    } else if (conversion == 'r' || conversion == 'a') {
      write_repr(runtime_, converted, value);
    } else {
      fail("Unknown conversion specifier {}", conversion);
    }
    value = runtime_.text(converted.take());
  }
  const Text spec = offset < view.size() ? format(field.slice(offset + 1, view.size()), nesting + 1) : Text();
  if (markup_ && !(value.string() != nullptr && value.string()->markup)) {
    TextBuilder formatted(&runtime_.meter);
    write_formatted(runtime_, formatted, value, spec.view());
    return out.append(escape_html(runtime_, formatted.take()));
  }
  write_formatted(runtime_, out, value, spec.view());
}

Value FieldFormatter::look_up(std::string_view name) {
  size_t end = std::min(name.find_first_of(".["), name.size());
  Value value = first_value(name.substr(0, end));
  while (end < name.size()) {
    runtime_.meter.step();
    const size_t begin = end + 1;
    if (name[end] == '.') {
      end = std::min(name.find_first_of(".[", begin), name.size());
      if (end == begin) fail("Empty attribute in format string");
      value = get_attribute(runtime_, value, name.substr(begin, end - begin));
      continue;
    }
    if (name[end] != '[') fail("Only '.' or '[' may follow ']' in format field specifier");
    const size_t close = name.find(']', begin);
    if (close == std::string_view::npos) fail("Missing ']' in format string");
    const std::string_view key = name.substr(begin, close - begin);
    if (key.empty()) fail("Empty attribute in format string");
    int64_t index = 0;
    const auto [stop, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    const bool number = error == std::errc() && stop == key.data() + key.size() && key[0] != '-';
    value = get_item(runtime_, value, number ? Value(index) : runtime_.text(key, false));
    end = close + 1;
  }
  return value;
}

Value FieldFormatter::first_value(std::string_view name) {
  size_t index = next_index_;
  if (name.empty()) {
    if (manual_) fail("cannot switch from manual field specification to automatic field numbering");
    automatic_ = true;
    ++next_index_;
  } else {
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (stop != name.data() + name.size() || error != std::errc()) {
      const auto found = std::find_if(arguments_.named.begin(), arguments_.named.end(),
                                      [name](const auto& argument) { return argument.first == name; });
      if (found == arguments_.named.end()) fail("KeyError: '{}' in format string", name);
      return found->second;
    }
    if (automatic_) fail("cannot switch from manual field specification to automatic field numbering");
    manual_ = true;
  }
  if (index >= arguments_.positional.size()) {
    fail("Replacement index {} out of range for positional args tuple", index);
  }
  return arguments_.positional[index];
}

}  // namespace

Value format_fields(Runtime& runtime, const String& format, const Arguments& arguments) {
  FieldFormatter formatter(runtime, arguments, format.markup);
  return runtime.text(formatter.format(format.text, 0), format.markup);
}

}  // namespace glint::jinja
