// SPDX-License-Identifier: Apache-2.0
//
// The statement half of the interpreter.
#include <algorithm>

#include "text/jinja/arguments.h"
#include "text/jinja/callables.h"
#include "text/jinja/globals.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/iterators.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace glint::jinja {

/// Switches to another activation and output for as long as it lives.
class Interpreter::Scope {
 public:
  Scope(Interpreter& interpreter, ActivationPtr activation, TextBuilder* out)
      : interpreter_(interpreter),
        activation_(std::exchange(interpreter.activation_, std::move(activation))),
        out_(std::exchange(interpreter.out_, out)),
        line_(interpreter.line_) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() {
    interpreter_.activation_ = std::move(activation_);
    interpreter_.out_ = out_;
    // On the way out of an error the line stays where the error is.
    if (std::uncaught_exceptions() == n_exceptions_) interpreter_.line_ = line_;
  }

 private:
  Interpreter& interpreter_;
  ActivationPtr activation_;
  TextBuilder* out_;
  int line_;
  int n_exceptions_ = std::uncaught_exceptions();
};

namespace {

/// The items of `source` that pass a loop's filter, evaluated one by one as the loop asks for them.
class FilteredIterator : public Iterator {
 public:
  FilteredIterator(Interpreter& interpreter, const For& node, ActivationPtr activation,
                   std::shared_ptr<Iterator> source)
      : interpreter_(interpreter), node_(node), activation_(std::move(activation)), source_(std::move(source)) {}
  bool next(Runtime&, Value& item) override { return interpreter_.next_filtered(node_, activation_, *source_, item); }

 private:
  Interpreter& interpreter_;
  const For& node_;
  ActivationPtr activation_;
  std::shared_ptr<Iterator> source_;
};

}  // namespace

Text Interpreter::run(const TemplateTree& tree) {
  TextBuilder out(&runtime_.meter);
  prompt_ = &out;
  const Scope scope(*this, activate(tree.function, nullptr), &out);
  enter(tree.frame);
  execute(tree.body);
  return out.take();
}

ActivationPtr Interpreter::activate(const Function& function, const ActivationPtr& parent) {
  auto activation = std::make_shared<Activation>();
  activation->charge = Charge(&runtime_.meter, sizeof(Activation) + function.n_slots * sizeof(Value));
  activation->slots.resize(function.n_slots);
  activation->parent = parent;
  if (function.captured) runtime_.clear_at_end(activation);
  return activation;
}

void Interpreter::enter(const Frame& frame) {
  for (const SlotLoad& load : frame.loads) {
    Value& slot = activation_->slots[load.slot];
    switch (load.from) {
      case SlotLoad::From::kOuter:
        slot = at(load.outer);
        break;
      case SlotLoad::From::kNothing:
        slot = Value();
        break;
      case SlotLoad::From::kContext: {
        const Value* input = variables_.dict()->find(load.name);
        slot = input != nullptr ? *input : find_global(runtime_, load.name);
        break;
      }
    }
  }
}

void Interpreter::leave(const Frame& frame) {
  for (const uint32_t slot : frame.slots) activation_->slots[slot] = Value();
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  for (const auto& statement : body) {
    runtime_.meter.step();
    const Nesting nesting(runtime_.meter);
    line_ = statement->line;
    const Flow flow = std::visit([this](const auto& node) { return execute(node); }, statement->node);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

void Interpreter::write(const Value& value) {
  write_str(runtime_, *out_, value);
  const size_t most = runtime_.meter.limits().max_output_bytes;
  if (out_ == prompt_ && out_->size() > most) fail("template too expensive: the prompt exceeds {} bytes", most);
}

Interpreter::Flow Interpreter::execute(const Output& node) {
  for (const ExpressionPtr& part : node.parts) write(evaluate(*part));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const If& node) {
  for (const auto& [test, body] : node.branches) {
    if (truth(runtime_, evaluate(*test))) return execute(body);
  }
  return execute(node.otherwise);
}

std::shared_ptr<Iterator> Interpreter::filtered(const For& node, std::shared_ptr<Iterator> source) {
  const ActivationPtr activation = activate(node.filter_function, activation_);
  return std::make_shared<FilteredIterator>(*this, node, activation, std::move(source));
}

bool Interpreter::next_filtered(const For& node, const ActivationPtr& activation, Iterator& source, Value& item) {
  const Nesting nesting(runtime_.meter);
  const Scope scope(*this, activation, out_);
  if (!std::exchange(activation->entered, true)) enter(node.filter_frame);
  for (Value candidate; source.next(runtime_, candidate);) {
    assign(*node.filter_target, candidate);
    if (!truth(runtime_, evaluate(*node.filter))) continue;
    item = candidate;
    return true;
  }
  return false;
}

Interpreter::Flow Interpreter::execute(const For& node) {
  const Value iterable = evaluate(*node.iterable);
  if (!node.recursive) return run_loop(node, iterable, 0);
  const Text text = run_recursive_loop(node, activation_, iterable, 0);
  write(runtime_.text(text));
  return Flow::kNext;
}

Text Interpreter::run_recursive_loop(const For& node, const ActivationPtr& closure, const Value& iterable, int depth) {
  const Nesting nesting(runtime_.meter);
  TextBuilder out(&runtime_.meter);
  const Scope scope(*this, activate(node.function, closure), &out);
  run_loop(node, iterable, depth);
  return out.take();
}

Interpreter::Flow Interpreter::run_loop(const For& node, const Value& iterable, int depth) {
  std::shared_ptr<Iterator> iterator = iterate(runtime_, iterable);
  // The filter is written outside a recursive loop's own function and closes over what is there.
  if (node.filter) {
    const Scope scope(*this, node.recursive ? activation_->parent : activation_, out_);
    iterator = filtered(node, std::move(iterator));
  }
  std::shared_ptr<Loop> loop;
  if (node.uses_loop) {
    Loop::Recursion recursion;
    if (node.recursive) {
      recursion = [this, &node, closure = activation_->parent](const Value& inner, int inner_depth) {
        return run_recursive_loop(node, closure, inner, inner_depth);
      };
    }
    runtime_.meter.work(sizeof(Loop));
    loop = std::make_shared<Loop>(iterable, node.filter == nullptr, iterator, std::move(recursion), depth);
    activation_->slots[node.loop_slot] = Value();
  }
  bool any_completed = false;  // of the rounds; Jinja's else part runs if there was none
  for (Value item; loop ? loop->next(runtime_, item) : iterator->next(runtime_, item);) {
    runtime_.meter.step();
    assign(*node.target, item);
    if (loop) activation_->slots[node.loop_slot] = Value(std::shared_ptr<Object>(loop));
    enter(node.frame);
    const Flow flow = execute(node.body);
    if (flow == Flow::kBreak) break;
    if (flow == Flow::kNext) any_completed = true;
  }
  leave(node.frame);
  if (any_completed || node.otherwise.empty()) return Flow::kNext;
  enter(node.otherwise_frame);
  const Flow flow = execute(node.otherwise);
  leave(node.otherwise_frame);
  return flow;
}

/// {% set ns.x = value %}: anything but a namespace is refused, as in Jinja before the value is computed.
void Interpreter::require_namespaces(const Expression& target) {
  if (const auto* tuple = std::get_if<TupleDisplay>(&target.node)) {
    for (const ExpressionPtr& item : tuple->items) require_namespaces(*item);
  } else if (const auto* attribute = std::get_if<NamespaceTarget>(&target.node)) {
    if (dynamic_cast<Namespace*>(at(attribute->slot).object()) == nullptr) {
      fail("cannot assign attribute '{}' on '{}', which is no namespace", attribute->attribute, attribute->name);
    }
  }
}

void Interpreter::assign(const Expression& target, const Value& value) {
  if (const auto* name = std::get_if<Name>(&target.node)) {
    at(name->slot) = value;
  } else if (const auto* attribute = std::get_if<NamespaceTarget>(&target.node)) {
    dynamic_cast<Namespace&>(*at(attribute->slot).object())
        .set(runtime_, make_string(nullptr, attribute->attribute, true), value);
  } else {
    const auto& targets = std::get<TupleDisplay>(target.node).items;
    const std::shared_ptr<Iterator> iterator = iterate(runtime_, value);
    std::vector<Value> items;
    for (Value item; items.size() <= targets.size() && iterator->next(runtime_, item);) items.push_back(item);
    if (items.size() > targets.size()) fail("too many values to unpack (expected {})", targets.size());
    if (items.size() < targets.size()) {
      fail("not enough values to unpack (expected {}, got {})", targets.size(), items.size());
    }
    for (size_t i = 0; i < items.size(); ++i) assign(*targets[i], items[i]);
  }
}

Interpreter::Flow Interpreter::execute(const Set& node) {
  require_namespaces(*node.target);
  assign(*node.target, evaluate(*node.value));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const SetBlock& node) {
  enter(node.frame);
  TextBuilder out(&runtime_.meter);
  TextBuilder* const outer = std::exchange(out_, &out);
  const Flow flow = execute(node.body);
  out_ = outer;
  if (flow != Flow::kNext) return flow;
  Value value = runtime_.text(out.take());
  if (node.filter) {
    block_text_ = value;
    value = evaluate(*node.filter);
  }
  require_namespaces(*node.target);
  assign(*node.target, value);
  leave(node.frame);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const FilterBlock& node) {
  enter(node.frame);
  TextBuilder out(&runtime_.meter);
  TextBuilder* const outer = std::exchange(out_, &out);
  const Flow flow = execute(node.body);
  out_ = outer;
  if (flow != Flow::kNext) return flow;
  block_text_ = runtime_.text(out.take());
  write(evaluate(*node.filter));
  leave(node.frame);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const With& node) {
  enter(node.frame);
  for (const auto& [target, value] : node.bindings) assign(*target, evaluate(*value));
  const Flow flow = execute(node.body);
  leave(node.frame);
  return flow;
}

Interpreter::Flow Interpreter::execute(const MacroDefinition& node) {
  runtime_.meter.allocate(sizeof(Macro));
  assign(*node.target, Value(std::shared_ptr<Object>(std::make_shared<Macro>(*this, node.callable, activation_))));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const CallBlock& node) {
  if (!node.call) {
    Arguments none;
    write(runtime_.text(call_closure(node.callable, activation_, none)));
    return Flow::kNext;
  }
  const Value caller(std::shared_ptr<Object>(std::make_shared<Macro>(*this, node.callable, activation_)));
  write(evaluate_call(std::get<Call>(node.call->node), &caller));
  return Flow::kNext;
}

Text Interpreter::call_closure(const Callable& callable, const ActivationPtr& closure, Arguments& arguments) {
  const Nesting nesting(runtime_.meter);
  const ActivationPtr activation = activate(callable.function, closure);
  bind_arguments(callable, *activation, arguments);
  TextBuilder out(&runtime_.meter);
  const Scope scope(*this, activation, &out);
  enter(callable.frame);
  bind_defaults(callable);
  execute(callable.body);
  return out.take();
}

void Interpreter::bind_arguments(const Callable& callable, Activation& activation, Arguments& arguments) {
  const size_t n_parameters = callable.parameters.size();
  const size_t n_positional = std::min(arguments.positional.size(), n_parameters);
  for (size_t i = 0; i < n_positional; ++i) {
    activation.slots[callable.parameters[i].slot] = std::move(arguments.positional[i]);
  }
  bool caller_is_parameter = false;
  runtime_.meter.work((n_parameters + 1) * arguments.named.size());
  for (size_t i = n_positional; i < n_parameters; ++i) {
    activation.slots[callable.parameters[i].slot] = take_named(arguments, callable.parameters[i].name);
  }
  for (const Parameter& parameter : callable.parameters) {
    caller_is_parameter = caller_is_parameter || parameter.name == "caller";
  }
  if (callable.takes_caller && !caller_is_parameter) {
    Value caller = take_named(arguments, "caller");
    if (caller.missing() || caller.none()) caller = runtime_.undefined("No caller defined");
    activation.slots[callable.caller_slot] = caller;
  }
  if (callable.takes_kwargs) {
    std::vector<Dict::Entry> entries;
    for (auto& [name, value] : arguments.named) entries.emplace_back(runtime_.text(name, true), std::move(value));
    activation.slots[callable.kwargs_slot] = make_dict(&runtime_.meter, std::move(entries));
  } else if (!arguments.named.empty()) {
    fail("macro '{}' takes no keyword argument '{}'", callable.name, arguments.named[0].first);
  }
  if (callable.takes_varargs) {
    std::vector<Value> rest(arguments.positional.begin() + static_cast<std::ptrdiff_t>(n_positional),
                            arguments.positional.end());
    activation.slots[callable.varargs_slot] = make_tuple(&runtime_.meter, std::move(rest));
  } else if (arguments.positional.size() > n_parameters) {
    fail("macro '{}' takes not more than {} argument(s)", callable.name, n_parameters);
  }
}

/// Parameters that were not given take their default, or become undefined; in order, so that one may use another.
void Interpreter::bind_defaults(const Callable& callable) {
  for (const Parameter& parameter : callable.parameters) {
    if (!activation_->slots[parameter.slot].missing()) continue;
    Value value = parameter.otherwise
                      ? evaluate(*parameter.otherwise)
                      : runtime_.undefined(fmt::format("parameter '{}' was not provided", parameter.name));
    activation_->slots[parameter.slot] = std::move(value);
  }
}

}  // namespace glint::jinja
