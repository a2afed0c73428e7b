// SPDX-License-Identifier: Apache-2.0
//
// UTF-8 for hostile bytes: every function is total, never reads past the view and agrees with every other one about what
// is invalid (overlong forms, surrogates, values above U+10FFFF, stray or missing continuation bytes).
// An invalid stretch counts as Unicode's "maximal subpart": the longest prefix of a well-formed sequence, or one byte.
// Each such stretch becomes one U+FFFD. Tested by tests/unit/base/utf8_test.cpp.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace glint::utf8 {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code_point = 0;  // kReplacement when not valid
  int size = 0;             // bytes consumed: 0 only at the end of the text, else 1 to 4
  bool valid = true;
  bool truncated = false;  // not valid, but more bytes after the end of the text could have made it so
};

/// decode() for what is not ASCII.
Decoded decode_sequence(std::string_view text, size_t position);

/// Decodes what starts at `position`; `position` may be at or past the end.
inline Decoded decode(std::string_view text, size_t position = 0) {
  if (position >= text.size()) return {0, 0, true, false};
  const unsigned char first = static_cast<unsigned char>(text[position]);
  return first < 0x80 ? Decoded{first, 1, true, false} : decode_sequence(text, position);
}

/// Appends `code_point`; surrogates and values above U+10FFFF become U+FFFD.
void append(std::string& out, char32_t code_point);

bool is_valid(std::string_view text);

/// `text` with every invalid stretch replaced by U+FFFD; equal to `text` when it is valid.
std::string repair(std::string_view text);

/// Number of bytes at the end of `text` that begin a code point without completing it: 0 to 3.
size_t truncated_suffix(std::string_view text);

}  // namespace glint::utf8
