// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/characters.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/utf8.h"

namespace glint::jinja {
namespace {

struct SpecialCase {
  char32_t point;
  std::u32string_view upper;
  std::u32string_view title;
};

constexpr SpecialCase kSpecialCases[] = {
#include "text/jinja/tables/special_case.inc"
};

const SpecialCase* find_special_case(char32_t point) {
  const auto* entry = std::lower_bound(std::begin(kSpecialCases), std::end(kSpecialCases), point,
                                       [](const SpecialCase& a, char32_t b) { return a.point < b; });
  return entry != std::end(kSpecialCases) && entry->point == point ? entry : nullptr;
}

utf8proc_category_t category(char32_t point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(point));
}

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

void append_all(std::string& out, std::u32string_view points) {
  for (char32_t point : points) utf8::append(out, point);
}

void append_upper(std::string& out, char32_t point) {
  if (const SpecialCase* special = find_special_case(point)) return append_all(out, special->upper);
  utf8::append(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(point))));
}

void append_title(std::string& out, char32_t point) {
  if (const SpecialCase* special = find_special_case(point)) return append_all(out, special->title);
  utf8::append(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(point))));
}

bool is_cased(char32_t point) {
  return is_lower(point) || is_upper(point) || is_title(point);
}

/// Code points that do not break the word a capital sigma stands in.
bool is_case_ignorable(char32_t point) {
  switch (category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return point == '\'' || point == '.' || point == ':' || point == 0xb7 || point == 0x2019 || point == 0x2018;
  }
}

/// A capital sigma at [at, next) ends its word: a cased letter before, none after.
bool is_final_sigma(std::string_view text, size_t at, size_t next) {
  bool cased_before = false;
  while (at > 0) {
    at = previous_point(text, at);
    size_t cursor = at;
    const char32_t point = next_point(text, cursor);
    if (is_case_ignorable(point)) continue;
    cased_before = is_cased(point);
    break;
  }
  if (!cased_before) return false;
  while (next < text.size()) {
    const char32_t point = next_point(text, next);
    if (!is_case_ignorable(point)) return !is_cased(point);
  }
  return true;
}

void append_lower(std::string& out, std::string_view text, size_t at, size_t next, char32_t point) {
  constexpr char32_t kCapitalSigma = 0x3a3;
  constexpr char32_t kCapitalDottedI = 0x130;
  if (point == kCapitalSigma) return utf8::append(out, is_final_sigma(text, at, next) ? 0x3c2 : 0x3c3);
  if (point == kCapitalDottedI) return append_all(out, U"i\u0307");
  utf8::append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(point))));
}

/// Calls f(begin, end, code point) for each code point.
template <class F>
void for_each_point(std::string_view text, F&& f) {
  for (size_t offset = 0; offset < text.size();) {
    const size_t begin = offset;
    const char32_t point = next_point(text, offset);
    f(begin, offset, point);
  }
}

}  // namespace

char32_t next_point(std::string_view text, size_t& offset) {
  if (static_cast<unsigned char>(text[offset]) < 0x80) return static_cast<unsigned char>(text[offset++]);
  const utf8::Decoded decoded = utf8::decode(text, offset);
  offset += static_cast<size_t>(decoded.size);
  return decoded.code_point;
}

size_t previous_point(std::string_view text, size_t offset) {
  --offset;
  for (int i = 0; i < 3 && offset > 0 && is_continuation(text[offset]); ++i) --offset;
  return offset;
}

size_t count_points(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  for (size_t offset = 0; offset < text.size();) {
    const utf8::Decoded decoded = utf8::decode(text, offset);
    if (!decoded.valid) return offset;
    offset += static_cast<size_t>(decoded.size);
  }
  return std::nullopt;
}

bool is_space(char32_t point) {
  if (point < 0x80) return (point >= 9 && point <= 13) || (point >= 0x1c && point <= 0x20);
  return point == 0x85 || point == 0xa0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 ||
         point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

bool is_alphabetic(char32_t point) {
  const utf8proc_category_t c = category(point);
  return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT ||
         c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t point) {
  return category(point) == UTF8PROC_CATEGORY_ND;
}

bool is_digit(char32_t point) {
  // Digits that are not decimals: superscripts, circled and other numbered forms of one digit.
  constexpr std::array<std::pair<char32_t, char32_t>, 20> kOtherDigits = {{
      {0xb2, 0xb3},     {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},   {0x2070, 0x2070},
      {0x2074, 0x2079}, {0x2080, 0x2089},   {0x2460, 0x2468},   {0x2474, 0x247c},   {0x2488, 0x2490},
      {0x24ea, 0x24ea}, {0x24f5, 0x24fd},   {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},
      {0x278a, 0x2792}, {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a},
  }};
  if (is_decimal(point)) return true;
  return std::any_of(kOtherDigits.begin(), kOtherDigits.end(),
                     [point](const auto& range) { return point >= range.first && point <= range.second; });
}

bool is_alphanumeric(char32_t point) {
  const utf8proc_category_t c = category(point);
  return is_alphabetic(point) || c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO;
}

bool is_lower(char32_t point) {
  return category(point) == UTF8PROC_CATEGORY_LL || point == 0xaa || point == 0xba;
}
bool is_upper(char32_t point) {
  return category(point) == UTF8PROC_CATEGORY_LU;
}
bool is_title(char32_t point) {
  return category(point) == UTF8PROC_CATEGORY_LT;
}

bool is_printable(char32_t point) {
  if (point == ' ') return true;
  switch (category(point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_name_start(char32_t point) {
  return point == '_' || is_alphabetic(point) || category(point) == UTF8PROC_CATEGORY_NL;
}

bool is_name_part(char32_t point) {
  switch (category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return is_name_start(point);
  }
}

std::string lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_point(text, [&](size_t at, size_t next, char32_t point) { append_lower(out, text, at, next, point); });
  return out;
}

std::string upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_point(text, [&](size_t, size_t, char32_t point) { append_upper(out, point); });
  return out;
}

std::string title(std::string_view text) {
  std::string out;
  bool in_word = false;
  for_each_point(text, [&](size_t at, size_t next, char32_t point) {
    if (in_word) {
      append_lower(out, text, at, next, point);
    } else {
      append_title(out, point);
    }
    in_word = is_cased(point);
  });
  return out;
}

std::string capitalize(std::string_view text) {
  std::string out;
  for_each_point(text, [&](size_t at, size_t next, char32_t point) {
    if (at == 0) {
      append_title(out, point);
    } else {
      append_lower(out, text, at, next, point);
    }
  });
  return out;
}

std::string swap_case(std::string_view text) {
  std::string out;
  for_each_point(text, [&](size_t at, size_t next, char32_t point) {
    if (is_upper(point)) {
      append_lower(out, text, at, next, point);
    } else if (is_lower(point)) {
      append_upper(out, point);
    } else {
      utf8::append(out, point);
    }
  });
  return out;
}

std::string fold_case(std::string_view text) {
  std::string out;
  for_each_point(text, [&](size_t, size_t, char32_t point) {
    std::array<utf8proc_int32_t, 8> folded{};
    int boundary = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point), folded.data(),
                                                           folded.size(), UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t i = 0; i < count; ++i)
      utf8::append(out, static_cast<char32_t>(folded[static_cast<size_t>(i)]));
  });
  return out;
}

size_t skip_space(std::string_view text) {
  size_t offset = 0;
  while (offset < text.size()) {
    size_t next = offset;
    if (!is_space(next_point(text, next))) break;
    offset = next;
  }
  return offset;
}

size_t trim_end(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const size_t begin = previous_point(text, end);
    size_t cursor = begin;
    if (!is_space(next_point(text, cursor))) break;
    end = begin;
  }
  return end;
}

}  // namespace glint::jinja
