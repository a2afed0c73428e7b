// SPDX-License-Identifier: Apache-2.0
//
// Template text to tokens, with Jinja's white space rules: trim_blocks and lstrip_blocks on, the signs - and + at tag
// borders, one trailing newline dropped, {% raw %} and comments. Line statements are not a thing here.
// Called by the parser only. Throws Error with the line for text that is no template.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace glint::jinja {

enum class TokenKind {
  kData,           // template text, as it will be printed
  kBlockBegin,     // {%
  kBlockEnd,       // %}
  kVariableBegin,  // {{
  kVariableEnd,    // }}
  kName,
  kString,    // text: unescaped
  kInteger,   // text: decimal digits
  kFloat,     // text: a number std::from_chars reads
  kOperator,  // text: the operator
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;
  int line;
};

/// The last token is kEnd.
std::vector<Token> tokenize(std::string_view source);

}  // namespace glint::jinja
