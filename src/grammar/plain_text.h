// SPDX-License-Identifier: Apache-2.0
//
// The text that JSON strings and most free text may hold as it is: printable ASCII without the quotation mark and the
// backslash, and all of UTF-8 beyond ASCII; and within it, what most tokens of words end in: small letters. Where a
// grammar reads any of it and stays where it was, whole subtrees of a vocabulary are allowed at once. Called by
// token_trie and token_sets. Tested by tests/unit/grammar/token_trie_test.cpp.
#pragma once

#include <cstdint>
#include <optional>

namespace glint::grammar {

/// From the widest to the narrowest: what is of one kind is of those before it too.
enum class TextKind : uint8_t { kAny, kPlain, kSmallLetters };

/// Where plain text stands within a character: how many bytes of it are to come, and from what range the next one is.
struct CharacterRest {
  uint8_t n = 0;
  uint8_t low = 0x80, high = 0xBF;

  bool operator==(const CharacterRest&) const = default;
};

/// What is to come after one more byte; nothing where that byte makes it no plain text.
inline std::optional<CharacterRest> plain_text_after(CharacterRest rest, uint8_t byte) {
  if (rest.n > 0) {
    if (byte < rest.low || byte > rest.high) return std::nullopt;
    return CharacterRest{static_cast<uint8_t>(rest.n - 1)};
  }
  if (byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\') return CharacterRest{};
  if (byte < 0xC2 || byte > 0xF4) return std::nullopt;
  if (byte < 0xE0) return CharacterRest{1};
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  if (byte < 0xF0)
    return CharacterRest{2, static_cast<uint8_t>(byte == 0xE0 ? 0xA0 : 0x80),
                         static_cast<uint8_t>(byte == 0xED ? 0x9F : 0xBF)};
  return CharacterRest{3, static_cast<uint8_t>(byte == 0xF0 ? 0x90 : 0x80),
                       static_cast<uint8_t>(byte == 0xF4 ? 0x8F : 0xBF)};
}

inline bool is_small_letter(uint8_t byte) {
  return byte >= 'a' && byte <= 'z';
}

}  // namespace glint::grammar
