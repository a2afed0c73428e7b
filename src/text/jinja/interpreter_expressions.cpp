// SPDX-License-Identifier: Apache-2.0
//
// The expression half of the interpreter.
#include "text/jinja/filters.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"
#include "text/jinja/tests.h"

namespace glint::jinja {

Value Interpreter::evaluate(const Expression& expression) {
  runtime_.meter.step();
  const Nesting nesting(runtime_.meter);
  line_ = expression.line;
  return std::visit([this](const auto& node) { return evaluate(node); }, expression.node);
}

Value Interpreter::evaluate(const Name& node) {
  const Value& value = at(node.slot);
  return value.missing() ? runtime_.undefined(fmt::format("'{}' is undefined", node.name)) : value;
}

Value Interpreter::evaluate(const NamespaceTarget&) {
  fail("a namespace target is not a value");
}

std::vector<Value> Interpreter::evaluate_all(const std::vector<ExpressionPtr>& expressions) {
  std::vector<Value> values;
  values.reserve(expressions.size());
  for (const ExpressionPtr& expression : expressions) values.push_back(evaluate(*expression));
  return values;
}

Value Interpreter::evaluate(const TupleDisplay& node) {
  return make_tuple(&runtime_.meter, evaluate_all(node.items));
}
Value Interpreter::evaluate(const ListDisplay& node) {
  return make_list(&runtime_.meter, evaluate_all(node.items));
}

Value Interpreter::evaluate(const DictDisplay& node) {
  std::vector<Dict::Entry> entries;
  entries.reserve(node.entries.size());
  for (const auto& [key, value] : node.entries) {
    Value key_value = evaluate(*key);
    require_hashable(key_value);
    entries.emplace_back(std::move(key_value), evaluate(*value));
  }
  return make_dict(&runtime_.meter, std::move(entries));
}

Value Interpreter::evaluate(const Unary& node) {
  const Value operand = evaluate(*node.operand);
  switch (node.op) {
    case Unary::Op::kNot:
      return Value(!truth(runtime_, operand));
    case Unary::Op::kNegate:
      return negate(runtime_, operand);
    case Unary::Op::kPositive:
      return positive(runtime_, operand);
  }
  return Value();
}

Value Interpreter::evaluate(const Binary& node) {
  const Value left = evaluate(*node.left);
  return arithmetic(runtime_, node.op, left, evaluate(*node.right));
}

Value Interpreter::evaluate(const Logical& node) {
  Value left = evaluate(*node.left);
  return truth(runtime_, left) == node.is_and ? evaluate(*node.right) : left;
}

Value Interpreter::evaluate(const Concatenation& node) {
  TextBuilder out(&runtime_.meter);
  for (const ExpressionPtr& part : node.parts) write_str(runtime_, out, evaluate(*part));
  return runtime_.text(out.take());
}

Value Interpreter::evaluate(const ComparisonChain& node) {
  Value left = evaluate(*node.first);
  for (const auto& [op, operand] : node.rest) {
    Value right = evaluate(*operand);
    if (!compare(runtime_, op, left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Interpreter::evaluate(const Conditional& node) {
  const int line = line_;
  if (truth(runtime_, evaluate(*node.test))) return evaluate(*node.then);
  if (node.otherwise) return evaluate(*node.otherwise);
  return runtime_.undefined(
      fmt::format("the inline if-expression on line {} evaluated to false and no else section was defined.", line));
}

Value Interpreter::evaluate(const Attribute& node) {
  const Value object = evaluate(*node.object);
  return get_attribute(runtime_, object, node.name);
}

Value Interpreter::evaluate(const Subscript& node) {
  const Value object = evaluate(*node.object);
  return get_item(runtime_, object, evaluate(*node.key));
}

Value Interpreter::evaluate(const Slice& node) {
  const auto bound = [this](const ExpressionPtr& expression) { return expression ? evaluate(*expression) : Value(); };
  const Value object = evaluate(*node.object);
  const Value start = bound(node.start);
  const Value stop = bound(node.stop);
  return get_slice(runtime_, object, start, stop, bound(node.step));
}

Arguments Interpreter::evaluate_arguments(const CallArguments& node) {
  Arguments arguments;
  arguments.positional = evaluate_all(node.positional);
  if (node.star) {
    for (Value& value : collect(runtime_, evaluate(*node.star))) arguments.positional.push_back(std::move(value));
  }
  for (const auto& [name, value] : node.named) arguments.named.emplace_back(name, evaluate(*value));
  if (node.double_star) {
    const Value mapping = evaluate(*node.double_star);
    if (mapping.dict() == nullptr) fail("argument after ** must be a mapping, not {}", type_name(mapping));
    for (const auto& [key, value] : mapping.dict()->entries()) {
      if (key.text() == nullptr) fail("keywords must be strings");
      runtime_.meter.work(node.named.size());
      for (const auto& [name, unused] : node.named) {
        if (name == key.text()->view()) fail("got multiple values for keyword argument '{}'", name);
      }
      arguments.named.emplace_back(key.text()->bytes(), value);
    }
  }
  return arguments;
}

Value Interpreter::evaluate(const Call& node) {
  return evaluate_call(node, nullptr);
}

Value Interpreter::evaluate_call(const Call& node, const Value* caller) {
  const int line = line_;
  const Value callee = evaluate(*node.callee);
  Arguments arguments = evaluate_arguments(node.arguments);
  if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
  line_ = line;
  return call(runtime_, callee, arguments);
}

Value Interpreter::evaluate(const FilterUse& node) {
  const int line = line_;
  const Value input = node.input ? evaluate(*node.input) : block_text_;
  Arguments arguments = evaluate_arguments(node.arguments);
  line_ = line;
  if (node.filter == nullptr) fail("no filter named '{}'", node.name);
  return node.filter->function(runtime_, input, arguments);
}

Value Interpreter::evaluate(const TestUse& node) {
  const int line = line_;
  const Value input = evaluate(*node.input);
  Arguments arguments = evaluate_arguments(node.arguments);
  line_ = line;
  if (node.test == nullptr) fail("no test named '{}'", node.name);
  return Value(node.test->function(runtime_, input, arguments));
}

}  // namespace glint::jinja
