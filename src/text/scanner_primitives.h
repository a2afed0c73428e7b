// SPDX-License-Identifier: Apache-2.0
//
// The few moves that every scanner is made of: look at a character's classes, run over a class, match an English
// contraction, split white space. Private to text/scanners*.cpp.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/utf8.h"
#include "text/unicode.h"

namespace glint::scan {

/// A character of the text with its classes; past the end size and mask are 0, so that no class matches there.
struct Char {
  char32_t code_point = 0;
  size_t size = 0;
  CharMask mask = 0;
  bool is(CharMask classes) const { return (mask & classes) != 0; }
};

inline Char char_at(std::string_view text, size_t i) {
  if (i >= text.size()) return {};
  const utf8::Decoded decoded = utf8::decode(text, i);
  return {decoded.code_point, static_cast<size_t>(decoded.size), char_class(decoded.code_point)};
}

/// End of the longest run from `i` of characters for which `belongs(Char)` holds.
template <typename Belongs>
size_t run(std::string_view text, size_t i, const Belongs& belongs) {
  for (Char c = char_at(text, i); c.size != 0 && belongs(c); c = char_at(text, i)) i += c.size;
  return i;
}

inline size_t run_of(std::string_view text, size_t i, CharMask classes) {
  return run(text, i, [classes](const Char& c) { return c.is(classes); });
}
inline size_t run_of_others(std::string_view text, size_t i, CharMask classes) {
  return run(text, i, [classes](const Char& c) { return !c.is(classes); });
}

/// For a pattern that does not cover every text: its match at the start (`match(text, 0)`, 0 for none), or else all that
/// precedes the next match. `match` must take constant time to fail.
template <typename Match>
size_t isolate(std::string_view text, const Match& match) {
  if (const size_t length = match(text, 0)) return length;
  size_t i = char_at(text, 0).size;
  while (i < text.size() && match(text, i) == 0) i += char_at(text, i).size;
  return i;
}

/// Length of 's|'t|'re|'ve|'m|'ll|'d at `i`, 0 for none. Ignoring case follows Unicode's folding, by which U+017F is an s.
inline size_t contraction(std::string_view text, size_t i, bool ignore_case) {
  if (i >= text.size() || text[i] != '\'') return 0;
  const auto letter = [&](size_t at) -> char {
    if (at >= text.size()) return 0;
    const char c = text[at];
    return ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  const char first = letter(i + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' || first == 'v') && letter(i + 2) == 'e') return 3;
  if (first == 'l' && letter(i + 2) == 'l') return 3;
  if (ignore_case && text.substr(i + 1, 2) == "\xC5\xBF") return 3;
  return 0;
}

/// \s*[\r\n]+|\s+(?!\S)|\s+ at the white space that starts at 0: up to the last line break of the run; else the run
/// without its last character, which goes with the word after it; else the run.
inline size_t white_space(std::string_view text, bool break_lines) {
  size_t end = 0, last = 0, after_break = 0, count = 0;
  for (Char c = char_at(text, 0); c.is(kSpace); c = char_at(text, end)) {
    last = end;
    end += c.size;
    ++count;
    if (c.is(kNewline)) after_break = end;
  }
  if (break_lines && after_break != 0) return after_break;
  return end == text.size() || count == 1 ? end : last;
}

}  // namespace glint::scan
