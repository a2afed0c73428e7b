// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/string_methods.h"

#include <algorithm>
#include <array>

#include "text/jinja/arguments.h"
#include "text/jinja/characters.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"
#include "text/jinja/search.h"
#include "text/jinja/str_format.h"

namespace glint::jinja {
namespace {

constexpr size_t kNotFound = std::string_view::npos;

/// Byte range of the code points [start, end) that find, count and their like search.
struct Window {
  size_t begin, end;
  bool valid;  // start is not behind the end
};

Window search_window(Runtime& runtime, const Text& text, const Bound& bound, size_t first) {
  const auto size = static_cast<int64_t>(text.n_points());
  const auto position = [&](size_t index, int64_t otherwise) {
    int64_t at = bound.some(index) ? bound.integer(index) : otherwise;
    if (at < 0) at = std::max<int64_t>(at + size, 0);
    return at;
  };
  const int64_t start = position(first, 0);
  const int64_t end = std::min(position(first + 1, size), size);
  if (start > end) return {0, 0, false};
  if (text.n_points() != text.size()) runtime.meter.work(text.size() * 8);
  return {text.offset_of(static_cast<size_t>(start)), text.offset_of(static_cast<size_t>(end)), true};
}

size_t search(Runtime& runtime, const Value& self, Arguments& arguments, std::string_view name, bool last) {
  const Bound bound(name, arguments, {"", "", ""}, 1);
  const Text& text = *self.text();
  runtime.meter.work(text.size());
  const Window window = search_window(runtime, text, bound, 1);
  if (!window.valid) return kNotFound;
  const std::string_view view = text.view().substr(0, window.end);
  const std::string_view needle = bound.text(0).view();
  size_t found = 0;
  if (last) {
    found = find_last_text(runtime.meter, view.substr(window.begin), needle, window.end - window.begin);
    if (found != kNotFound) found += window.begin;
  } else {
    found = find_text(view, needle, window.begin);
  }
  return found == kNotFound ? kNotFound : text.points_before(found);
}

template <bool last>
Value method_find(Runtime& runtime, const Value& self, Arguments& arguments) {
  const size_t found = search(runtime, self, arguments, last ? "rfind" : "find", last);
  return Value(found == kNotFound ? int64_t{-1} : static_cast<int64_t>(found));
}

template <bool last>
Value method_index(Runtime& runtime, const Value& self, Arguments& arguments) {
  const size_t found = search(runtime, self, arguments, last ? "rindex" : "index", last);
  if (found == kNotFound) fail("substring not found");
  return Value(static_cast<int64_t>(found));
}

Value method_count(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("count", arguments, {"", "", ""}, 1);
  const Text& text = *self.text();
  runtime.meter.work(text.size());
  const Window window = search_window(runtime, text, bound, 1);
  if (!window.valid) return Value(int64_t{0});
  const std::string_view view = text.view().substr(window.begin, window.end - window.begin);
  const std::string_view needle = bound.text(0).view();
  if (needle.empty()) return Value(static_cast<int64_t>(count_points(view)) + 1);
  int64_t count = 0;
  for (size_t at = find_text(view, needle, 0); at != kNotFound; at = find_text(view, needle, at + needle.size()))
    ++count;
  return Value(count);
}

template <bool at_start>
Value method_affix(Runtime& runtime, const Value& self, Arguments& arguments) {
  const std::string_view name = at_start ? "startswith" : "endswith";
  const Bound bound(name, arguments, {"", "", ""}, 1);
  const Text& text = *self.text();
  const Window window = search_window(runtime, text, bound, 1);
  const std::string_view view =
      window.valid ? text.view().substr(window.begin, window.end - window.begin) : std::string_view();
  const auto matches = [&](const Value& affix) {
    const Text* wanted = affix.text();
    if (wanted == nullptr) fail("{} first arg must be str or a tuple of str, not {}", name, type_name(affix));
    runtime.meter.work(wanted->size());
    return window.valid && (at_start ? view.starts_with(wanted->view()) : view.ends_with(wanted->view()));
  };
  if (const Tuple* tuple = bound[0].tuple()) {
    return Value(std::any_of(tuple->items.begin(), tuple->items.end(), matches));
  }
  return Value(matches(bound[0]));
}

template <Side side>
Value method_strip(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("strip", arguments, {""});
  return strip(runtime, *self.string(), bound.some(0) ? &bound.text(0) : nullptr, side);
}

template <bool from_right>
Value method_split(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound(from_right ? "rsplit" : "split", arguments, {"sep", "maxsplit"});
  const Text* separator = bound.some(0) ? &bound.text(0) : nullptr;
  return make_list(&runtime.meter, split(runtime, *self.string(), separator, bound.integer_or(1, -1), from_right));
}

Value method_splitlines(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("splitlines", arguments, {"keepends"});
  return make_list(&runtime.meter, split_lines(runtime, *self.string(), bound.integer_or(0, 0) != 0));
}

template <bool from_right>
Value method_partition(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound(from_right ? "rpartition" : "partition", arguments, {""}, 1);
  const Text& text = *self.text();
  const Text& separator = bound.text(0);
  const bool markup = self.string()->markup;
  if (separator.empty()) fail("empty separator");
  runtime.meter.work(text.size());
  const size_t found = from_right ? find_last_text(runtime.meter, text.view(), separator.view(), text.size())
                                  : find_text(text.view(), separator.view(), 0);
  const Value nothing = runtime.text(Text(), markup);
  if (found == kNotFound) {
    if (from_right) return make_tuple(&runtime.meter, {nothing, nothing, self});
    return make_tuple(&runtime.meter, {self, nothing, nothing});
  }
  const size_t after = found + separator.size();
  return make_tuple(&runtime.meter,
                    {runtime.text(text.slice(0, found), markup), runtime.text(text.slice(found, after), markup),
                     runtime.text(text.slice(after, text.size()), markup)});
}

Value method_replace(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("replace", arguments, {"", "", ""}, 2);
  const bool markup = self.string()->markup;
  const int64_t count = bound.integer_or(2, -1);
  if (!markup) return runtime.text(replace(runtime, *self.text(), bound.text(0), bound.text(1), count));
  return runtime.text(
      replace(runtime, *self.text(), escape_html(runtime, bound.text(0)), escape_html(runtime, bound.text(1)), count),
      true);
}

Value method_join(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("join", arguments, {""}, 1);
  const bool markup = self.string()->markup;
  TextBuilder out(&runtime.meter);
  const auto iterator = iterate(runtime, bound[0]);
  size_t count = 0;
  for (Value item; iterator->next(runtime, item); ++count) {
    if (item.text() == nullptr) {
      fail("sequence item {}: expected str instance, {} found", count, type_name(item));
    }
    if (count > 0) out.append(*self.text());
    out.append(markup && !item.string()->markup ? escape_html(runtime, *item.text()) : *item.text());
  }
  return runtime.text(out.take(), markup);
}

Value method_format(Runtime& runtime, const Value& self, Arguments& arguments) {
  return format_fields(runtime, *self.string(), arguments);
}

Value method_format_map(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("format_map", arguments, {""}, 1);
  if (bound[0].dict() == nullptr) fail("format_map() argument must be a mapping");
  Arguments fields;
  for (const auto& [key, value] : bound[0].dict()->entries()) {
    if (key.text() != nullptr) fields.named.emplace_back(key.text()->bytes(), value);
  }
  return format_fields(runtime, *self.string(), fields);
}

template <std::string (*function)(std::string_view)>
Value method_map(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("case conversion", arguments, {});
  return map_text(runtime, *self.string(), function);
}

/// True if the text is not empty and `accept` holds for each code point.
template <bool (*accept)(char32_t)>
Value method_all(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("str test", arguments, {});
  const std::string_view text = self.text()->view();
  runtime.meter.work(text.size());
  for (size_t offset = 0; offset < text.size();) {
    if (!accept(next_point(text, offset))) return Value(false);
  }
  return Value(!text.empty());
}

template <bool wanted_upper>
Value method_has_case(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound(wanted_upper ? "isupper" : "islower", arguments, {});
  return Value(has_only_case(runtime, *self.text(), wanted_upper));
}

Value method_istitle(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("istitle", arguments, {});
  const std::string_view text = self.text()->view();
  runtime.meter.work(text.size());
  bool any = false;
  bool in_word = false;
  for (size_t offset = 0; offset < text.size();) {
    const char32_t point = next_point(text, offset);
    const bool starts = is_upper(point) || is_title(point);
    if ((starts && in_word) || (is_lower(point) && !in_word)) return Value(false);
    in_word = starts || is_lower(point);
    any = any || in_word;
  }
  return Value(any);
}

Value method_isidentifier(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("isidentifier", arguments, {});
  const std::string_view text = self.text()->view();
  runtime.meter.work(text.size());
  for (size_t offset = 0; offset < text.size();) {
    const bool first = offset == 0;
    const char32_t point = next_point(text, offset);
    if (first ? !is_name_start(point) : !is_name_part(point)) return Value(false);
  }
  return Value(!text.empty());
}

Value method_isascii(Runtime&, const Value& self, Arguments& arguments) {
  const Bound bound("isascii", arguments, {});
  return Value(self.text()->n_points() == self.text()->size());
}

template <Side side>
Value method_pad(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("justification", arguments, {"", ""}, 1);
  return pad(runtime, *self.string(), bound.integer(0), bound.given(1) ? bound.text(1) : Text(" ", false), side);
}

Value method_zfill(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound("zfill", arguments, {""}, 1);
  const Text& text = *self.text();
  const int64_t zeros = bound.integer(0) - static_cast<int64_t>(text.n_points());
  if (zeros <= 0) return self;
  const size_t sign = text.view().starts_with('+') || text.view().starts_with('-') ? 1 : 0;
  TextBuilder out(&runtime.meter);
  out.append(text, 0, sign);
  out.append_repeated('0', static_cast<size_t>(zeros), false);
  out.append(text, sign, text.size());
  return runtime.text(out.take(), self.string()->markup);
}

template <bool prefix>
Value method_remove(Runtime& runtime, const Value& self, Arguments& arguments) {
  const Bound bound(prefix ? "removeprefix" : "removesuffix", arguments, {""}, 1);
  const Text& text = *self.text();
  const std::string_view affix = bound.text(0).view();
  if (affix.empty() || !(prefix ? text.view().starts_with(affix) : text.view().ends_with(affix))) return self;
  const Text kept = prefix ? text.slice(affix.size(), text.size()) : text.slice(0, text.size() - affix.size());
  return runtime.text(kept, self.string()->markup);
}

Value not_supported(Runtime&, const Value&, Arguments&) {
  fail("this str method is not supported in templates");
}

constexpr std::array kStringMethods = {
    Method{"capitalize", method_map<capitalize>},
    Method{"casefold", method_map<fold_case>},
    Method{"center", method_pad<Side::kBoth>},
    Method{"count", method_count},
    Method{"encode", not_supported},
    Method{"endswith", method_affix<false>},
    Method{"expandtabs", not_supported},
    Method{"find", method_find<false>},
    Method{"format", method_format},
    Method{"format_map", method_format_map},
    Method{"index", method_index<false>},
    Method{"isalnum", method_all<is_alphanumeric>},
    Method{"isalpha", method_all<is_alphabetic>},
    Method{"isascii", method_isascii},
    Method{"isdecimal", method_all<is_decimal>},
    Method{"isdigit", method_all<is_digit>},
    Method{"isidentifier", method_isidentifier},
    Method{"islower", method_has_case<false>},
    Method{"isnumeric", not_supported},
    Method{"isprintable", not_supported},
    Method{"isspace", method_all<is_space>},
    Method{"istitle", method_istitle},
    Method{"isupper", method_has_case<true>},
    Method{"join", method_join},
    Method{"ljust", method_pad<Side::kRight>},
    Method{"lower", method_map<lower>},
    Method{"lstrip", method_strip<Side::kLeft>},
    Method{"maketrans", not_supported},
    Method{"partition", method_partition<false>},
    Method{"removeprefix", method_remove<true>},
    Method{"removesuffix", method_remove<false>},
    Method{"replace", method_replace},
    Method{"rfind", method_find<true>},
    Method{"rindex", method_index<true>},
    Method{"rjust", method_pad<Side::kLeft>},
    Method{"rpartition", method_partition<true>},
    Method{"rsplit", method_split<true>},
    Method{"rstrip", method_strip<Side::kRight>},
    Method{"split", method_split<false>},
    Method{"splitlines", method_splitlines},
    Method{"startswith", method_affix<true>},
    Method{"strip", method_strip<Side::kBoth>},
    Method{"swapcase", method_map<swap_case>},
    Method{"title", method_map<title>},
    Method{"translate", not_supported},
    Method{"upper", method_map<upper>},
    Method{"zfill", method_zfill},
};

}  // namespace

std::span<const Method> string_methods() {
  return kStringMethods;
}

bool has_only_case(Runtime& runtime, const Text& text, bool wanted_upper) {
  runtime.meter.work(text.size());
  bool found = false;
  for (size_t offset = 0; offset < text.size();) {
    const char32_t point = next_point(text.view(), offset);
    const bool upper = is_upper(point);
    const bool lower = is_lower(point);
    if (is_title(point) || (wanted_upper ? lower : upper)) return false;
    found = found || upper || lower;
  }
  return found;
}

}  // namespace glint::jinja
