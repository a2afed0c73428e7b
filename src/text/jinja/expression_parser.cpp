// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "text/jinja/ast_walk.h"
#include "text/jinja/filters.h"
#include "text/jinja/limits.h"
#include "text/jinja/tests.h"

namespace glint::jinja {
namespace {

/// Bounds the recursion of the parser for as long as it lives.
class Descent {
 public:
  Descent(int& depth, int line) : depth_(depth) {
    if (depth >= kMaxExpressionDepth) fail("line {}: expression nested more than {} deep", line, kMaxExpressionDepth);
    ++depth_;
  }
  Descent(const Descent&) = delete;
  Descent& operator=(const Descent&) = delete;
  ~Descent() { --depth_; }

 private:
  int& depth_;
};

std::optional<Arithmetic> find_operator(const Token& token,
                                        std::initializer_list<std::pair<std::string_view, Arithmetic>> table) {
  if (token.kind != TokenKind::kOperator) return std::nullopt;
  for (const auto& [text, op] : table) {
    if (token.text == text) return op;
  }
  return std::nullopt;
}

bool is_target(const Expression& expression) {
  if (const auto* tuple = std::get_if<TupleDisplay>(&expression.node)) {
    return std::all_of(tuple->items.begin(), tuple->items.end(), [](const auto& item) { return is_target(*item); });
  }
  return std::holds_alternative<Name>(expression.node) || std::holds_alternative<NamespaceTarget>(expression.node);
}

void set_use(Expression& target, NameUse use) {
  if (auto* name = std::get_if<Name>(&target.node)) name->use = use;
  for_each_child(target, [use](Expression& child) { set_use(child, use); });
}

}  // namespace

ExpressionPtr ExpressionParser::make(int line, decltype(Expression::node) node) const {
  auto expression = std::make_unique<Expression>(Expression{std::move(node), line, 1});
  for_each_child(*expression,
                 [&](const Expression& child) { expression->depth = std::max(expression->depth, child.depth + 1); });
  if (expression->depth > kMaxExpressionDepth) {
    fail("line {}: expression nested more than {} deep", line, kMaxExpressionDepth);
  }
  return expression;
}

ExpressionPtr ExpressionParser::expression(bool with_conditional) {
  const Descent descent(depth_, tokens_.line());
  if (!with_conditional) return disjunction();
  int line = tokens_.line();
  ExpressionPtr then = disjunction();
  while (tokens_.skip_name("if")) {
    ExpressionPtr test = disjunction();
    ExpressionPtr otherwise = tokens_.skip_name("else") ? expression() : nullptr;
    then = make(line, Conditional{std::move(test), std::move(then), std::move(otherwise)});
    line = tokens_.line();
  }
  return then;
}

ExpressionPtr ExpressionParser::disjunction() {
  const int line = tokens_.line();
  ExpressionPtr left = conjunction();
  while (tokens_.skip_name("or")) left = make(line, Logical{false, std::move(left), conjunction()});
  return left;
}

ExpressionPtr ExpressionParser::conjunction() {
  const int line = tokens_.line();
  ExpressionPtr left = negation();
  while (tokens_.skip_name("and")) left = make(line, Logical{true, std::move(left), negation()});
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  const int line = tokens_.line();
  if (!tokens_.skip_name("not")) return comparison();
  const Descent descent(depth_, line);
  return make(line, Unary{Unary::Op::kNot, negation()});
}

std::optional<Comparison> ExpressionParser::comparison_operator() {
  constexpr std::pair<std::string_view, Comparison> kOperators[] = {
      {"==", Comparison::kEqual},     {"!=", Comparison::kNotEqual}, {"<", Comparison::kLess},
      {"<=", Comparison::kLessEqual}, {">", Comparison::kGreater},   {">=", Comparison::kGreaterEqual}};
  for (const auto& [text, op] : kOperators) {
    if (tokens_.skip_operator(text)) return op;
  }
  if (tokens_.skip_name("in")) return Comparison::kIn;
  if (tokens_.at_name("not") && tokens_.ahead().kind == TokenKind::kName && tokens_.ahead().text == "in") {
    tokens_.take();
    tokens_.take();
    return Comparison::kNotIn;
  }
  return std::nullopt;
}

ExpressionPtr ExpressionParser::comparison() {
  const int line = tokens_.line();
  ExpressionPtr first = sum();
  std::vector<std::pair<Comparison, ExpressionPtr>> rest;
  while (const auto op = comparison_operator()) rest.emplace_back(*op, sum());
  if (rest.empty()) return first;
  return make(line, ComparisonChain{std::move(first), std::move(rest)});
}

ExpressionPtr ExpressionParser::sum() {
  const int line = tokens_.line();
  ExpressionPtr left = concatenation();
  while (const auto op = find_operator(tokens_.current(), {{"+", Arithmetic::kAdd}, {"-", Arithmetic::kSubtract}})) {
    tokens_.take();
    left = make(line, Binary{*op, std::move(left), concatenation()});
  }
  return left;
}

ExpressionPtr ExpressionParser::concatenation() {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> parts;
  parts.push_back(product());
  while (tokens_.skip_operator("~")) parts.push_back(product());
  if (parts.size() == 1) return std::move(parts[0]);
  return make(line, Concatenation{std::move(parts)});
}

ExpressionPtr ExpressionParser::product() {
  const int line = tokens_.line();
  ExpressionPtr left = power();
  while (const auto op = find_operator(tokens_.current(), {{"*", Arithmetic::kMultiply},
                                                           {"/", Arithmetic::kDivide},
                                                           {"//", Arithmetic::kFloorDivide},
                                                           {"%", Arithmetic::kModulo}})) {
    tokens_.take();
    left = make(line, Binary{*op, std::move(left), power()});
  }
  return left;
}

ExpressionPtr ExpressionParser::power() {
  const int line = tokens_.line();
  ExpressionPtr left = unary();
  while (tokens_.skip_operator("**")) left = make(line, Binary{Arithmetic::kPower, std::move(left), unary()});
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const int line = tokens_.line();
  const Descent descent(depth_, line);
  ExpressionPtr operand;
  if (tokens_.skip_operator("-")) {
    operand = make(line, Unary{Unary::Op::kNegate, unary(false)});
  } else if (tokens_.skip_operator("+")) {
    operand = make(line, Unary{Unary::Op::kPositive, unary(false)});
  } else {
    operand = primary();
  }
  operand = postfix(std::move(operand));
  return with_filters ? filters_and_tests(std::move(operand)) : std::move(operand);
}

ExpressionPtr ExpressionParser::primary(bool with_namespace) {
  const int line = tokens_.line();
  switch (tokens_.current().kind) {
    case TokenKind::kName:
      return name_or_constant(with_namespace);
    case TokenKind::kString:
      return string_literal();
    case TokenKind::kInteger: {
      int64_t value = 0;
      const std::string& digits = tokens_.take().text;
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
      return make(line, Literal{Value(value)});
    }
    case TokenKind::kFloat: {
      double value = 0;
      const std::string& digits = tokens_.take().text;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (error != std::errc()) fail("line {}: the number {} does not fit a float", line, digits);
      return make(line, Literal{Value(value)});
    }
    default:
      break;
  }
  if (tokens_.skip_operator("(")) {
    ExpressionPtr inner = tuple({.in_parentheses = true});
    tokens_.expect_operator(")");
    return inner;
  }
  if (tokens_.at_operator("[")) return list_display();
  if (tokens_.at_operator("{")) return dict_display();
  fail("line {}: unexpected '{}'", line, describe(tokens_.current()));
}

ExpressionPtr ExpressionParser::name_or_constant(bool with_namespace) {
  const int line = tokens_.line();
  const std::string name = tokens_.take().text;
  if (name == "true" || name == "True") return make(line, Literal{Value(true)});
  if (name == "false" || name == "False") return make(line, Literal{Value(false)});
  if (name == "none" || name == "None") return make(line, Literal{None()});
  if (with_namespace && tokens_.skip_operator(".")) {
    return make(line, NamespaceTarget{name, tokens_.take_name(), {}});
  }
  return make(line, Name{name, NameUse::kLoad, {}});
}

ExpressionPtr ExpressionParser::string_literal() {
  const int line = tokens_.line();
  std::string text;
  while (tokens_.at(TokenKind::kString)) text += tokens_.take().text;  // adjacent literals join
  return make(line, Literal{make_string(nullptr, text, true)});
}

ExpressionPtr ExpressionParser::tuple(const TupleRules& rules) {
  const int line = tokens_.line();
  const auto at_end = [&] {
    return tokens_.at(TokenKind::kVariableEnd) || tokens_.at(TokenKind::kBlockEnd) || tokens_.at_operator(")");
  };
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) tokens_.expect_operator(",");
    if (at_end()) break;
    const Descent descent(depth_, line);
    items.push_back(rules.targets_only ? primary(rules.with_namespace) : expression(rules.with_conditional));
    if (!tokens_.at_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return std::move(items[0]);
  if (!is_tuple && !rules.in_parentheses) {
    fail("line {}: expected an expression, got '{}'", tokens_.line(), describe(tokens_.current()));
  }
  return make(line, TupleDisplay{std::move(items)});
}

ExpressionPtr ExpressionParser::list_display() {
  const int line = tokens_.line();
  tokens_.expect_operator("[");
  std::vector<ExpressionPtr> items;
  while (!tokens_.at_operator("]")) {
    if (!items.empty()) tokens_.expect_operator(",");
    if (tokens_.at_operator("]")) break;
    items.push_back(expression());
  }
  tokens_.expect_operator("]");
  return make(line, ListDisplay{std::move(items)});
}

ExpressionPtr ExpressionParser::dict_display() {
  const int line = tokens_.line();
  tokens_.expect_operator("{");
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
  while (!tokens_.at_operator("}")) {
    if (!entries.empty()) tokens_.expect_operator(",");
    if (tokens_.at_operator("}")) break;
    ExpressionPtr key = expression();
    tokens_.expect_operator(":");
    entries.emplace_back(std::move(key), expression());
  }
  tokens_.expect_operator("}");
  return make(line, DictDisplay{std::move(entries)});
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr operand) {
  while (true) {
    if (tokens_.at_operator(".")) {
      operand = attribute(std::move(operand));
    } else if (tokens_.at_operator("[")) {
      operand = subscript(std::move(operand));
    } else if (tokens_.at_operator("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr operand) {
  while (true) {
    if (tokens_.at_operator("|")) {
      operand = filters(std::move(operand), false);
    } else if (tokens_.at_name("is")) {
      operand = test(std::move(operand));
    } else if (tokens_.at_operator("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr object) {
  const int line = tokens_.line();
  tokens_.expect_operator(".");
  if (tokens_.at(TokenKind::kName)) return make(line, Attribute{std::move(object), tokens_.take_name()});
  if (!tokens_.at(TokenKind::kInteger)) fail("line {}: expected name or number", line);
  return make(line, Subscript{std::move(object), primary()});
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr object) {
  const int line = tokens_.line();
  tokens_.expect_operator("[");
  std::vector<ExpressionPtr> keys;
  bool comma = false;
  while (!tokens_.at_operator("]")) {
    if (!keys.empty()) {
      tokens_.expect_operator(",");
      comma = true;
    }
    ExpressionPtr key = tokens_.at_operator(":") ? nullptr : expression();
    if (tokens_.at_operator(":")) {
      ExpressionPtr sliced = slice(std::move(object), std::move(key), line);
      if (comma || !tokens_.at_operator("]")) fail("line {}: a slice cannot be part of a tuple", line);
      tokens_.take();
      return sliced;
    }
    keys.push_back(std::move(key));
  }
  tokens_.expect_operator("]");
  if (keys.size() == 1) return make(line, Subscript{std::move(object), std::move(keys[0])});
  return make(line, Subscript{std::move(object), make(line, TupleDisplay{std::move(keys)})});
}

/// At the first colon of object[start:stop:step].
ExpressionPtr ExpressionParser::slice(ExpressionPtr object, ExpressionPtr start, int line) {
  ExpressionPtr stop, step;
  const auto bound_follows = [&] {
    return !tokens_.at_operator("]") && !tokens_.at_operator(",") && !tokens_.at_operator(":");
  };
  tokens_.expect_operator(":");
  if (bound_follows()) stop = expression();
  if (tokens_.skip_operator(":") && bound_follows()) step = expression();
  return make(line, Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
}

ExpressionPtr ExpressionParser::call(ExpressionPtr callee) {
  const int line = tokens_.line();
  return make(line, Call{std::move(callee), call_arguments()});
}

CallArguments ExpressionParser::call_arguments() {
  const int line = tokens_.line();
  tokens_.expect_operator("(");
  CallArguments arguments;
  bool first = true;
  while (!tokens_.at_operator(")")) {
    if (!first) {
      tokens_.expect_operator(",");
      if (tokens_.at_operator(")")) break;
    }
    first = false;
    call_argument(arguments, line);
  }
  tokens_.expect_operator(")");
  std::set<std::string_view> names;
  for (const auto& [name, value] : arguments.named) {
    if (!names.insert(name).second) fail("line {}: keyword argument repeated: {}", line, name);
  }
  return arguments;
}

void ExpressionParser::call_argument(CallArguments& arguments, int line) {
  const auto require = [line](bool condition) {
    if (!condition) fail("line {}: invalid syntax for function call expression", line);
  };
  if (tokens_.skip_operator("*")) {
    require(!arguments.star && !arguments.double_star);
    arguments.star = expression();
  } else if (tokens_.skip_operator("**")) {
    require(!arguments.double_star);
    arguments.double_star = expression();
  } else if (tokens_.at(TokenKind::kName) && tokens_.ahead().kind == TokenKind::kOperator &&
             tokens_.ahead().text == "=") {
    require(!arguments.double_star);
    std::string name = tokens_.take_name();
    tokens_.take();
    arguments.named.emplace_back(std::move(name), expression());
  } else {
    require(!arguments.star && !arguments.double_star && arguments.named.empty());
    arguments.positional.push_back(expression());
  }
}

std::string ExpressionParser::dotted_name() {
  std::string name = tokens_.take_name();
  while (tokens_.skip_operator(".")) name += "." + tokens_.take_name();
  return name;
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr input, bool first_bare) {
  while (first_bare || tokens_.skip_operator("|")) {
    first_bare = false;
    const int line = tokens_.line();
    std::string name = dotted_name();
    CallArguments arguments;
    if (tokens_.at_operator("(")) arguments = call_arguments();
    const Filter* filter = find_filter(name);
    input = make(line, FilterUse{std::move(input), std::move(name), filter, std::move(arguments)});
  }
  return input;
}

ExpressionPtr ExpressionParser::test(ExpressionPtr input) {
  const int line = tokens_.line();
  tokens_.expect_name("is");
  const bool negated = tokens_.skip_name("not");
  std::string name = dotted_name();
  CallArguments arguments;
  const TokenKind kind = tokens_.current().kind;
  if (tokens_.at_operator("(")) {
    arguments = call_arguments();
  } else if ((kind == TokenKind::kName || kind == TokenKind::kString || kind == TokenKind::kInteger ||
              kind == TokenKind::kFloat || tokens_.at_operator("[") || tokens_.at_operator("{")) &&
             !tokens_.at_name("else") && !tokens_.at_name("or") && !tokens_.at_name("and")) {
    if (tokens_.at_name("is")) fail("line {}: tests cannot be chained with is", line);
    arguments.positional.push_back(postfix(primary()));
  }
  const Test* known = find_test(name);
  ExpressionPtr result = make(line, TestUse{std::move(input), std::move(name), known, std::move(arguments)});
  return negated ? make(line, Unary{Unary::Op::kNot, std::move(result)}) : std::move(result);
}

ExpressionPtr ExpressionParser::assignment_target(NameUse use, bool with_namespace) {
  const int line = tokens_.line();
  ExpressionPtr target = tuple({.targets_only = true, .with_namespace = with_namespace});
  if (!is_target(*target)) fail("line {}: this cannot be assigned to", line);
  set_use(*target, use);
  return target;
}

}  // namespace glint::jinja
