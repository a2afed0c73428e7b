// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/string_literal.h"

#include <charconv>

#include "base/check.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"

namespace glint::jinja {
namespace {

/// Reads \x, \u or \U digits at `offset`.
char32_t hex_escape(std::string_view text, size_t& offset, size_t n_digits, int line) {
  uint32_t code = 0;
  const size_t end = offset + n_digits;
  if (end <= text.size()) {
    const auto [stop, error] = std::from_chars(text.data() + offset, text.data() + end, code, 16);
    if (error == std::errc() && stop == text.data() + end) {
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        fail("line {}: escape U+{:04X} in a string is not a character", line, code);
      }
      offset = end;
      return code;
    }
  }
  fail("line {}: truncated \\x, \\u or \\U escape in a string", line);
}

char32_t octal_escape(std::string_view text, size_t& offset) {
  char32_t code = 0;
  for (int i = 0; i < 3 && offset < text.size() && text[offset] >= '0' && text[offset] <= '7'; ++i) {
    code = code * 8 + static_cast<char32_t>(text[offset++] - '0');
  }
  return code;
}

/// A backslash before a non-ASCII character stays, and the character becomes the text of its own escape: Jinja
/// encodes such characters as escapes before it decodes the string.
void append_quoted_escape(std::string& out, char32_t point) {
  const auto code = static_cast<uint32_t>(point);
  out += '\\';
  out += code <= 0xff     ? fmt::format("x{:02x}", code)
         : code <= 0xffff ? fmt::format("u{:04x}", code)
                          : fmt::format("U{:08x}", code);
}

}  // namespace

std::string unescape_string(std::string_view text, int line) {
  constexpr std::string_view kLetters = "\\'\"abfnrtv";
  constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
  std::string out;
  for (size_t offset = 0; offset < text.size();) {
    if (text[offset] != '\\') {
      out += text[offset++];
      continue;
    }
    ++offset;  // a literal never ends in a lone backslash: it would quote the quote
    const char c = text[offset];
    if (static_cast<unsigned char>(c) >= 0x80) {
      append_quoted_escape(out, next_point(text, offset));
    } else if (c >= '0' && c <= '7') {
      utf8::append(out, octal_escape(text, offset));
    } else if (c == 'x' || c == 'u' || c == 'U') {
      utf8::append(out, hex_escape(text, ++offset, c == 'x' ? 2 : c == 'u' ? 4 : 8, line));
    } else if (c == 'N') {
      fail("line {}: \\N escapes in strings are not supported", line);
    } else if (const size_t found = kLetters.find(c); found != std::string_view::npos) {
      out += kMeanings[found];
      ++offset;
    } else {
      if (c != '\n') out += {'\\', c};  // backslash newline joins lines; any other pair stays
      ++offset;
    }
  }
  return out;
}

}  // namespace glint::jinja
