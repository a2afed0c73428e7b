// SPDX-License-Identifier: Apache-2.0
//
// The statement half of the parser.
#include "text/jinja/parser.h"

#include <algorithm>
#include <initializer_list>

#include "text/jinja/ast_walk.h"
#include "text/jinja/expression_parser.h"
#include "text/jinja/limits.h"

namespace glint::jinja {
namespace {

using EndNames = std::initializer_list<std::string_view>;
using StatementPtr = std::unique_ptr<Statement>;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)), expressions_(tokens_) {}

  TemplateTree run() {
    TemplateTree tree;
    tree.body = body({});
    return tree;
  }

 private:
  Body body(EndNames ends);
  Body block(EndNames ends);
  Body block_to(std::string_view end);
  StatementPtr statement();
  StatementPtr if_statement(int line);
  StatementPtr for_statement(int line);
  StatementPtr set_statement(int line);
  StatementPtr with_statement(int line);
  StatementPtr macro_statement(int line);
  StatementPtr call_statement(int line);
  StatementPtr generation_statement(int line);
  StatementPtr filter_statement(int line);
  StatementPtr print_statement(int line);
  StatementPtr loop_control(int line, bool is_break);
  void signature(Callable& callable);
  Body callable_body(std::string_view end);

  StatementPtr make(int line, decltype(Statement::node) node) {
    return std::make_unique<Statement>(Statement{std::move(node), line});
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int depth_ = 0;       // of nested statements
  int loop_depth_ = 0;  // loops around, within the current function
  std::vector<std::pair<std::string_view, int>> open_tags_;
};

constexpr std::string_view kRefused[] = {"extends", "include", "import", "from", "block", "autoescape"};

[[noreturn]] void unexpected_tag(const Token& tag, const std::vector<std::pair<std::string_view, int>>& open) {
  if (std::find(std::begin(kRefused), std::end(kRefused), tag.text) != std::end(kRefused)) {
    fail("line {}: {{% {} %}} is not supported: a chat template is one self-contained text", tag.line, tag.text);
  }
  if (open.empty()) fail("line {}: unknown tag '{}'", tag.line, tag.text);
  fail("line {}: unknown or misplaced tag '{}' inside the '{}' of line {}", tag.line, tag.text, open.back().first,
       open.back().second);
}

/// Statements up to one of `ends` (left as the current token), or to the end of the template if there are none.
Body Parser::body(EndNames ends) {
  if (depth_ > kMaxStatementDepth) fail("line {}: blocks nested more than {} deep", tokens_.line(), kMaxStatementDepth);
  ++depth_;
  Body statements;
  Output output;
  int output_line = 0;
  const auto add_part = [&](int line, ExpressionPtr part) {
    if (output.parts.empty()) output_line = line;
    output.parts.push_back(std::move(part));
  };
  const auto flush = [&] {
    if (!output.parts.empty()) statements.push_back(make(output_line, std::exchange(output, Output())));
  };
  while (!tokens_.at(TokenKind::kEnd)) {
    const int line = tokens_.line();
    if (tokens_.at(TokenKind::kData)) {
      add_part(line, expressions_.make(line, Literal{make_string(nullptr, tokens_.take().text, true)}));
    } else if (tokens_.at(TokenKind::kVariableBegin)) {
      tokens_.take();
      add_part(line, expressions_.tuple());
      tokens_.expect(TokenKind::kVariableEnd, "'}}'");
    } else {
      tokens_.expect(TokenKind::kBlockBegin, "'{%'");
      flush();
      if (std::any_of(ends.begin(), ends.end(), [this](std::string_view name) { return tokens_.at_name(name); })) {
        --depth_;
        return statements;
      }
      statements.push_back(statement());
      tokens_.expect(TokenKind::kBlockEnd, "'%}'");
    }
  }
  if (ends.size() > 0) {
    fail("line {}: unexpected end of template: the '{}' of line {} is not closed", tokens_.line(),
         open_tags_.back().first, open_tags_.back().second);
  }
  flush();
  --depth_;
  return statements;
}

/// The rest of the current tag, then statements up to one of `ends`.
Body Parser::block(EndNames ends) {
  tokens_.skip_operator(":");
  tokens_.expect(TokenKind::kBlockEnd, "'%}'");
  return body(ends);
}

Body Parser::block_to(std::string_view end) {
  Body statements = block({end});
  tokens_.take();
  return statements;
}

StatementPtr Parser::statement() {
  using Rule = StatementPtr (Parser::*)(int);
  constexpr std::pair<std::string_view, Rule> kRules[] = {
      {"if", &Parser::if_statement},         {"for", &Parser::for_statement},
      {"set", &Parser::set_statement},       {"with", &Parser::with_statement},
      {"macro", &Parser::macro_statement},   {"call", &Parser::call_statement},
      {"filter", &Parser::filter_statement}, {"generation", &Parser::generation_statement},
      {"print", &Parser::print_statement},
  };
  const Token& tag = tokens_.current();
  if (tag.kind != TokenKind::kName) fail("line {}: tag name expected, got '{}'", tag.line, describe(tag));
  const int line = tag.line;
  if (tokens_.skip_name("break")) return loop_control(line, true);
  if (tokens_.skip_name("continue")) return loop_control(line, false);
  for (const auto& [name, rule] : kRules) {
    if (!tokens_.skip_name(name)) continue;
    open_tags_.emplace_back(name, line);
    StatementPtr parsed = (this->*rule)(line);
    open_tags_.pop_back();
    return parsed;
  }
  unexpected_tag(tag, open_tags_);
}

StatementPtr Parser::loop_control(int line, bool is_break) {
  if (loop_depth_ == 0) fail("line {}: '{}' outside loop", line, is_break ? "break" : "continue");
  if (is_break) return make(line, Break{});
  return make(line, Continue{});
}

StatementPtr Parser::if_statement(int line) {
  If node;
  while (true) {
    ExpressionPtr test = expressions_.tuple({.with_conditional = false});
    node.branches.emplace_back(std::move(test), block({"elif", "else", "endif"}));
    if (tokens_.skip_name("elif")) continue;
    if (tokens_.skip_name("else")) {
      node.otherwise = block_to("endif");
    } else {
      tokens_.take();
    }
    return make(line, std::move(node));
  }
}

/// A loop's target once more, for the function its filter runs in.
ExpressionPtr copy_target(const ExpressionParser& expressions, const Expression& target) {
  if (const auto* name = std::get_if<Name>(&target.node)) {
    return expressions.make(target.line, Name{name->name, name->use, {}});
  }
  TupleDisplay copy;
  for (const auto& item : std::get<TupleDisplay>(target.node).items) {
    copy.items.push_back(copy_target(expressions, *item));
  }
  return expressions.make(target.line, std::move(copy));
}

StatementPtr Parser::for_statement(int line) {
  For node;
  node.target = expressions_.assignment_target(NameUse::kStore, false);
  tokens_.expect_name("in");
  node.iterable = expressions_.tuple({.with_conditional = false});
  if (tokens_.skip_name("if")) {
    node.filter = expressions_.expression();
    node.filter_target = copy_target(expressions_, *node.target);
  }
  node.recursive = tokens_.skip_name("recursive");
  ++loop_depth_;
  node.body = block({"endfor", "else"});
  --loop_depth_;
  if (tokens_.skip_name("else")) {
    // The else part of a recursive loop is inside the loop's own function, but not inside a loop there.
    const int outer = std::exchange(loop_depth_, node.recursive ? 0 : loop_depth_);
    node.otherwise = block_to("endfor");
    loop_depth_ = outer;
  } else {
    tokens_.take();
  }
  return make(line, std::move(node));
}

StatementPtr Parser::set_statement(int line) {
  ExpressionPtr target = expressions_.assignment_target(NameUse::kStore, true);
  if (tokens_.skip_operator("=")) {
    ExpressionPtr value = expressions_.tuple();
    return make(line, Set{std::move(target), std::move(value)});
  }
  SetBlock node;
  node.target = std::move(target);
  if (tokens_.at_operator("|")) node.filter = expressions_.filters(nullptr, false);
  node.body = block_to("endset");
  return make(line, std::move(node));
}

StatementPtr Parser::with_statement(int line) {
  With node;
  while (!tokens_.at(TokenKind::kBlockEnd)) {
    if (!node.bindings.empty()) tokens_.expect_operator(",");
    ExpressionPtr target = expressions_.assignment_target(NameUse::kParameter, false);
    tokens_.expect_operator("=");
    node.bindings.emplace_back(std::move(target), expressions_.expression());
  }
  node.body = block_to("endwith");
  return make(line, std::move(node));
}

/// A name that may be bound: the constants may not.
std::string take_bindable(TokenStream& tokens) {
  constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
  std::string name = tokens.take_name();
  if (std::find(std::begin(kConstants), std::end(kConstants), name) != std::end(kConstants)) {
    fail("line {}: '{}' cannot be assigned to", tokens.line(), name);
  }
  return name;
}

void Parser::signature(Callable& callable) {
  tokens_.expect_operator("(");
  while (!tokens_.at_operator(")")) {
    if (!callable.parameters.empty()) tokens_.expect_operator(",");
    const int line = tokens_.line();
    Parameter parameter;
    parameter.name = take_bindable(tokens_);
    for (const Parameter& other : callable.parameters) {
      if (other.name == parameter.name) fail("line {}: duplicate parameter '{}'", line, parameter.name);
    }
    if (tokens_.skip_operator("=")) {
      parameter.otherwise = expressions_.expression();
    } else if (!callable.parameters.empty() && callable.parameters.back().otherwise) {
      fail("line {}: non-default argument follows default argument", line);
    }
    callable.parameters.push_back(std::move(parameter));
    if (callable.parameters.size() > 255) fail("line {}: more than 255 parameters", line);
  }
  tokens_.expect_operator(")");
}

Body Parser::callable_body(std::string_view end) {
  const int outer = std::exchange(loop_depth_, 0);
  Body statements = block_to(end);
  loop_depth_ = outer;
  return statements;
}

StatementPtr Parser::macro_statement(int line) {
  MacroDefinition node;
  node.callable.name = take_bindable(tokens_);
  node.target = expressions_.make(line, Name{node.callable.name, NameUse::kStore, {}});
  signature(node.callable);
  node.callable.body = callable_body("endmacro");
  return make(line, std::move(node));
}

StatementPtr Parser::call_statement(int line) {
  CallBlock node;
  if (tokens_.at_operator("(")) signature(node.callable);
  node.call = expressions_.expression();
  if (!std::holds_alternative<Call>(node.call->node)) fail("line {}: expected call", line);
  node.callable.body = callable_body("endcall");
  return make(line, std::move(node));
}

StatementPtr Parser::generation_statement(int line) {
  CallBlock node;
  node.callable.body = callable_body("endgeneration");
  return make(line, std::move(node));
}

StatementPtr Parser::filter_statement(int line) {
  FilterBlock node;
  node.filter = expressions_.filters(nullptr, true);
  node.body = block_to("endfilter");
  return make(line, std::move(node));
}

StatementPtr Parser::print_statement(int line) {
  Output node;
  while (!tokens_.at(TokenKind::kBlockEnd)) {
    if (!node.parts.empty()) tokens_.expect_operator(",");
    node.parts.push_back(expressions_.expression());
  }
  return make(line, std::move(node));
}

}  // namespace

TemplateTree parse(std::string_view source) {
  return Parser(tokenize(source)).run();
}

}  // namespace glint::jinja
