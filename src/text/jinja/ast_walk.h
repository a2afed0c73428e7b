// SPDX-License-Identifier: Apache-2.0
//
// Children of syntax tree nodes, in the order in which Jinja's compiler visits them (it matters for which names count
// as declared). Used by the parser (depth) and the resolver.
#pragma once

#include <type_traits>

#include "text/jinja/ast.h"

namespace glint::jinja {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

/// Calls f(expression) for each argument.
template <class Arguments, class F>
void for_each_argument(Arguments& arguments, F&& f) {
  for (auto& argument : arguments.positional) f(*argument);
  for (auto& argument : arguments.named) f(*argument.second);
  if (arguments.star) f(*arguments.star);
  if (arguments.double_star) f(*arguments.double_star);
}

/// Calls f(expression) for each direct child of `parent` (const or not).
template <class Parent, class F>
void for_each_child(Parent& parent, F&& f) {
  const auto visit = [&f](auto& pointer) {
    if (pointer) f(*pointer);
  };
  const auto visit_all = [&](auto& pointers) {
    for (auto& pointer : pointers) visit(pointer);
  };
  std::visit(
      [&](auto& node) {
        using Node = std::remove_const_t<std::remove_reference_t<decltype(node)>>;
        if constexpr (std::is_same_v<Node, TupleDisplay> || std::is_same_v<Node, ListDisplay>) {
          visit_all(node.items);
        } else if constexpr (std::is_same_v<Node, DictDisplay>) {
          for (auto& [key, value] : node.entries) visit(key), visit(value);
        } else if constexpr (std::is_same_v<Node, Unary>) {
          visit(node.operand);
        } else if constexpr (std::is_same_v<Node, Binary> || std::is_same_v<Node, Logical>) {
          visit(node.left), visit(node.right);
        } else if constexpr (std::is_same_v<Node, Concatenation>) {
          visit_all(node.parts);
        } else if constexpr (std::is_same_v<Node, ComparisonChain>) {
          visit(node.first);
          for (auto& [op, operand] : node.rest) visit(operand);
        } else if constexpr (std::is_same_v<Node, Conditional>) {
          visit(node.test), visit(node.then), visit(node.otherwise);
        } else if constexpr (std::is_same_v<Node, Attribute>) {
          visit(node.object);
        } else if constexpr (std::is_same_v<Node, Subscript>) {
          visit(node.object), visit(node.key);
        } else if constexpr (std::is_same_v<Node, Slice>) {
          visit(node.object), visit(node.start), visit(node.stop), visit(node.step);
        } else if constexpr (std::is_same_v<Node, Call>) {
          visit(node.callee);
          for_each_argument(node.arguments, f);
        } else if constexpr (std::is_same_v<Node, FilterUse> || std::is_same_v<Node, TestUse>) {
          visit(node.input);
          for_each_argument(node.arguments, f);
        }
      },
      parent.node);
}

}  // namespace glint::jinja
