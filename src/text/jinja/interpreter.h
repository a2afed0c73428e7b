// SPDX-License-Identifier: Apache-2.0
//
// DESCRIPTION
// Walks a resolved syntax tree and writes the prompt. Statements write to the current TextBuilder; expressions yield
// values. Variables live in the slots of activations, one per call of a function (the template, a macro, a call body,
// a recursive loop, a loop filter); closures keep the activation they were made in.
//
// One Interpreter a rendering. Errors of the template surface as Error without a place; `line()` then tells where.
// Called by Template::render. Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <memory>

#include "text/jinja/ast.h"
#include "text/jinja/runtime.h"

namespace glint::jinja {

/// The variables of one call of a function.
struct Activation {
  std::vector<Value> slots;
  std::shared_ptr<Activation> parent;  // of the function around it
  bool entered = false;                // a loop filter has loaded its frame
  Charge charge;

  void clear() {
    slots.clear();
    parent.reset();
  }
};
using ActivationPtr = std::shared_ptr<Activation>;

class Loop;

class Interpreter {
 public:
  /// `variables` is the input: a dict with string keys.
  Interpreter(Runtime& runtime, const Value& variables) : runtime_(runtime), variables_(variables) {}

  Text run(const TemplateTree& tree);
  /// Line of what was evaluated last.
  int line() const { return line_; }

  /// Calls a macro or call body with its closure; used by macro values.
  Text call_closure(const Callable& callable, const ActivationPtr& closure, Arguments& arguments);
  /// One level of a recursive loop.
  Text run_recursive_loop(const For& node, const ActivationPtr& closure, const Value& iterable, int depth);
  /// The next item of `source` that passes the loop's filter; `activation` is the filter's own.
  bool next_filtered(const For& node, const ActivationPtr& activation, Iterator& source, Value& item);

 private:
  enum class Flow { kNext, kBreak, kContinue };
  class Scope;

  // Statements (interpreter_statements.cpp).
  Flow execute(const Body& body);
  Flow execute(const Output& node);
  Flow execute(const If& node);
  Flow execute(const For& node);
  Flow execute(const Set& node);
  Flow execute(const SetBlock& node);
  Flow execute(const MacroDefinition& node);
  Flow execute(const CallBlock& node);
  Flow execute(const FilterBlock& node);
  Flow execute(const With& node);
  Flow execute(const Break&) { return Flow::kBreak; }
  Flow execute(const Continue&) { return Flow::kContinue; }
  Flow run_loop(const For& node, const Value& iterable, int depth);
  std::shared_ptr<Iterator> filtered(const For& node, std::shared_ptr<Iterator> source);
  void bind_arguments(const Callable& callable, Activation& activation, Arguments& arguments);
  void bind_defaults(const Callable& callable);
  void require_namespaces(const Expression& target);
  void assign(const Expression& target, const Value& value);
  void enter(const Frame& frame);
  void leave(const Frame& frame);
  ActivationPtr activate(const Function& function, const ActivationPtr& parent);
  void write(const Value& value);

  // Expressions (interpreter_expressions.cpp).
  Value evaluate(const Expression& expression);
  Value evaluate(const Literal& node) { return node.value; }
  Value evaluate(const Name& node);
  Value evaluate(const NamespaceTarget& node);
  Value evaluate(const TupleDisplay& node);
  Value evaluate(const ListDisplay& node);
  Value evaluate(const DictDisplay& node);
  Value evaluate(const Unary& node);
  Value evaluate(const Binary& node);
  Value evaluate(const Logical& node);
  Value evaluate(const Concatenation& node);
  Value evaluate(const ComparisonChain& node);
  Value evaluate(const Conditional& node);
  Value evaluate(const Attribute& node);
  Value evaluate(const Subscript& node);
  Value evaluate(const Slice& node);
  Value evaluate(const Call& node);
  Value evaluate(const FilterUse& node);
  Value evaluate(const TestUse& node);
  Arguments evaluate_arguments(const CallArguments& arguments);
  std::vector<Value> evaluate_all(const std::vector<ExpressionPtr>& expressions);
  /// Calls with the body of a {% call %} block as the argument `caller`; null for an ordinary call.
  Value evaluate_call(const Call& node, const Value* caller);

  Value& at(Slot slot) {
    Activation* activation = activation_.get();
    for (uint32_t i = 0; i < slot.hops; ++i) activation = activation->parent.get();
    return activation->slots[slot.index];
  }

  Runtime& runtime_;
  const Value& variables_;
  ActivationPtr activation_;
  TextBuilder* out_ = nullptr;
  const TextBuilder* prompt_ = nullptr;  // the outermost output, bounded by max_output_bytes
  Value block_text_;                     // what a filter block or set block filters
  int line_ = 0;
};

}  // namespace glint::jinja
