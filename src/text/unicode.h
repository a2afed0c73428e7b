// SPDX-License-Identifier: Apache-2.0
//
// What the tokenizers need to know about characters: the classes that pre-tokenizer patterns speak of, and
// normalization form C. Thin over utf8proc; knows nothing of vocabularies. Tested by tests/unit/text/unicode_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace glint {

/// Classes of characters, as bits so that a set of classes is one mask. The names give the regular expression's class.
using CharMask = uint16_t;
inline constexpr CharMask kUpper = 1 << 0;        // \p{Lu} \p{Lt}
inline constexpr CharMask kLower = 1 << 1;        // \p{Ll}
inline constexpr CharMask kCaseless = 1 << 2;     // \p{Lm} \p{Lo}
inline constexpr CharMask kMark = 1 << 3;         // \p{M}
inline constexpr CharMask kNumber = 1 << 4;       // \p{N}
inline constexpr CharMask kPunctuation = 1 << 5;  // \p{P}
inline constexpr CharMask kSymbol = 1 << 6;       // \p{S}
inline constexpr CharMask kSpace = 1 << 7;        // \s: the property White_Space
inline constexpr CharMask kNewline = 1 << 8;      // [\r\n], which are kSpace too
inline constexpr CharMask kOther = 1 << 9;        // none of the above
inline constexpr CharMask kLetter = kUpper | kLower | kCaseless;  // \p{L}

/// The classes of one code point; constant time.
CharMask char_class(char32_t code_point);

/// Normalization form C of valid UTF-8. O(n log n) whatever the text: a run of a million combining marks costs no more
/// than others.
std::string to_nfc(std::string_view text);

}  // namespace glint
