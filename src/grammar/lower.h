// SPDX-License-Identifier: Apache-2.0
//
// From expressions to automata with silent edges (Thompson 1968), and what must be known about them: which states can
// reach the end and how deep that stacks, which rules may be empty, whether a rule is left-recursive.
// Called by builder.cpp only. Tested by tests/unit/grammar/builder_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/builder.h"

namespace glint::grammar {

/// Every rule as an automaton that still has silent edges. States of all rules share one numbering.
struct Lowered {
  static constexpr int32_t kDead = INT32_MAX;

  struct State {
    std::vector<ByteEdge> bytes;
    std::vector<CallEdge> calls;
    std::vector<int32_t> silent;
    int32_t height = kDead;  // analyse(): frames needed to reach the end of the rule; kDead if it cannot be reached
  };
  struct Rule {
    std::string name;
    int32_t start = 0, end = 0;
    bool nullable = false;  // analyse()
  };
  std::vector<State> states;
  std::vector<Rule> rules;  // 0 is the root
};

/// Lowers the rules that the root reaches.
class Lowering {
 public:
  Lowering(const Builder& builder, int32_t root) : builder_(builder), root_(root) {}
  Lowered run();

 private:
  using Expr = Builder::Expr;

  int32_t add_state();
  void add_silent(int32_t from, int32_t to) { lowered_.states[from].silent.push_back(to); }
  void add_byte(int32_t from, uint8_t low, uint8_t high, int32_t to);
  int32_t rule_of(int32_t declared);
  int32_t rule_of_body(Expr body);
  uint64_t inline_cost(Expr expr, int nesting) const;
  void add(Expr expr, int32_t from, int32_t to);
  void add_text(std::string_view text, int32_t from, int32_t to);
  void add_range(CharRange range, int32_t from, int32_t to);
  void add_automaton(const Builder::Automaton& automaton, int32_t from, int32_t to);
  void add_escapes(CharRange range, int32_t from, int32_t to);
  int32_t all_controls_escaped(int32_t to);
  void add_control_escapes(uint8_t low, uint8_t high, int32_t after_backslash, int32_t to);
  void add_repeat(const Builder::Node& node, int32_t from, int32_t to);
  void add_network(const Builder::Network& network, int32_t from, int32_t to);

  const Builder& builder_;
  const int32_t root_;
  Lowered lowered_;
  std::vector<Expr> pending_;                            // body of each lowered rule
  std::unordered_map<int32_t, int32_t> rules_, bodies_;  // declared rule, counted body -> lowered rule
  std::unordered_map<int32_t, int32_t> escapes_;         // target -> the state that reads what follows a backslash
  size_t n_edges_ = 0;
  std::string owner_;
};

/// Fills in heights and nullable, removes what cannot reach an end. Throws Error for a root without any text and for
/// left recursion.
void analyse(Lowered& lowered);

}  // namespace glint::grammar
