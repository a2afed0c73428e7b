// SPDX-License-Identifier: Apache-2.0
#include "grammar/char_dfa.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "base/utf8.h"

namespace glint::grammar {
namespace {

constexpr char32_t kLastChar = 0x10FFFF;

void check_size(size_t n_states, const DfaLimit& limit) {
  if (n_states > static_cast<size_t>(limit.max_states)) {
    fail("{}: needs more than {} states; shorten its repetitions or length bounds", limit.what, limit.max_states);
  }
}

std::vector<std::vector<int32_t>> sources_of(const CharDfa& dfa) {
  std::vector<std::vector<int32_t>> sources(dfa.states.size());
  for (size_t s = 0; s < dfa.states.size(); ++s) {
    for (const CharDfa::Edge& edge : dfa.states[s].edges) sources[edge.target].push_back(static_cast<int32_t>(s));
  }
  return sources;
}

std::vector<bool> states_that_accept_something(const CharDfa& dfa) {
  const auto sources = sources_of(dfa);
  std::vector<bool> alive(dfa.states.size());
  std::vector<int32_t> queue;
  for (size_t s = 0; s < dfa.states.size(); ++s) {
    if (dfa.states[s].accepts) queue.push_back(static_cast<int32_t>(s)), alive[s] = true;
  }
  while (!queue.empty()) {
    const int32_t s = queue.back();
    queue.pop_back();
    for (const int32_t source : sources[s]) {
      if (!alive[source]) queue.push_back(source), alive[source] = true;
    }
  }
  return alive;
}

}  // namespace

bool CharDfa::accepts(std::string_view text) const {
  if (states.empty()) return false;
  int32_t at = 0;
  for (size_t i = 0; i < text.size();) {
    const utf8::Decoded next = utf8::decode(text, i);
    if (!next.valid) return false;
    i += next.size;
    const auto& edges = states[at].edges;
    const auto edge = std::find_if(edges.begin(), edges.end(), [&](const Edge& e) {
      return e.low <= next.code_point && next.code_point <= e.high;
    });
    if (edge == edges.end()) return false;
    at = edge->target;
  }
  return states[at].accepts;
}

void CharDfa::trim() {
  const std::vector<bool> alive = states_that_accept_something(*this);
  if (states.empty() || !alive[0]) {
    states.clear();
    return;
  }
  std::vector<int32_t> number(states.size(), -1), order = {0};
  number[0] = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    for (const Edge& edge : states[order[i]].edges) {
      if (!alive[edge.target] || number[edge.target] >= 0) continue;
      number[edge.target] = static_cast<int32_t>(order.size());
      order.push_back(edge.target);
    }
  }
  std::vector<State> kept(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    kept[i].accepts = states[order[i]].accepts;
    for (const Edge& edge : states[order[i]].edges) {
      if (!alive[edge.target]) continue;
      const int32_t target = number[edge.target];
      auto& edges = kept[i].edges;
      if (!edges.empty() && edges.back().target == target && edges.back().high + 1 == edge.low) {
        edges.back().high = edge.high;
      } else {
        edges.push_back({edge.low, edge.high, target});
      }
    }
  }
  states = std::move(kept);
}

CharDfa any_string() {
  return CharDfa{{{{{0, kLastChar, 0}}, true}}};
}

CharDfa strings_of_length(uint64_t minimum, uint64_t maximum, const DfaLimit& limit) {
  if (minimum > maximum) return {};
  const bool endless = maximum == kNoMaximum;
  const uint64_t last = endless ? minimum : maximum;
  check_size(last >= static_cast<uint64_t>(limit.max_states) ? SIZE_MAX : last + 1, limit);
  CharDfa dfa;
  dfa.states.resize(last + 1);
  for (uint64_t i = 0; i <= last; ++i) {
    dfa.states[i].accepts = i >= minimum;
    if (i < last) dfa.states[i].edges = {{0, kLastChar, static_cast<int32_t>(i + 1)}};
  }
  if (endless) dfa.states[last].edges = {{0, kLastChar, static_cast<int32_t>(last)}};
  return dfa;
}

CharDfa one_of(std::span<const std::string> strings) {
  CharDfa dfa;
  dfa.states.resize(1);
  for (const std::string& text : strings) {
    int32_t at = 0;
    for (size_t i = 0; i < text.size();) {
      const utf8::Decoded next = utf8::decode(text, i);
      i += next.size;
      auto& edges = dfa.states[at].edges;
      const auto place = std::lower_bound(edges.begin(), edges.end(), next.code_point,
                                          [](const CharDfa::Edge& e, char32_t c) { return e.low < c; });
      if (place != edges.end() && place->low == next.code_point) {
        at = place->target;
        continue;
      }
      const int32_t target = static_cast<int32_t>(dfa.states.size());
      edges.insert(place, {next.code_point, next.code_point, target});
      dfa.states.emplace_back();
      at = target;
    }
    dfa.states[at].accepts = true;
  }
  dfa.trim();
  return dfa;
}

CharDfa intersection(const CharDfa& a, const CharDfa& b, const DfaLimit& limit) {
  CharDfa product;
  if (a.empty() || b.empty()) return product;
  std::unordered_map<uint64_t, int32_t> numbers;
  std::vector<std::pair<int32_t, int32_t>> pairs;
  const auto number_of = [&](int32_t x, int32_t y) {
    const uint64_t key = static_cast<uint64_t>(x) << 32 | static_cast<uint32_t>(y);
    const auto [place, added] = numbers.try_emplace(key, static_cast<int32_t>(pairs.size()));
    if (added) {
      pairs.push_back({x, y});
      check_size(pairs.size(), limit);
    }
    return place->second;
  };
  number_of(0, 0);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto [x, y] = pairs[i];
    const CharDfa::State &left = a.states[x], &right = b.states[y];
    CharDfa::State state;
    state.accepts = left.accepts && right.accepts;
    for (size_t p = 0, q = 0; p < left.edges.size() && q < right.edges.size();) {
      const CharDfa::Edge &e = left.edges[p], &f = right.edges[q];
      const char32_t low = std::max(e.low, f.low), high = std::min(e.high, f.high);
      if (low <= high) state.edges.push_back({low, high, number_of(e.target, f.target)});
      e.high < f.high ? ++p : ++q;
    }
    product.states.push_back(std::move(state));
  }
  product.trim();
  return product;
}

CharDfa complement(const CharDfa& a) {
  if (a.empty()) return any_string();
  CharDfa rest = a;
  const int32_t sink = static_cast<int32_t>(rest.states.size());
  rest.states.push_back({{}, false});
  for (CharDfa::State& state : rest.states) {
    state.accepts = !state.accepts;
    std::vector<CharDfa::Edge> edges;
    char32_t next = 0;
    for (const CharDfa::Edge& edge : state.edges) {
      if (edge.low > next) edges.push_back({next, edge.low - 1, sink});
      edges.push_back(edge);
      next = edge.high + 1;
    }
    if (next <= kLastChar) edges.push_back({next, kLastChar, sink});
    state.edges = std::move(edges);
  }
  rest.trim();
  return rest;
}

LengthBounds length_bounds(const CharDfa& dfa) {
  LengthBounds bounds;
  // Shortest: breadth first. Longest: by a topological order, endless where a cycle keeps states from being ordered.
  std::vector<int32_t> n_sources(dfa.states.size()), level = {0};
  std::vector<bool> seen(dfa.states.size());
  seen[0] = true;
  for (bool found = false; !found; ++bounds.shortest) {
    std::vector<int32_t> next;
    for (const int32_t s : level) {
      found |= dfa.states[s].accepts;
      for (const CharDfa::Edge& edge : dfa.states[s].edges) {
        if (!seen[edge.target]) next.push_back(edge.target), seen[edge.target] = true;
      }
    }
    GLINT_CHECK(found || !next.empty());
    level = std::move(next);
    if (found) break;
  }
  for (const CharDfa::State& state : dfa.states) {
    for (const CharDfa::Edge& edge : state.edges) ++n_sources[edge.target];
  }
  std::vector<uint64_t> length(dfa.states.size());
  std::vector<int32_t> ready;
  if (n_sources[0] == 0) ready.push_back(0);
  size_t n_ordered = 0;
  uint64_t longest = 0;
  while (!ready.empty()) {
    const int32_t s = ready.back();
    ready.pop_back();
    ++n_ordered;
    longest = std::max(longest, length[s]);
    for (const CharDfa::Edge& edge : dfa.states[s].edges) {
      length[edge.target] = std::max(length[edge.target], length[s] + 1);
      if (--n_sources[edge.target] == 0) ready.push_back(edge.target);
    }
  }
  if (n_ordered == dfa.states.size()) bounds.longest = longest;
  return bounds;
}

}  // namespace glint::grammar
