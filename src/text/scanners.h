// SPDX-License-Identifier: Apache-2.0
//
// The patterns that split text into pre-tokens, as hand-written linear scanners. Each stands for the regular expression
// in its comment and gives what a backtracking engine gives for it, without stack, backtracking or tables. Called by
// text/pre_tokenizer; knows nothing of vocabularies.
//
// A scanner looks at `rest`, valid UTF-8 and not empty, and returns the length in bytes of its first piece: a match at
// the start, or else everything up to the next match. The end of `rest` is the end of the text for look-ahead.
// Tested by tests/unit/text/scanners_test.cpp, against the regular expressions themselves.
#pragma once

#include <cstddef>
#include <string_view>

namespace glint {

using Scanner = size_t (*)(std::string_view rest);

namespace scan {

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t gpt2(std::string_view rest);

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
size_t llama3(std::string_view rest);
/// llama3 with \p{N} instead of \p{N}{1,3}
size_t qwen2(std::string_view rest);
/// qwen2 with [\p{L}\p{M}] instead of \p{L}, except in [^\r\n\p{L}\p{N}]?
size_t qwen35(std::string_view rest);

/// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
/// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
/// \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
size_t o200k(std::string_view rest);
/// o200k without the two (?i:...)? and with \p{N} instead of \p{N}{1,3}
size_t tekken(std::string_view rest);

/// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|
/// \s*[\r\n]+|\s+(?!\S)|\s+
size_t deepseek_v3(std::string_view rest);
/// [一-龥぀-ゟ゠-ヿ]+
size_t deepseek_v3_cjk(std::string_view rest);

/// \s?[A-Za-zµ...]+ : the letters of bicameral scripts that DeepSeek's own list names
size_t deepseek_llm_word(std::string_view rest);
/// \s?[!-/:-~！-／：-～‘-‟　-。]+
size_t deepseek_llm_punctuation(std::string_view rest);
/// \s+$
size_t trailing_space(std::string_view rest);
/// [一-龥ࠀ-一가-퟿]+
size_t deepseek_llm_cjk(std::string_view rest);

/// \s?\p{L}+
size_t deepseek_coder_word(std::string_view rest);
/// \s?\p{P}+
size_t deepseek_coder_punctuation(std::string_view rest);

/// [\r\n]
size_t newline(std::string_view rest);
/// \p{N}
size_t digit(std::string_view rest);
/// \p{N}+
size_t digits(std::string_view rest);
/// \p{N}{1,3}
size_t up_to_three_digits(std::string_view rest);
/// [0-9][0-9][0-9]
size_t three_ascii_digits(std::string_view rest);
/// [\p{P}\$\+<=>\^~\|]+
size_t punctuation(std::string_view rest);
/// [\p{P}\$\+<=>\^~\|`]+
size_t punctuation_and_backtick(std::string_view rest);
/// [^\n]+|[\n]+
size_t lines(std::string_view rest);

}  // namespace scan
}  // namespace glint
