// SPDX-License-Identifier: Apache-2.0
//
// Code points as Python's str methods see them: white space, classes, and full case mappings (one code point may become
// several; the final sigma rule). Data come from utf8proc, exceptions from tables/special_case.inc.
// All strings are UTF-8 (base/utf8); ill-formed bytes never crash but callers reject them earlier.
// Tested by tests/unit/text/jinja_text_test.cpp.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace glint::jinja {

/// Decodes the code point at `offset` (< size) and moves `offset` behind it.
char32_t next_point(std::string_view text, size_t& offset);
/// Offset where the code point that ends at `offset` (> 0) begins.
size_t previous_point(std::string_view text, size_t offset);
size_t count_points(std::string_view text);
/// Offset of the first byte that is not well-formed UTF-8 (surrogates and overlong forms included), if any.
std::optional<size_t> find_invalid_utf8(std::string_view text);

bool is_space(char32_t point);         // str.isspace, and \s of Python's re
bool is_alphabetic(char32_t point);    // str.isalpha
bool is_decimal(char32_t point);       // str.isdecimal
bool is_digit(char32_t point);         // str.isdigit
bool is_alphanumeric(char32_t point);  // letters and all numbers
bool is_lower(char32_t point);
bool is_upper(char32_t point);
bool is_title(char32_t point);
bool is_printable(char32_t point);   // str.isprintable: what repr() shows as is
bool is_name_start(char32_t point);  // may begin an identifier
bool is_name_part(char32_t point);   // may continue one

std::string lower(std::string_view text);
std::string upper(std::string_view text);
std::string title(std::string_view text);       // str.title
std::string capitalize(std::string_view text);  // str.capitalize
std::string swap_case(std::string_view text);
std::string fold_case(std::string_view text);

/// Offset of the first byte that is not white space, size() if none.
size_t skip_space(std::string_view text);
/// Offset behind the last byte that is not white space, 0 if none.
size_t trim_end(std::string_view text);

}  // namespace glint::jinja
