// SPDX-License-Identifier: Apache-2.0
//
// The symbol table of one frame while names are resolved: where each name lives and how its slot starts. A branch of
// an `if` is analysed in an overlay of its frame's table, which is then merged: a name assigned in some branch only
// keeps its outer value in the others.
// Used by scope.cpp alone.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "text/jinja/ast.h"

namespace glint::jinja {

/// A function while its slots are handed out.
class FunctionScope {
 public:
  FunctionScope(Function& function, FunctionScope* parent) : function_(function), parent_(parent) {}

  /// The slot of `name` at nesting `level`; frames side by side at one level share it.
  uint32_t slot(int level, const std::string& name) {
    const auto [found, added] = slots_.try_emplace({level, name}, function_.n_slots);
    if (added) ++function_.n_slots;
    return found->second;
  }
  void set_captured() { function_.captured = true; }
  const FunctionScope* parent() const { return parent_; }

 private:
  Function& function_;
  FunctionScope* parent_;
  std::map<std::pair<int, std::string>, uint32_t> slots_;
};

class Symbols {
 public:
  struct Variable {
    const FunctionScope* function;
    uint32_t slot;
  };
  struct Load {
    enum class From { kParameter, kContext, kOuter, kNothing };
    From from;
    Variable outer{};
    std::string name{};
  };

  /// The table of the outermost frame, of a frame inside `parent`, in `function`.
  Symbols(FunctionScope& function, const Symbols* parent)
      : function_(function), parent_(parent), level_(parent != nullptr ? parent->level_ + 1 : 0) {}
  /// An overlay for a branch inside the frame of `base`.
  static Symbols branch_of(const Symbols& base) {
    Symbols branch(base.function_, base.parent_);
    branch.level_ = base.level_;
    branch.base_ = &base;
    return branch;
  }

  FunctionScope& function() const { return function_; }

  /// The name is assigned here.
  void store(const std::string& name) {
    stores_.insert(name);
    if (find_here(name) != nullptr) return;
    const Variable* outer = find_outer(name);
    define(name, outer != nullptr ? Load{Load::From::kOuter, *outer} : Load{Load::From::kNothing});
  }
  /// The name is bound on entry (parameters, loop targets).
  uint32_t declare_parameter(const std::string& name) {
    stores_.insert(name);
    return define(name, Load{Load::From::kParameter});
  }
  /// The name is read here.
  void load(const std::string& name) {
    if (find(name) == nullptr) define(name, Load{Load::From::kContext, {}, name});
  }
  void merge(std::span<const Symbols> branches);

  /// Where `name` lives as seen from here, null if nobody has mentioned it.
  const Variable* find(const std::string& name) const {
    const Variable* here = find_here(name);
    return here != nullptr ? here : find_outer(name);
  }
  /// `variable` relative to this frame's function.
  Slot relative(const Variable& variable) const {
    Slot slot{0, variable.slot};
    for (const FunctionScope* f = &function_; f != variable.function; f = f->parent()) ++slot.hops;
    return slot;
  }
  Frame frame() const;

 private:
  uint32_t define(const std::string& name, Load load) {
    const uint32_t slot = function_.slot(level_, name);
    variables_.insert_or_assign(name, Variable{&function_, slot});
    loads_.insert_or_assign(slot, std::move(load));
    return slot;
  }
  const Variable* find_here(const std::string& name) const {
    for (const Symbols* table = this; table != nullptr; table = table->base_) {
      const auto found = table->variables_.find(name);
      if (found != table->variables_.end()) return &found->second;
    }
    return nullptr;
  }
  const Variable* find_outer(const std::string& name) const {
    return parent_ != nullptr ? parent_->find(name) : nullptr;
  }
  bool stores_name(const std::string& name) const {
    return stores_.contains(name) || (base_ != nullptr && base_->stores_name(name));
  }

  FunctionScope& function_;
  const Symbols* parent_;
  const Symbols* base_ = nullptr;
  int level_;
  std::map<std::string, Variable> variables_;
  std::map<uint32_t, Load> loads_;
  std::set<std::string> stores_;
};

}  // namespace glint::jinja
