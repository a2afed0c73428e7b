// SPDX-License-Identifier: Apache-2.0
#include "grammar/builder.h"

#include <utility>

#include "base/check.h"
#include "grammar/determinise.h"
#include "grammar/lower.h"

namespace glint::grammar {
namespace {

// Repetitions up to this size are written out, so that tokens need no counter; larger ones are counted at run time.
constexpr uint64_t kMaxUnrolledCost = 64;

}  // namespace

Builder::Expr Builder::add(Node node) {
  if (nodes_.size() >= limits_.max_states) fail("grammar: more than {} parts; make it smaller", limits_.max_states);
  nodes_.push_back(std::move(node));
  return static_cast<Expr>(nodes_.size()) - 1;
}

Builder::Expr Builder::bytes(std::string_view text) {
  texts_.emplace_back(text);
  return add({.kind = Kind::kBytes, .index = static_cast<int32_t>(texts_.size()) - 1, .cost = text.size() + 1});
}

Builder::Expr Builder::chars(const CharSet& set) {
  sets_.push_back(set);
  return add({.kind = Kind::kChars,
              .index = static_cast<int32_t>(sets_.size()) - 1,
              .cost = 1 + 4 * static_cast<uint64_t>(set.ranges().size())});
}

Builder::Expr Builder::automaton(CharDfa dfa, Encoding encoding) {
  const uint64_t cost = 8 * (dfa.states.size() + 1);
  automata_.push_back({std::move(dfa), encoding});
  return add({.kind = Kind::kAutomaton, .index = static_cast<int32_t>(automata_.size()) - 1, .cost = cost});
}

Builder::Expr Builder::sequence(std::vector<Expr> parts) {
  uint64_t cost = 1;
  for (const Expr part : parts) cost += nodes_[part].cost;
  return add({.kind = Kind::kSequence, .children = std::move(parts), .cost = cost});
}

Builder::Expr Builder::alternatives(std::vector<Expr> choices) {
  uint64_t cost = 2;
  for (const Expr choice : choices) cost += nodes_[choice].cost;
  return add({.kind = Kind::kAlternatives, .children = std::move(choices), .cost = cost});
}

Builder::Expr Builder::repeat(Expr body, uint32_t min, uint32_t max) {
  GLINT_CHECK(min <= max);
  if (min == 1 && max == 1) return body;
  const bool unrolled = max != kUnbounded && nodes_[body].cost * max <= kMaxUnrolledCost;
  const uint64_t cost = (unrolled ? nodes_[body].cost * max : nodes_[body].cost) + 4;
  return add({.kind = Kind::kRepeat, .min = min, .max = max, .children = {body}, .unrolled = unrolled, .cost = cost});
}

Builder::Expr Builder::call(int32_t rule) {
  return add({.kind = Kind::kCall, .index = rule, .cost = 2});
}

Builder::Expr Builder::network(Network network) {
  uint64_t cost = static_cast<uint64_t>(network.n_states);
  for (const Network::Edge& edge : network.edges) cost += nodes_[edge.expr].cost;
  n_network_edges_ += network.edges.size();
  if (n_network_edges_ > limits_.max_edges) fail("grammar: more than {} edges; make it smaller", limits_.max_edges);
  networks_.push_back(std::move(network));
  return add({.kind = Kind::kNetwork, .index = static_cast<int32_t>(networks_.size()) - 1, .cost = cost});
}

int32_t Builder::declare(std::string name) {
  names_.push_back(std::move(name));
  bodies_.push_back(-1);
  return static_cast<int32_t>(names_.size()) - 1;
}

void Builder::define(int32_t rule, Expr body) {
  GLINT_CHECK(!is_defined(rule));
  bodies_[rule] = body;
}

Grammar Builder::finish(int32_t root) {
  Lowered lowered = Lowering(*this, root).run();
  analyse(lowered);
  return determinise(lowered, limits_);
}

}  // namespace glint::grammar
