// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/scope.h"

#include <array>
#include <string_view>

#include "base/check.h"
#include "text/jinja/ast_walk.h"
#include "text/jinja/symbols.h"

namespace glint::jinja {

void Symbols::merge(std::span<const Symbols> branches) {
  std::set<std::string> newly_stored;
  for (const Symbols& branch : branches) {
    for (const std::string& name : branch.stores_) {
      if (!stores_name(name)) newly_stored.insert(name);
    }
  }
  for (const Symbols& branch : branches) {
    for (const auto& [name, variable] : branch.variables_) variables_.insert_or_assign(name, variable);
    for (const auto& [slot, load] : branch.loads_) loads_.insert_or_assign(slot, load);
    stores_.insert(branch.stores_.begin(), branch.stores_.end());
  }
  // Assigned in some branch: in the others it is still the outer variable, or the input of that name.
  for (const std::string& name : newly_stored) {
    const Variable* outer = find_outer(name);
    loads_.insert_or_assign(find(name)->slot,
                            outer != nullptr ? Load{Load::From::kOuter, *outer} : Load{Load::From::kContext, {}, name});
  }
}

Frame Symbols::frame() const {
  Frame frame;
  for (const auto& [slot, load] : loads_) {
    frame.slots.push_back(slot);
    switch (load.from) {
      case Load::From::kParameter:
        break;
      case Load::From::kContext:
        frame.loads.push_back({SlotLoad::From::kContext, slot, {}, load.name});
        break;
      case Load::From::kOuter:
        frame.loads.push_back({SlotLoad::From::kOuter, slot, relative(load.outer), {}});
        break;
      case Load::From::kNothing:
        frame.loads.push_back({SlotLoad::From::kNothing, slot, {}, {}});
        break;
    }
  }
  return frame;
}

namespace {

/// Enters into `symbols` what a frame's statements read and assign; stops at whatever has a frame of its own.
class SymbolCollector {
 public:
  explicit SymbolCollector(Symbols& symbols) : symbols_(&symbols) {}

  void expression(const Expression& node) {
    if (const auto* name = std::get_if<Name>(&node.node)) {
      if (name->use == NameUse::kLoad) symbols_->load(name->name);
      if (name->use == NameUse::kStore) symbols_->store(name->name);
      if (name->use == NameUse::kParameter) symbols_->declare_parameter(name->name);
    } else if (const auto* target = std::get_if<NamespaceTarget>(&node.node)) {
      symbols_->load(target->name);
    }
    for_each_child(node, [this](const Expression& child) { expression(child); });
  }
  void parameters(const Expression& target) {
    if (const auto* name = std::get_if<Name>(&target.node)) symbols_->declare_parameter(name->name);
    for_each_child(target, [this](const Expression& child) { parameters(child); });
  }
  void body(const Body& statements) {
    for (const auto& statement : statements) {
      std::visit([this](const auto& node) { visit(node); }, statement->node);
    }
  }

 private:
  void visit(const Output& node) {
    for (const auto& part : node.parts) expression(*part);
  }
  void visit(const If& node) {
    expression(*node.branches[0].first);
    std::array<Symbols, 3> branches = {Symbols::branch_of(*symbols_), Symbols::branch_of(*symbols_),
                                       Symbols::branch_of(*symbols_)};
    in_branch(branches[0], [&] { body(node.branches[0].second); });
    in_branch(branches[1], [&] { elif_branches(node); });
    in_branch(branches[2], [&] { body(node.otherwise); });
    symbols_->merge(branches);
  }
  /// The elif parts share one branch, each body being a branch within it.
  void elif_branches(const If& node) {
    for (size_t i = 1; i < node.branches.size(); ++i) {
      expression(*node.branches[i].first);
      std::array<Symbols, 1> inner = {Symbols::branch_of(*symbols_)};
      in_branch(inner[0], [&] { body(node.branches[i].second); });
      symbols_->merge(inner);
    }
  }
  template <class F>
  void in_branch(Symbols& branch, F&& f) {
    Symbols* const outer = std::exchange(symbols_, &branch);
    f();
    symbols_ = outer;
  }
  void visit(const For& node) { expression(*node.iterable); }
  void visit(const Set& node) {
    expression(*node.value);
    expression(*node.target);
  }
  void visit(const SetBlock& node) { expression(*node.target); }
  void visit(const MacroDefinition& node) { expression(*node.target); }
  void visit(const CallBlock& node) {
    if (node.call) expression(*node.call);
  }
  void visit(const FilterBlock& node) { expression(*node.filter); }
  void visit(const With& node) {
    for (const auto& [target, value] : node.bindings) expression(*value);
  }
  void visit(const Break&) {}
  void visit(const Continue&) {}

  Symbols* symbols_;
};

/// Looks for a name that is read before anything assigns it, in nested frames too.
class UndeclaredFinder {
 public:
  explicit UndeclaredFinder(std::string_view name) : name_(name) {}

  bool in(const Body& statements) {
    body(statements);
    return read_;
  }

 private:
  void expression(const Expression& node) {
    if (const auto* name = std::get_if<Name>(&node.node)) mention(name->name, name->use == NameUse::kLoad);
    for_each_child(node, [this](const Expression& child) { expression(child); });
  }
  void mention(std::string_view name, bool is_read) {
    if (name != name_ || declared_) return;
    (is_read ? read_ : declared_) = true;
  }
  void body(const Body& statements) {
    for (const auto& statement : statements) {
      if (read_ || declared_) return;
      std::visit([this](const auto& node) { visit(node); }, statement->node);
    }
  }
  void callable(const Callable& node) {
    for (const Parameter& parameter : node.parameters) mention(parameter.name, false);
    for (const Parameter& parameter : node.parameters) {
      if (parameter.otherwise) expression(*parameter.otherwise);
    }
    body(node.body);
  }
  void optional(const ExpressionPtr& node) {
    if (node) expression(*node);
  }
  void visit(const Output& node) {
    for (const auto& part : node.parts) expression(*part);
  }
  void visit(const If& node) {
    for (const auto& [test, statements] : node.branches) {
      expression(*test);
      body(statements);
    }
    body(node.otherwise);
  }
  void visit(const For& node) {
    expression(*node.target);
    expression(*node.iterable);
    body(node.body);
    body(node.otherwise);
    optional(node.filter);
  }
  void visit(const Set& node) {
    expression(*node.target);
    expression(*node.value);
  }
  void visit(const SetBlock& node) {
    expression(*node.target);
    optional(node.filter);
    body(node.body);
  }
  void visit(const MacroDefinition& node) { callable(node.callable); }
  void visit(const CallBlock& node) {
    optional(node.call);
    callable(node.callable);
  }
  void visit(const FilterBlock& node) {
    body(node.body);
    expression(*node.filter);
  }
  void visit(const With& node) {
    for (const auto& [target, value] : node.bindings) expression(*target);
    for (const auto& [target, value] : node.bindings) expression(*value);
    body(node.body);
  }
  void visit(const Break&) {}
  void visit(const Continue&) {}

  std::string_view name_;
  bool read_ = false;
  bool declared_ = false;
};

/// Gives every name of a frame its slot, and every inner frame its table.
class Resolver {
 public:
  /// `conditional`: inside an if, where unknown filters and tests are errors only when reached.
  Resolver(const Symbols& symbols, bool conditional, bool in_loop)
      : symbols_(symbols), conditional_(conditional), in_loop_(in_loop) {}

  void expression(Expression& node) {
    if (auto* name = std::get_if<Name>(&node.node)) {
      if (in_loop_ && name->use == NameUse::kStore && name->name == "loop") {
        fail("line {}: 'loop' cannot be assigned to inside a loop", node.line);
      }
      name->slot = slot(name->name);
    } else if (auto* target = std::get_if<NamespaceTarget>(&node.node)) {
      target->slot = slot(target->name);
    } else if (const auto* filter = std::get_if<FilterUse>(&node.node)) {
      if (filter->filter == nullptr && !conditional_) fail("line {}: no filter named '{}'", node.line, filter->name);
    } else if (const auto* test = std::get_if<TestUse>(&node.node)) {
      if (test->test == nullptr && !conditional_) fail("line {}: no test named '{}'", node.line, test->name);
    }
    const bool soft = conditional_ || std::holds_alternative<Conditional>(node.node);
    const bool outer = std::exchange(conditional_, soft);
    for_each_child(node, [this](Expression& child) { expression(child); });
    conditional_ = outer;
  }
  void body(Body& statements) {
    for (auto& statement : statements) {
      std::visit([this](auto& node) { visit(node); }, statement->node);
    }
  }

 private:
  Slot slot(const std::string& name) const {
    const Symbols::Variable* variable = symbols_.find(name);
    GLINT_CHECK(variable != nullptr);
    return symbols_.relative(*variable);
  }
  /// A resolver for a frame inside this one.
  Resolver inner(const Symbols& symbols) const { return Resolver(symbols, false, in_loop_); }

  void visit(Output& node) {
    for (auto& part : node.parts) expression(*part);
  }
  void visit(If& node) {
    const bool outer = std::exchange(conditional_, true);
    for (auto& [test, statements] : node.branches) {
      expression(*test);
      body(statements);
    }
    body(node.otherwise);
    conditional_ = outer;
  }
  void visit(For& node);
  void loop_filter(For& node);
  void visit(Set& node) {
    expression(*node.value);
    expression(*node.target);
  }
  void visit(SetBlock& node) {
    Symbols symbols(symbols_.function(), &symbols_);
    SymbolCollector collector(symbols);
    collector.body(node.body);
    if (node.filter) collector.expression(*node.filter);
    node.frame = symbols.frame();
    Resolver resolver = inner(symbols);
    resolver.body(node.body);
    if (node.filter) resolver.expression(*node.filter);
    expression(*node.target);
  }
  void visit(MacroDefinition& node) {
    callable(node.callable);
    expression(*node.target);
  }
  void visit(CallBlock& node) {
    callable(node.callable);
    if (node.call) expression(*node.call);
  }
  void callable(Callable& node);
  void visit(FilterBlock& node) {
    Symbols symbols(symbols_.function(), &symbols_);
    SymbolCollector collector(symbols);
    collector.body(node.body);
    collector.expression(*node.filter);
    node.frame = symbols.frame();
    Resolver resolver = inner(symbols);
    resolver.body(node.body);
    resolver.expression(*node.filter);
  }
  void visit(With& node) {
    Symbols symbols(symbols_.function(), &symbols_);
    SymbolCollector collector(symbols);
    for (auto& [target, value] : node.bindings) collector.parameters(*target);
    collector.body(node.body);
    node.frame = symbols.frame();
    Resolver resolver = inner(symbols);
    for (auto& [target, value] : node.bindings) {
      expression(*value);
      resolver.expression(*target);
    }
    resolver.body(node.body);
  }
  void visit(Break&) {}
  void visit(Continue&) {}

  const Symbols& symbols_;
  bool conditional_;
  bool in_loop_;
};

void Resolver::loop_filter(For& node) {
  symbols_.function().set_captured();
  FunctionScope function(node.filter_function, &symbols_.function());
  Symbols symbols(function, &symbols_);
  SymbolCollector collector(symbols);
  collector.parameters(*node.filter_target);
  collector.expression(*node.filter);
  node.filter_frame = symbols.frame();
  Resolver resolver(symbols, false, true);
  resolver.expression(*node.filter_target);
  resolver.expression(*node.filter);
}

void Resolver::visit(For& node) {
  expression(*node.iterable);
  if (node.filter) loop_filter(node);
  FunctionScope own_function(node.function, &symbols_.function());
  FunctionScope& function = node.recursive ? own_function : symbols_.function();
  if (node.recursive) symbols_.function().set_captured();
  node.uses_loop = node.recursive || UndeclaredFinder("loop").in(node.body);

  Symbols symbols(function, &symbols_);
  if (node.uses_loop) node.loop_slot = symbols.declare_parameter("loop");
  SymbolCollector collector(symbols);
  collector.parameters(*node.target);
  collector.body(node.body);
  node.frame = symbols.frame();
  Resolver resolver(symbols, false, true);
  resolver.expression(*node.target);
  resolver.body(node.body);

  Symbols otherwise(function, &symbols_);
  SymbolCollector(otherwise).body(node.otherwise);
  node.otherwise_frame = otherwise.frame();
  Resolver(otherwise, false, true).body(node.otherwise);
}

void Resolver::callable(Callable& node) {
  symbols_.function().set_captured();
  FunctionScope function(node.function, &symbols_.function());
  Symbols symbols(function, &symbols_);
  const auto collect = [&] {
    SymbolCollector collector(symbols);
    for (Parameter& parameter : node.parameters) parameter.slot = symbols.declare_parameter(parameter.name);
    for (const Parameter& parameter : node.parameters) {
      if (parameter.otherwise) collector.expression(*parameter.otherwise);
    }
    collector.body(node.body);
  };
  collect();
  const auto parameter_named = [&](std::string_view name) -> const Parameter* {
    for (const Parameter& parameter : node.parameters) {
      if (parameter.name == name) return &parameter;
    }
    return nullptr;
  };
  node.takes_caller = UndeclaredFinder("caller").in(node.body);
  if (const Parameter* caller = parameter_named("caller"); node.takes_caller && caller != nullptr) {
    if (!caller->otherwise) fail("macro '{}': the parameter \"caller\" must have a default", node.name);
  } else if (node.takes_caller) {
    node.caller_slot = symbols.declare_parameter("caller");
  }
  if (parameter_named("kwargs") == nullptr && UndeclaredFinder("kwargs").in(node.body)) {
    node.takes_kwargs = true;
    node.kwargs_slot = symbols.declare_parameter("kwargs");
  }
  if (parameter_named("varargs") == nullptr && UndeclaredFinder("varargs").in(node.body)) {
    node.takes_varargs = true;
    node.varargs_slot = symbols.declare_parameter("varargs");
  }
  collect();
  node.frame = symbols.frame();
  Resolver resolver = inner(symbols);
  for (Parameter& parameter : node.parameters) {
    if (parameter.otherwise) resolver.expression(*parameter.otherwise);
  }
  resolver.body(node.body);
}

}  // namespace

void resolve_names(TemplateTree& tree) {
  FunctionScope function(tree.function, nullptr);
  Symbols symbols(function, nullptr);
  SymbolCollector(symbols).body(tree.body);
  tree.frame = symbols.frame();
  Resolver(symbols, false, false).body(tree.body);
}

}  // namespace glint::jinja
