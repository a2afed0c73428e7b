// SPDX-License-Identifier: Apache-2.0
//
// The scanners of the DeepSeek families, which split in several passes and spell out ranges of characters.
#include <algorithm>
#include <array>
#include <span>

#include "text/scanner_primitives.h"
#include "text/scanners.h"

namespace glint::scan {
namespace {

struct Range {
  char32_t first, last;
};

bool contains(std::span<const Range> sorted, char32_t c) {
  const auto above = std::upper_bound(sorted.begin(), sorted.end(), c, [](char32_t v, const Range& r) { return v < r.first; });
  return above != sorted.begin() && c <= std::prev(above)->last;
}

// The cased letters of Unicode 11, as DeepSeek's pattern lists them (without Georgian Nuskhuri, mathematical letters and
// a few others).
constexpr std::array kCasedLetters = std::to_array<Range>(
    {{0x41, 0x5A},       {0x61, 0x7A},       {0xB5, 0xB5},       {0xC0, 0xD6},       {0xD8, 0xF6},
     {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},     {0x295, 0x2AF},     {0x370, 0x373},
     {0x376, 0x377},     {0x37B, 0x37D},     {0x37F, 0x37F},     {0x386, 0x386},     {0x388, 0x38A},
     {0x38C, 0x38C},     {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},     {0x48A, 0x52F},
     {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},   {0x1C90, 0x1CBA},
     {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},   {0x1E00, 0x1F15},
     {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},   {0x1F59, 0x1F59},
     {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},   {0x1FB6, 0x1FBC},
     {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},   {0x1FD6, 0x1FDB},
     {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},   {0x2102, 0x2102},   {0x2107, 0x2107},
     {0x210A, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},   {0x2126, 0x2126},
     {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},   {0x213C, 0x213F},
     {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2184},   {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},
     {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF3},   {0xA640, 0xA66D},   {0xA680, 0xA69B},   {0xA722, 0xA76F},
     {0xA771, 0xA787},   {0xA78B, 0xA78E},   {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},
     {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},   {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
     {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943}});

// [!-/:-~！-／：-～‘-‟　-。]; the range from ':' to '~' has the ASCII letters in it, as in the original.
constexpr std::array kPunctuationMarks = std::to_array<Range>(
    {{0x21, 0x2F}, {0x3A, 0x7E}, {0x2018, 0x201F}, {0x3000, 0x3002}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}});

// [一-龥ࠀ-一가-퟿]
constexpr std::array kEastAsian = std::to_array<Range>({{0x800, 0x9FA5}, {0xAC00, 0xD7FF}});

// [一-龥぀-ゟ゠-ヿ]
constexpr std::array kHanAndKana = std::to_array<Range>({{0x3040, 0x30FF}, {0x4E00, 0x9FA5}});

bool is_ascii_letter(const Char& c) {
  return c.code_point < 0x80 && c.is(kUpper | kLower);
}

bool is_ascii_punctuation(const Char& c) { return c.code_point < 0x80 && c.is(kPunctuation | kSymbol); }

template <typename Belongs>
size_t class_run(std::string_view rest, const Belongs& belongs) {
  return isolate(rest, [&](std::string_view text, size_t i) { return run(text, i, belongs) - i; });
}

// \s?X+
template <typename Belongs>
size_t run_after_space(std::string_view rest, const Belongs& belongs) {
  return isolate(rest, [&](std::string_view text, size_t i) -> size_t {
    const Char first = char_at(text, i);
    if (belongs(first)) return run(text, i, belongs) - i;
    if (!first.is(kSpace)) return 0;
    const size_t end = run(text, i + first.size, belongs);
    return end == i + first.size ? 0 : end - i;
  });
}

size_t deepseek_v3_match(std::string_view text, size_t i) {
  const std::string_view rest = text.substr(i);
  const Char first = char_at(rest, 0);
  const Char second = char_at(rest, first.size);
  if (is_ascii_punctuation(first) && is_ascii_letter(second)) return run(rest, first.size, is_ascii_letter);
  constexpr CharMask kWord = kLetter | kMark;
  const bool may_lead = !first.is(kNewline | kLetter | kPunctuation | kSymbol);
  if (first.is(kWord) || (may_lead && second.is(kWord))) return run_of(rest, first.size, kWord);
  const size_t start = first.code_point == ' ' ? 1 : 0;
  size_t end = run_of(rest, start, kPunctuation | kSymbol);
  if (end != start) {
    while (end < rest.size() && (rest[end] == '\r' || rest[end] == '\n')) ++end;
    return end;
  }
  return first.is(kSpace) ? white_space(rest, true) : 0;
}

}  // namespace

size_t deepseek_v3(std::string_view rest) { return isolate(rest, deepseek_v3_match); }

size_t deepseek_v3_cjk(std::string_view rest) {
  return class_run(rest, [](const Char& c) { return contains(kHanAndKana, c.code_point); });
}

size_t deepseek_llm_word(std::string_view rest) {
  return run_after_space(rest, [](const Char& c) { return contains(kCasedLetters, c.code_point); });
}

size_t deepseek_llm_punctuation(std::string_view rest) {
  return run_after_space(rest, [](const Char& c) { return contains(kPunctuationMarks, c.code_point); });
}

size_t deepseek_llm_cjk(std::string_view rest) {
  return class_run(rest, [](const Char& c) { return contains(kEastAsian, c.code_point); });
}

size_t deepseek_coder_word(std::string_view rest) {
  return run_after_space(rest, [](const Char& c) { return c.is(kLetter); });
}

size_t deepseek_coder_punctuation(std::string_view rest) {
  return run_after_space(rest, [](const Char& c) { return c.is(kPunctuation); });
}

size_t trailing_space(std::string_view rest) {
  size_t start = 0;  // of the white space that reaches as far as we have looked
  for (size_t i = 0; i < rest.size();) {
    const Char c = char_at(rest, i);
    i += c.size;
    if (!c.is(kSpace)) start = i;
  }
  return start == 0 ? rest.size() : start;
}

}  // namespace glint::scan
