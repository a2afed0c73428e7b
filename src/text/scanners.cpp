// SPDX-License-Identifier: Apache-2.0
//
// The scanners of the GPT-2, tiktoken (cl100k, o200k) and Tekken families. DeepSeek's are in scanners_deepseek.cpp.
#include "text/scanners.h"

#include <algorithm>

#include "text/scanner_primitives.h"

namespace glint::scan {
namespace {

// \p{N}{1,most} at 0.
size_t number(std::string_view text, int most) {
  size_t end = 0;
  for (int count = 0; count < most; ++count) {
    const Char c = char_at(text, end);
    if (!c.is(kNumber)) break;
    end += c.size;
  }
  return end;
}

//  ?[^...]+ followed by any of `trailing`, where the class excludes white space and `words`. 0 for none.
size_t symbols(std::string_view text, CharMask words, std::string_view trailing) {
  const size_t start = text[0] == ' ' ? 1 : 0;
  size_t end = run_of_others(text, start, kSpace | words);
  if (end == start) return 0;
  while (end < text.size() && trailing.find(text[end]) != std::string_view::npos) ++end;
  return end;
}

// The cl100k patterns: `word` is the class that makes words.
size_t cl100k(std::string_view rest, int most_digits, CharMask word) {
  if (const size_t length = contraction(rest, 0, true)) return length;
  const Char first = char_at(rest, 0);
  if (first.is(word)) return run_of(rest, first.size, word);
  if (first.is(kNumber)) return number(rest, most_digits);
  if (!first.is(kNewline) && char_at(rest, first.size).is(word)) return run_of(rest, first.size, word);
  if (const size_t length = symbols(rest, word | kNumber, "\r\n")) return length;
  return white_space(rest, true);
}

// End of [upper-ish]*[lower-ish]+ from `i`, 0 for none, as backtracking finds it: the first class takes all it can and
// gives back only what the second one needs.
size_t capitalized_word(std::string_view text, size_t i) {
  constexpr CharMask kBoth = kCaseless | kMark;
  size_t end = i, after_both = 0;
  for (Char c = char_at(text, end); c.is(kUpper | kBoth); c = char_at(text, end)) {
    end += c.size;
    if (c.is(kBoth)) after_both = end;
  }
  if (char_at(text, end).is(kLower)) return run_of(text, end, kLower | kBoth);
  return after_both;
}

// End of [upper-ish]+[lower-ish]* from `i`, 0 for none.
size_t upper_word(std::string_view text, size_t i) {
  constexpr CharMask kBoth = kCaseless | kMark;
  const size_t upper = run_of(text, i, kUpper | kBoth);
  return upper == i ? 0 : run_of(text, upper, kLower | kBoth);
}

size_t cased(std::string_view rest, int most_digits, bool contractions) {
  const Char first = char_at(rest, 0);
  const bool may_lead = !first.is(kNewline | kLetter | kNumber);
  size_t end = may_lead ? capitalized_word(rest, first.size) : 0;
  if (end == 0) end = capitalized_word(rest, 0);
  if (end == 0 && may_lead) end = upper_word(rest, first.size);
  if (end == 0) end = upper_word(rest, 0);
  if (end != 0) return contractions ? end + contraction(rest, end, true) : end;
  if (first.is(kNumber)) return number(rest, most_digits);
  if (const size_t length = symbols(rest, kLetter | kNumber, "\r\n/")) return length;
  return white_space(rest, true);
}

template <typename Belongs>
size_t class_run(std::string_view rest, const Belongs& belongs) {
  return isolate(rest, [&](std::string_view text, size_t i) { return belongs(char_at(text, i)) ? run(text, i, belongs) - i : 0; });
}

bool is_punctuation(const Char& c) {
  // The ASCII characters that the C library calls punctuation and Unicode calls symbols, the backtick apart.
  return c.is(kPunctuation) || (c.is(kSymbol) && std::string_view("$+<=>^~|").find(static_cast<char>(c.code_point)) !=
                                                     std::string_view::npos && c.code_point < 0x80);
}

}  // namespace

size_t gpt2(std::string_view rest) {
  if (const size_t length = contraction(rest, 0, false)) return length;
  const size_t start = rest[0] == ' ' ? 1 : 0;
  const Char first = char_at(rest, start);
  for (const CharMask classes : {kLetter, kNumber}) {
    if (first.is(classes)) return run_of(rest, start, classes);
  }
  if (const size_t length = symbols(rest, kLetter | kNumber, "")) return length;
  return white_space(rest, false);
}

size_t llama3(std::string_view rest) { return cl100k(rest, 3, kLetter); }
size_t qwen2(std::string_view rest) { return cl100k(rest, 1, kLetter); }
size_t qwen35(std::string_view rest) { return cl100k(rest, 1, kLetter | kMark); }
size_t o200k(std::string_view rest) { return cased(rest, 3, true); }
size_t tekken(std::string_view rest) { return cased(rest, 1, false); }

size_t newline(std::string_view rest) {
  return isolate(rest, [](std::string_view text, size_t i) -> size_t { return text[i] == '\r' || text[i] == '\n'; });
}

size_t digit(std::string_view rest) {
  return isolate(rest, [](std::string_view text, size_t i) { return number(text.substr(i), 1); });
}

size_t up_to_three_digits(std::string_view rest) {
  return isolate(rest, [](std::string_view text, size_t i) { return number(text.substr(i), 3); });
}

size_t digits(std::string_view rest) {
  return class_run(rest, [](const Char& c) { return c.is(kNumber); });
}

size_t three_ascii_digits(std::string_view rest) {
  return isolate(rest, [](std::string_view text, size_t i) -> size_t {
    const std::string_view three = text.substr(i, 3);
    return three.size() == 3 && std::all_of(three.begin(), three.end(), [](char c) { return c >= '0' && c <= '9'; }) ? 3 : 0;
  });
}

size_t punctuation(std::string_view rest) { return class_run(rest, is_punctuation); }

size_t punctuation_and_backtick(std::string_view rest) {
  return class_run(rest, [](const Char& c) { return is_punctuation(c) || c.code_point == '`'; });
}

size_t lines(std::string_view rest) {
  const bool breaks = rest[0] == '\n';
  return std::min(rest.size(), breaks ? rest.find_first_not_of('\n') : rest.find('\n'));
}

}  // namespace glint::scan
