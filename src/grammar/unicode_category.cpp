// SPDX-License-Identifier: Apache-2.0
//
// \p{...}: sets of code points by general category, from utf8proc's tables.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/printable.h"
#include "grammar/regex_syntax.h"

namespace glint::grammar {
namespace {

// Name as written in \p{}, and the categories it stands for: the two-letter name's prefix is enough to find them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 40> kNames = {{
    {"letter", "L"},
    {"cased_letter", "LC"},
    {"uppercase_letter", "Lu"},
    {"lowercase_letter", "Ll"},
    {"titlecase_letter", "Lt"},
    {"modifier_letter", "Lm"},
    {"other_letter", "Lo"},
    {"mark", "M"},
    {"combining_mark", "M"},
    {"nonspacing_mark", "Mn"},
    {"spacing_mark", "Mc"},
    {"enclosing_mark", "Me"},
    {"number", "N"},
    {"decimal_number", "Nd"},
    {"digit", "Nd"},
    {"letter_number", "Nl"},
    {"other_number", "No"},
    {"punctuation", "P"},
    {"punct", "P"},
    {"connector_punctuation", "Pc"},
    {"dash_punctuation", "Pd"},
    {"open_punctuation", "Ps"},
    {"close_punctuation", "Pe"},
    {"initial_punctuation", "Pi"},
    {"final_punctuation", "Pf"},
    {"other_punctuation", "Po"},
    {"symbol", "S"},
    {"math_symbol", "Sm"},
    {"currency_symbol", "Sc"},
    {"modifier_symbol", "Sk"},
    {"other_symbol", "So"},
    {"separator", "Z"},
    {"space_separator", "Zs"},
    {"line_separator", "Zl"},
    {"paragraph_separator", "Zp"},
    {"other", "C"},
    {"control", "Cc"},
    {"cntrl", "Cc"},
    {"format", "Cf"},
    {"private_use", "Co"},
}};

std::string short_name(std::string_view name) {
  for (const std::string_view prefix : {"General_Category=", "gc="}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto& [long_name, code] : kNames) {
    if (lower == long_name) return std::string(code);
  }
  return std::string(name);
}

bool is_member(std::string_view category, std::string_view name) {
  if (name == "LC") return category == "Lu" || category == "Ll" || category == "Lt";
  return name.size() == 1 ? category[0] == name[0] : category == name;
}

}  // namespace

CharSet unicode_category(std::string_view name) {
  const std::string wanted = short_name(name);
  std::vector<CharRange> ranges;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const char* category = utf8proc_category_string(static_cast<utf8proc_int32_t>(c));
    if (!is_member({category, 2}, wanted)) continue;
    if (!ranges.empty() && ranges.back().high + 1 == c) {
      ranges.back().high = c;
    } else {
      ranges.push_back({c, c});
    }
  }
  if (ranges.empty()) {
    fail("\\p{{{}}}: not a Unicode general category; use one such as L, Lu, N, Nd, P or S", printable(name));
  }
  return CharSet(std::move(ranges));
}

}  // namespace glint::grammar
