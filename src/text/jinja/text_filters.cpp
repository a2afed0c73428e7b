// SPDX-License-Identifier: Apache-2.0
//
// Filters on strings, and tojson.
#include <algorithm>
#include <array>

#include "text/jinja/arguments.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/json.h"
#include "text/jinja/operators.h"
#include "text/jinja/printf.h"
#include "text/jinja/repr.h"
#include "text/jinja/string_methods.h"

namespace glint::jinja {
namespace {

/// The value as a string, markup kept.
Value soft_string(Runtime& runtime, const Value& value) {
  return value.string() != nullptr ? value : runtime.text(to_text(runtime, value));
}

template <std::string (*function)(std::string_view)>
Value filter_map_text(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("case filter", arguments, {});
  return map_text(runtime, *soft_string(runtime, input).string(), function);
}

bool is_word_border(char32_t point) {
  return point == '-' || point == '(' || point == '{' || point == '[' || point == '<' || is_space(point);
}

/// Jinja's own title-casing: words end at space and opening brackets only.
std::string title_words(std::string_view text) {
  std::string out;
  size_t offset = 0;
  while (offset < text.size()) {
    const size_t begin = offset;
    size_t next = offset;
    const bool border = is_word_border(next_point(text, next));
    const size_t first = next;
    while (next < text.size()) {
      size_t after = next;
      if (is_word_border(next_point(text, after)) != border) break;
      next = after;
    }
    out += upper(text.substr(begin, first - begin));
    out += lower(text.substr(first, next - first));
    offset = next;
  }
  return out;
}

Value filter_string(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("string", arguments, {});
  return soft_string(runtime, input);
}

Value filter_trim(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  return strip(runtime, *soft_string(runtime, input).string(), bound.some(0) ? &bound.text(0) : nullptr, Side::kBoth);
}

Value filter_replace(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  const Text from = to_text(runtime, bound[0]);
  const Text to = to_text(runtime, bound[1]);
  return runtime.text(replace(runtime, to_text(runtime, input), from, to, bound.some(2) ? bound.integer(2) : -1));
}

Value filter_indent(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  const String* string = input.string();
  if (string == nullptr) {
    if (const Undefined* undefined = input.as_undefined()) fail("{}", undefined->message);
    fail("indent() needs a string, not {}", type_name(input));
  }
  Text indentation;
  if (bound[0].text() != nullptr) {
    indentation = *bound[0].text();
  } else {
    const int64_t width = std::clamp<int64_t>(bound.integer_or(0, 4), 0, 1 << 20);
    indentation = Text(std::string(static_cast<size_t>(width), ' '), true);
  }
  const bool first = bound.truth_or(runtime, 1, false);
  const bool blank = bound.truth_or(runtime, 2, false);
  // A newline is added first, so that a final one counts as a line.
  const Value terminated = concatenate(runtime, string->text, Text("\n", true), string->markup);
  TextBuilder out(&runtime.meter);
  if (first) out.append(indentation);
  bool is_first = true;
  for (const Value& line : split_lines(runtime, *terminated.string(), false)) {
    if (!is_first) {
      out.append("\n", true);
      if (blank || !line.text()->empty()) out.append(indentation);
    }
    is_first = false;
    out.append(*line.text());
  }
  return runtime.text(out.take(), string->markup);
}

Value filter_escape(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("escape", arguments, {});
  if (input.string() != nullptr && input.string()->markup) return input;
  return runtime.text(escape_html(runtime, to_text(runtime, input)), true);
}

Value filter_force_escape(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("forceescape", arguments, {});
  return runtime.text(escape_html(runtime, to_text(runtime, input)), true);
}

Value filter_safe(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("safe", arguments, {});
  return runtime.text(to_text(runtime, input), true);
}

Value filter_center(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("center", arguments, {"width"});
  return pad(runtime, *soft_string(runtime, input).string(), bound.integer_or(0, 80), Text(" ", false), Side::kBoth);
}

Value filter_truncate(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  if (input.string() == nullptr) fail("truncate() needs a string, not {}", type_name(input));
  const Text& text = *input.text();
  const Text end = bound.given(2) ? bound.text(2) : Text("...", true);
  const int64_t length = bound.integer_or(0, 255);
  const int64_t leeway = bound.some(3) ? bound.integer(3) : 5;
  const auto end_points = static_cast<int64_t>(end.n_points());
  if (length < end_points) fail("expected length >= {}, got {}", end_points, length);
  if (leeway < 0) fail("expected leeway >= 0, got {}", leeway);
  if (static_cast<int64_t>(text.n_points()) - leeway <= length) return input;
  size_t cut = text.offset_of(static_cast<size_t>(length - end_points));
  if (!bound.truth_or(runtime, 1, false)) {
    const size_t space = text.view().substr(0, cut).rfind(' ');
    if (space != std::string_view::npos) cut = space;
  }
  return concatenate(runtime, text.slice(0, cut), end, input.string()->markup);
}

Value filter_word_count(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("wordcount", arguments, {});
  const Text text = to_text(runtime, input);
  runtime.meter.work(text.size());
  int64_t count = 0;
  bool in_word = false;
  for (size_t offset = 0; offset < text.size();) {
    const char32_t point = next_point(text.view(), offset);
    const bool word = point == '_' || is_alphanumeric(point);
    count += word && !in_word ? 1 : 0;
    in_word = word;
  }
  return Value(count);
}

Value filter_format(Runtime& runtime, const Value& input, Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    fail("format: can't handle positional and keyword arguments at the same time");
  }
  const Value format = soft_string(runtime, input);
  if (arguments.named.empty()) {
    return format_printf(runtime, *format.string(), make_tuple(&runtime.meter, std::move(arguments.positional)));
  }
  std::vector<Dict::Entry> entries;
  for (const auto& [name, value] : arguments.named) entries.emplace_back(runtime.text(name, true), value);
  return format_printf(runtime, *format.string(), make_dict(&runtime.meter, std::move(entries)));
}

void quote_url(TextBuilder& out, const Text& text, bool in_query) {
  for (const char c : text.view()) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !in_query)) {
      out.append(std::string_view(&c, 1), text.fully_trusted());
    } else if (c == ' ' && in_query) {
      out.append("+", false);
    } else {
      out.append(fmt::format("%{:02X}", static_cast<unsigned char>(c)), false);
    }
  }
}

Value filter_url_encode(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("urlencode", arguments, {});
  TextBuilder out(&runtime.meter);
  if (input.text() != nullptr || !is_iterable(runtime, input)) {
    quote_url(out, to_text(runtime, input), false);
    return runtime.text(out.take());
  }
  std::vector<Dict::Entry> pairs;
  if (input.dict() != nullptr) {
    pairs = input.dict()->entries();
  } else {
    for (const Value& pair : collect(runtime, input)) {
      const std::vector<Value> items = collect(runtime, pair);
      if (items.size() != 2) fail("urlencode() needs pairs of key and value");
      pairs.emplace_back(items[0], items[1]);
    }
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (i > 0) out.append("&", false);
    quote_url(out, to_text(runtime, pairs[i].first), true);
    out.append("=", false);
    quote_url(out, to_text(runtime, pairs[i].second), true);
  }
  return runtime.text(out.take());
}

Value filter_to_json(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii_only = bound.truth_or(runtime, 0, false);
  style.sort_keys = bound.truth_or(runtime, 3, false);
  if (bound.some(1)) {
    if (bound[1].text() != nullptr) {
      style.indent = bound.text(1).bytes();
    } else {
      style.indent = std::string(static_cast<size_t>(std::clamp<int64_t>(bound.integer(1), 0, 1000)), ' ');
    }
    style.item_separator.assign(1, ',');
  }
  if (bound.some(2)) {
    const std::vector<Value> separators = collect(runtime, bound[2]);
    if (separators.size() != 2 || separators[0].text() == nullptr || separators[1].text() == nullptr) {
      fail("tojson: separators must be a pair of strings");
    }
    style.item_separator = separators[0].text()->bytes();
    style.key_separator = separators[1].text()->bytes();
  }
  return runtime.text(to_json(runtime, input, style));
}

Value filter_from_json(Runtime& runtime, const Value& input, Arguments& arguments) {
  const Bound bound("from_json", arguments, {});
  if (input.text() == nullptr) fail("from_json needs a string, not {}", type_name(input));
  return value_of_json_text(runtime.meter, input.text()->view());
}

/// The value with every dict in key order, as pprint shows it.
Value with_sorted_dicts(Runtime& runtime, const Value& value) {
  const Nesting nesting(runtime.meter);
  if (const Dict* dict = value.dict()) {
    std::vector<Dict::Entry> entries = dict->entries();
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return compare_keys(a.first, b.first) < 0; });
    for (auto& entry : entries) entry.second = with_sorted_dicts(runtime, entry.second);
    return make_dict(&runtime.meter, std::move(entries));
  }
  if (value.items() == nullptr) return value;
  std::vector<Value> items;
  for (const Value& item : *value.items()) items.push_back(with_sorted_dicts(runtime, item));
  return value.list() != nullptr ? make_list(&runtime.meter, std::move(items))
                                 : make_tuple(&runtime.meter, std::move(items));
}

Value filter_pprint(Runtime& runtime, const Value& input, Arguments& arguments) {
  constexpr size_t kLineWidth = 80;
  const Bound bound("pprint", arguments, {});
  TextBuilder out(&runtime.meter);
  write_repr(runtime, out, with_sorted_dicts(runtime, input));
  const Text text = out.take();
  if (text.n_points() > kLineWidth) fail("pprint of a value longer than one line of {} is not supported", kLineWidth);
  return runtime.text(text);
}

Value refused(Runtime&, const Value&, Arguments&) {
  fail("this HTML or layout filter is not supported in prompts");
}

constexpr std::array kFilters = {
    Filter{"capitalize", filter_map_text<capitalize>},
    Filter{"center", filter_center},
    Filter{"e", filter_escape},
    Filter{"escape", filter_escape},
    Filter{"forceescape", filter_force_escape},
    Filter{"format", filter_format},
    Filter{"from_json", filter_from_json},
    Filter{"indent", filter_indent},
    Filter{"lower", filter_map_text<lower>},
    Filter{"pprint", filter_pprint},
    Filter{"replace", filter_replace},
    Filter{"safe", filter_safe},
    Filter{"string", filter_string},
    Filter{"striptags", refused},
    Filter{"title", filter_map_text<title_words>},
    Filter{"tojson", filter_to_json},
    Filter{"trim", filter_trim},
    Filter{"truncate", filter_truncate},
    Filter{"upper", filter_map_text<upper>},
    Filter{"urlencode", filter_url_encode},
    Filter{"urlize", refused},
    Filter{"wordcount", filter_word_count},
    Filter{"wordwrap", refused},
    Filter{"xmlattr", refused},
};

}  // namespace

std::span<const Filter> text_filters() {
  return kFilters;
}

}  // namespace glint::jinja
