// SPDX-License-Identifier: Apache-2.0
//
// The syntax tree. The parser builds it, the resolver (scope.h) fills in where each name lives, the interpreter walks
// it; nobody changes it afterwards, so one tree serves any number of renderings and threads.
//
// Names live in slots of a function activation, as in the Python code Jinja generates: the template itself, each macro,
// each {% call %} body, each recursive loop and each loop filter is a function; other blocks share their function's
// slots but have slots of their own at every nesting level. What a frame loads on entry is decided statically.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/operators.h"

namespace glint::jinja {

struct Filter;  // filters.h
struct Test;    // tests.h

/// A variable's place: `hops` functions outwards, then `index`.
struct Slot {
  uint32_t hops = 0;
  uint32_t index = 0;
};

struct Function {
  uint32_t n_slots = 0;
  bool captured = false;  // closures made inside may outlive a call of it
};

/// What a frame does to its slots when it is entered.
struct SlotLoad {
  enum class From { kContext, kOuter, kNothing };
  From from;
  uint32_t slot;
  Slot outer;        // kOuter: the variable it starts as
  std::string name;  // kContext: the input variable it starts as
};

struct Frame {
  std::vector<SlotLoad> loads;
  std::vector<uint32_t> slots;  // all that belong to it, emptied when it is left
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

/// Arguments of a call, filter or test.
struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr star;         // *args
  ExpressionPtr double_star;  // **kwargs
};

enum class NameUse { kLoad, kStore, kParameter };

struct Literal {
  Value value;
};
struct Name {
  std::string name;
  NameUse use = NameUse::kLoad;
  Slot slot;
};
/// The target of {% set ns.attribute = ... %}.
struct NamespaceTarget {
  std::string name;
  std::string attribute;
  Slot slot;
};
struct TupleDisplay {
  std::vector<ExpressionPtr> items;
};
struct ListDisplay {
  std::vector<ExpressionPtr> items;
};
struct DictDisplay {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
struct Unary {
  enum class Op { kNot, kNegate, kPositive };
  Op op;
  ExpressionPtr operand;
};
struct Binary {
  Arithmetic op;
  ExpressionPtr left, right;
};
struct Logical {
  bool is_and;
  ExpressionPtr left, right;
};
struct Concatenation {
  std::vector<ExpressionPtr> parts;
};
struct ComparisonChain {
  ExpressionPtr first;
  std::vector<std::pair<Comparison, ExpressionPtr>> rest;
};
struct Conditional {
  ExpressionPtr test, then, otherwise;  // otherwise may be null
};
struct Attribute {
  ExpressionPtr object;
  std::string name;
};
struct Subscript {
  ExpressionPtr object, key;
};
struct Slice {
  ExpressionPtr object, start, stop, step;  // bounds may be null
};
struct Call {
  ExpressionPtr callee;
  CallArguments arguments;
};
struct FilterUse {
  ExpressionPtr input;  // null: the text of the enclosing block
  std::string name;
  const Filter* filter;  // null: unknown, an error only if it is reached
  CallArguments arguments;
};
struct TestUse {
  ExpressionPtr input;
  std::string name;
  const Test* test;  // null: unknown, an error only if it is reached
  CallArguments arguments;
};

struct Expression {
  std::variant<Literal, Name, NamespaceTarget, TupleDisplay, ListDisplay, DictDisplay, Unary, Binary, Logical,
               Concatenation, ComparisonChain, Conditional, Attribute, Subscript, Slice, Call, FilterUse, TestUse>
      node;
  int line;
  int depth;  // 1 for a leaf; bounded, as every walk recurses
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Output {
  std::vector<ExpressionPtr> parts;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Body>> branches;  // if, elif...
  Body otherwise;
};
struct For {
  ExpressionPtr target, iterable;
  ExpressionPtr filter;         // `if` of the loop, may be null
  ExpressionPtr filter_target;  // the target once more, in the filter's own function
  Body body, otherwise;
  bool recursive = false;
  bool uses_loop = false;  // the body mentions `loop`
  Frame frame, otherwise_frame, filter_frame;
  Function function, filter_function;  // of a recursive loop; of the filter
  uint32_t loop_slot = 0;
};
struct Set {
  ExpressionPtr target, value;
};
struct SetBlock {
  ExpressionPtr target;
  ExpressionPtr filter;  // may be null
  Body body;
  Frame frame;
};
struct Parameter {
  std::string name;
  ExpressionPtr otherwise;  // default, may be null
  uint32_t slot = 0;
};
/// What macros, {% call %} and {% generation %} have in common: a body that is called.
struct Callable {
  std::string name;  // empty for the body of a call
  std::vector<Parameter> parameters;
  Body body;
  Function function;
  Frame frame;
  bool takes_caller = false, takes_kwargs = false, takes_varargs = false;  // implicit parameters the body mentions
  uint32_t caller_slot = 0, kwargs_slot = 0, varargs_slot = 0;
};
struct MacroDefinition {
  Callable callable;
  ExpressionPtr target;  // the name it is bound to
};
struct CallBlock {
  ExpressionPtr call;  // a Call; null for {% generation %}, which prints its body
  Callable callable;
};
struct FilterBlock {
  ExpressionPtr filter;
  Body body;
  Frame frame;
};
struct With {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> bindings;  // target, value
  Body body;
  Frame frame;
};
struct Break {};
struct Continue {};

struct Statement {
  std::variant<Output, If, For, Set, SetBlock, MacroDefinition, CallBlock, FilterBlock, With, Break, Continue> node;
  int line;
};

struct TemplateTree {
  Body body;
  Function function;
  Frame frame;
};

}  // namespace glint::jinja
