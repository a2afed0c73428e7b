// SPDX-License-Identifier: Apache-2.0
//
// Taking strings apart and putting them together: strip, split, replace, pad (declared in string_methods.h).
#include <algorithm>

#include "text/jinja/characters.h"
#include "text/jinja/search.h"
#include "text/jinja/string_methods.h"

namespace glint::jinja {
namespace {

/// The code points of `text`, sorted for look-up.
std::u32string point_set(std::string_view text) {
  std::u32string points;
  for (size_t offset = 0; offset < text.size();) points += next_point(text, offset);
  std::sort(points.begin(), points.end());
  return points;
}

bool is_line_end(char32_t point) {
  return (point >= 0x0a && point <= 0x0d) || (point >= 0x1c && point <= 0x1e) || point == 0x85 || point == 0x2028 ||
         point == 0x2029;
}

class Splitter {
 public:
  Splitter(Runtime& runtime, const String& self) : runtime_(runtime), self_(self), pieces_(runtime.meter) {}

  void add(size_t begin, size_t end) { pieces_.append(runtime_.text(self_.text.slice(begin, end), self_.markup)); }
  std::vector<Value> take() { return std::move(pieces_.items()); }

  void at_separator(std::string_view separator, int64_t most) {
    const std::string_view text = self_.text.view();
    size_t begin = 0;
    for (; most != 0; --most) {
      const size_t found = find_text(text, separator, begin);
      if (found == std::string_view::npos) break;
      add(begin, found);
      begin = found + separator.size();
    }
    add(begin, text.size());
  }

  void at_separator_from_right(std::string_view separator, int64_t most) {
    const std::string_view text = self_.text.view();
    size_t end = text.size();
    for (; most != 0; --most) {
      const size_t found = text.substr(0, end).rfind(separator);
      if (found == std::string_view::npos) break;
      add(found + separator.size(), end);
      end = found;
    }
    add(0, end);
    reverse();
  }

  void at_space(int64_t most) {
    const std::string_view text = self_.text.view();
    size_t begin = skip_space(text);
    while (begin < text.size()) {
      size_t end = begin;
      if (most-- == 0) return add(begin, text.size());
      while (end < text.size()) {
        size_t next = end;
        if (is_space(next_point(text, next))) break;
        end = next;
      }
      add(begin, end);
      begin = end + skip_space(text.substr(end));
    }
  }

  void at_space_from_right(int64_t most) {
    const std::string_view text = self_.text.view();
    size_t end = trim_end(text);
    while (end > 0) {
      if (most-- == 0) {
        add(0, end);
        break;
      }
      size_t begin = end;
      while (begin > 0) {
        const size_t previous = previous_point(text, begin);
        size_t cursor = previous;
        if (is_space(next_point(text, cursor))) break;
        begin = previous;
      }
      add(begin, end);
      end = trim_end(text.substr(0, begin));
    }
    reverse();
  }

 private:
  void reverse() { std::reverse(pieces_.items().begin(), pieces_.items().end()); }

  Runtime& runtime_;
  const String& self_;
  ListBuilder pieces_;
};

}  // namespace

Value strip(Runtime& runtime, const String& self, const Text* chars, Side side) {
  const std::string_view text = self.text.view();
  runtime.meter.work(text.size());
  size_t begin = 0;
  size_t end = text.size();
  if (chars == nullptr) {
    if (side != Side::kRight) begin = skip_space(text);
    if (side != Side::kLeft) end = std::max(begin, trim_end(text));
  } else {
    runtime.meter.work(chars->size() * 4);
    const std::u32string set = point_set(chars->view());
    const auto stripped = [&](char32_t point) { return std::binary_search(set.begin(), set.end(), point); };
    while (side != Side::kRight && begin < end) {
      size_t next = begin;
      if (!stripped(next_point(text, next))) break;
      begin = next;
    }
    while (side != Side::kLeft && end > begin) {
      const size_t previous = previous_point(text, end);
      size_t cursor = previous;
      if (!stripped(next_point(text, cursor))) break;
      end = previous;
    }
  }
  return runtime.text(self.text.slice(begin, end), self.markup);
}

Text replace(Runtime& runtime, const Text& self, const Text& from, const Text& to, int64_t count) {
  runtime.meter.work(self.size());
  const std::string_view text = self.view();
  TextBuilder out(&runtime.meter);
  size_t begin = 0;
  if (from.empty()) {
    // Python inserts before every code point and at the end.
    for (; count != 0 && begin <= text.size(); --count) {
      runtime.meter.step();
      out.append(to);
      if (begin == text.size()) return out.take();
      const size_t at = begin;
      next_point(text, begin);
      out.append(self, at, begin);
    }
    out.append(self, std::min(begin, text.size()), text.size());
    return out.take();
  }
  for (; count != 0; --count) {
    const size_t found = find_text(text, from.view(), begin);
    if (found == std::string_view::npos) break;
    runtime.meter.step();
    out.append(self, begin, found);
    out.append(to);
    begin = found + from.size();
  }
  out.append(self, begin, text.size());
  return out.take();
}

std::vector<Value> split(Runtime& runtime, const String& self, const Text* separator, int64_t most, bool from_right) {
  runtime.meter.work(self.text.size());
  Splitter splitter(runtime, self);
  if (separator == nullptr) {
    from_right ? splitter.at_space_from_right(most) : splitter.at_space(most);
    return splitter.take();
  }
  if (separator->empty()) fail("empty separator");
  if (from_right) {
    runtime.meter.work(self.text.size() * (separator->size() / 2 + 1));
    splitter.at_separator_from_right(separator->view(), most);
  } else {
    splitter.at_separator(separator->view(), most);
  }
  return splitter.take();
}

std::vector<Value> split_lines(Runtime& runtime, const String& self, bool keep_ends) {
  const std::string_view text = self.text.view();
  runtime.meter.work(text.size());
  Splitter splitter(runtime, self);
  size_t begin = 0;
  for (size_t offset = 0; offset < text.size();) {
    const size_t at = offset;
    const char32_t point = next_point(text, offset);
    if (!is_line_end(point)) continue;
    if (point == '\r' && offset < text.size() && text[offset] == '\n') ++offset;
    splitter.add(begin, keep_ends ? offset : at);
    begin = offset;
  }
  if (begin < text.size()) splitter.add(begin, text.size());
  return splitter.take();
}

Value map_text(Runtime& runtime, const String& self, std::string (*function)(std::string_view)) {
  runtime.meter.work(self.text.size());
  std::string mapped = function(self.text.view());
  return runtime.text(Text(std::move(mapped), self.text.fully_trusted()), self.markup);
}

Value pad(Runtime& runtime, const String& self, int64_t width, const Text& fill, Side side) {
  if (fill.n_points() != 1) fail("The fill character must be exactly one character long");
  const auto size = static_cast<int64_t>(self.text.n_points());
  const int64_t padding = std::max<int64_t>(width - size, 0);
  const int64_t before = side == Side::kLeft ? padding : side == Side::kRight ? 0 : padding / 2 + (padding & width & 1);
  TextBuilder out(&runtime.meter);
  for (int64_t i = 0; i < before; ++i) out.append(fill);
  out.append(self.text);
  for (int64_t i = before; i < padding; ++i) out.append(fill);
  return runtime.text(out.take(), self.markup);
}

}  // namespace glint::jinja
