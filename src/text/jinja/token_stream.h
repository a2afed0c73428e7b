// SPDX-License-Identifier: Apache-2.0
//
// A cursor over tokens with the questions a parser asks. Used by the two halves of the parser.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "text/jinja/lexer.h"

namespace glint::jinja {

/// How a message names a token.
inline std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kData:
      return "template text";
    case TokenKind::kBlockBegin:
      return "begin of statement block";
    case TokenKind::kBlockEnd:
      return "end of statement block";
    case TokenKind::kVariableBegin:
      return "begin of print statement";
    case TokenKind::kVariableEnd:
      return "end of print statement";
    case TokenKind::kEnd:
      return "end of template";
    default:
      return token.text;
  }
}

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[position_]; }
  const Token& ahead() const { return tokens_[position_ + 1 < tokens_.size() ? position_ + 1 : position_]; }
  int line() const { return current().line; }

  /// The current token; moves on (never past the end).
  const Token& take() {
    const Token& token = tokens_[position_];
    if (position_ + 1 < tokens_.size()) ++position_;
    return token;
  }

  bool at(TokenKind kind) const { return current().kind == kind; }
  bool at_name(std::string_view name) const { return at(TokenKind::kName) && current().text == name; }
  bool at_operator(std::string_view op) const { return at(TokenKind::kOperator) && current().text == op; }
  bool skip_name(std::string_view name) { return at_name(name) && (take(), true); }
  bool skip_operator(std::string_view op) { return at_operator(op) && (take(), true); }

  void expect(TokenKind kind, std::string_view what) {
    if (!at(kind)) fail("line {}: expected {}, got '{}'", line(), what, describe(current()));
    take();
  }
  void expect_operator(std::string_view op) {
    if (!skip_operator(op)) fail("line {}: expected '{}', got '{}'", line(), op, describe(current()));
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) fail("line {}: expected '{}', got '{}'", line(), name, describe(current()));
  }
  std::string take_name() {
    if (!at(TokenKind::kName)) fail("line {}: expected a name, got '{}'", line(), describe(current()));
    return take().text;
  }

 private:
  std::vector<Token> tokens_;
  size_t position_ = 0;
};

}  // namespace glint::jinja
