// SPDX-License-Identifier: Apache-2.0
//
// The one form that GBNF grammars, JSON schemas and regular expressions are compiled to: a recursive transition network
// over bytes. A rule is an automaton whose edges read a byte range or call a rule between `min` and `max` times in a
// row; counts are kept at run time, so {1,1000000} costs no more than {1,2}.
//
// What a Grammar promises, and builder.cpp establishes: every state can reach the end of its rule (there are no dead
// ends), no rule calls itself before reading a byte (a closure is finite), and every text is valid UTF-8 if the reader
// made it from code points.
// Made by builder.h, run by machine.h. Tested by tests/unit/grammar/builder_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"

namespace glint::grammar {

inline constexpr uint32_t kUnbounded = UINT32_MAX;

struct ByteEdge {
  uint8_t low = 0, high = 0;
  int32_t target = 0;
};

/// Calls `rule` at least `min` and at most `max` times, then goes on at `target`.
struct CallEdge {
  int32_t rule = 0;
  uint32_t min = 1, max = 1;
  int32_t target = 0;
};

struct State {
  uint32_t byte_edges = 0, byte_edges_end = 0;  // into Grammar::byte_edges
  uint32_t call_edges = 0, call_edges_end = 0;  // into Grammar::call_edges
  int32_t height = 0;                           // frames that the shortest way to the end of the rule stacks up
  bool final = false;                           // the rule may end here
  bool only_final = false;                      // and nothing else
};

struct Rule {
  std::string name;
  int32_t start = 0, states_end = 0;  // its states are [start, states_end)
  bool nullable = false;              // may read nothing
};

/// Bounds on what hostile input can make; an Error names the one that was hit.
struct GrammarLimits {
  size_t max_states = 1'000'000;
  size_t max_edges = 4'000'000;
};

/// The grammar has no text at all.
class ImpossibleGrammar : public Error {
 public:
  using Error::Error;
};

/// Immutable once built; safe to use from any thread.
struct Grammar {
  std::vector<State> states;
  std::vector<ByteEdge> byte_edges;
  std::vector<CallEdge> call_edges;
  std::vector<Rule> rules;
  int32_t root = 0;
  // Bytes that no edge tells apart share a class.
  std::array<uint8_t, 256> byte_class = {};
  int32_t n_classes = 1;

  std::span<const ByteEdge> bytes_of(const State& s) const {
    return {byte_edges.data() + s.byte_edges, byte_edges.data() + s.byte_edges_end};
  }
  std::span<const CallEdge> calls_of(const State& s) const {
    return {call_edges.data() + s.call_edges, call_edges.data() + s.call_edges_end};
  }
};

}  // namespace glint::grammar
