// SPDX-License-Identifier: Apache-2.0
//
// Builds a Grammar from expressions: the common back end of gbnf, regex and json_schema. A reader declares rules, makes
// expressions of code points, strings, automata, calls and repetitions, and calls finish(), which lowers them to
// automata over bytes (lower.cpp), drops what can never end, refuses left recursion and makes each rule deterministic
// as far as its own bytes go (determinise.cpp).
// Tested by tests/unit/grammar/builder_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/char_dfa.h"
#include "grammar/grammar.h"

namespace glint::grammar {

/// How code points become bytes: as UTF-8, or as the inside of a JSON string (quotes, backslashes and controls escaped,
/// the rest as UTF-8).
enum class Encoding : uint8_t { kPlain, kJsonString };

class Builder {
 public:
  /// Handle of an expression; valid for this builder. Expressions may be used many times.
  using Expr = int32_t;

  explicit Builder(const GrammarLimits& limits = {}) : limits_(limits) {}

  Expr empty() { return sequence({}); }
  /// Matches nothing at all, not even the empty text.
  Expr never() { return alternatives({}); }
  Expr bytes(std::string_view text);
  /// One code point of `set`.
  Expr chars(const CharSet& set);
  Expr automaton(CharDfa dfa, Encoding encoding);
  Expr sequence(std::vector<Expr> parts);
  Expr alternatives(std::vector<Expr> choices);
  Expr repeat(Expr body, uint32_t min, uint32_t max);
  Expr optional(Expr body) { return repeat(body, 0, 1); }
  Expr call(int32_t rule);

  /// An automaton whose edges are expressions, for what would explode as nested expressions.
  struct Network {
    struct Edge {
      int32_t from = 0, to = 0;
      Expr expr = 0;
    };
    int32_t n_states = 1;  // 0 is the start
    std::vector<Edge> edges;
    std::vector<int32_t> finals;
    int32_t add_state() { return n_states++; }
  };
  Expr network(Network network);

  /// A rule to be defined later; `name` is for messages.
  int32_t declare(std::string name);
  void define(int32_t rule, Expr body);
  bool is_defined(int32_t rule) const { return bodies_[static_cast<size_t>(rule)] >= 0; }
  size_t n_rules() const { return names_.size(); }

  /// Throws Error if `root` can produce no text, if a rule is left-recursive, or past a limit.
  Grammar finish(int32_t root);

 private:
  friend class Lowering;

  enum class Kind : uint8_t { kBytes, kChars, kAutomaton, kSequence, kAlternatives, kRepeat, kCall, kNetwork };
  struct Node {
    Kind kind = Kind::kSequence;
    uint32_t min = 0, max = 0;  // kRepeat
    int32_t index = 0;          // kCall: rule; else into the vector of its kind
    std::vector<Expr> children = {};
    bool unrolled = false;  // kRepeat: written out rather than counted
    uint64_t cost = 1;      // about how many states it lowers to
  };
  Expr add(Node node);

  GrammarLimits limits_;
  std::vector<Node> nodes_;
  std::vector<std::string> texts_;
  std::vector<CharSet> sets_;
  struct Automaton {
    CharDfa dfa;
    Encoding encoding;
  };
  std::vector<Automaton> automata_;
  std::vector<Network> networks_;
  size_t n_network_edges_ = 0;
  std::vector<std::string> names_;
  std::vector<Expr> bodies_;  // -1: declared only
};

}  // namespace glint::grammar
