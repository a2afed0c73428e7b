// SPDX-License-Identifier: Apache-2.0
//
// The expression half of the parser. Precedence from loosest: if-else, or, and, not, comparisons and in, + -, ~,
// * / // %, **, unary + -, then postfix (attribute, item, call) and filters and tests; as in Jinja, ~ binds tighter
// than + and a filter applies to a negated operand as a whole.
// Called by the statement half (parser.cpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/ast.h"
#include "text/jinja/token_stream.h"

namespace glint::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr expression(bool with_conditional = true);

  struct TupleRules {
    bool targets_only = false;  // names and literals, as in an assignment
    bool with_conditional = true;
    bool with_namespace = false;  // ns.attribute is a target
    bool in_parentheses = false;  // () is an empty tuple
  };
  /// One expression, or a tuple if commas follow.
  ExpressionPtr tuple(const TupleRules& rules);
  ExpressionPtr tuple() { return tuple(TupleRules{}); }
  /// Filters at the current position, applied to `input` (null: to the enclosing block). `first_bare`: the first
  /// stands without its |.
  ExpressionPtr filters(ExpressionPtr input, bool first_bare);

  /// An assignable tuple or name, its names used as `use` says.
  ExpressionPtr assignment_target(NameUse use, bool with_namespace);
  ExpressionPtr make(int line, decltype(Expression::node) node) const;

 private:
  ExpressionPtr disjunction();
  ExpressionPtr conjunction();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters = true);
  ExpressionPtr primary(bool with_namespace = false);
  ExpressionPtr name_or_constant(bool with_namespace);
  ExpressionPtr string_literal();
  ExpressionPtr list_display();
  ExpressionPtr dict_display();
  ExpressionPtr postfix(ExpressionPtr operand);
  ExpressionPtr filters_and_tests(ExpressionPtr operand);
  ExpressionPtr attribute(ExpressionPtr object);
  ExpressionPtr subscript(ExpressionPtr object);
  ExpressionPtr slice(ExpressionPtr object, ExpressionPtr start, int line);
  ExpressionPtr call(ExpressionPtr callee);
  ExpressionPtr test(ExpressionPtr input);
  std::optional<Comparison> comparison_operator();
  std::string dotted_name();
  CallArguments call_arguments();
  void call_argument(CallArguments& arguments, int line);

  TokenStream& tokens_;
  int depth_ = 0;
};

}  // namespace glint::jinja
