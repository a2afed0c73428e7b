// SPDX-License-Identifier: Apache-2.0
//
// What lower.h promises about lowered rules. Each question is answered by one walk over reversed edges, linear in their
// number; heights by Knuth's generalisation of Dijkstra's algorithm to calls (Knuth 1977), which also finds out what
// can reach an end at all.
#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/printable.h"
#include "grammar/lower.h"

namespace glint::grammar {
namespace {

constexpr int32_t kDead = Lowered::kDead;

struct Caller {
  int32_t from = 0;
  CallEdge call;
};

/// Edges by where they lead.
struct Reversed {
  std::vector<std::vector<int32_t>> silent, bytes;  // target -> sources
  std::vector<std::vector<Caller>> returns;         // target -> calls that return there
  std::vector<std::vector<Caller>> callers;         // rule -> calls of it
  std::vector<std::vector<int32_t>> starts;         // state -> rules that start there

  explicit Reversed(const Lowered& lowered)
      : silent(lowered.states.size()),
        bytes(lowered.states.size()),
        returns(lowered.states.size()),
        callers(lowered.rules.size()),
        starts(lowered.states.size()) {
    for (size_t s = 0; s < lowered.states.size(); ++s) {
      const auto from = static_cast<int32_t>(s);
      for (const int32_t to : lowered.states[s].silent) silent[to].push_back(from);
      for (const ByteEdge& edge : lowered.states[s].bytes) bytes[edge.target].push_back(from);
      for (const CallEdge& call : lowered.states[s].calls) {
        returns[call.target].push_back({from, call});
        callers[call.rule].push_back({from, call});
      }
    }
    for (size_t r = 0; r < lowered.rules.size(); ++r) starts[lowered.rules[r].start].push_back(static_cast<int32_t>(r));
  }
};

void find_heights(Lowered& lowered, const Reversed& reversed) {
  std::vector<std::vector<int32_t>> queue(1);  // by height
  std::vector<bool> settled(lowered.states.size());
  const auto relax = [&](int32_t s, int32_t height) {
    if (settled[s] || lowered.states[s].height <= height) return;
    lowered.states[s].height = height;
    if (queue.size() <= static_cast<size_t>(height)) queue.resize(static_cast<size_t>(height) + 1);
    queue[height].push_back(s);
  };
  for (const Lowered::Rule& rule : lowered.rules) relax(rule.end, 0);
  for (size_t h = 0; h < queue.size(); ++h) {
    const auto height = static_cast<int32_t>(h);
    while (!queue[h].empty()) {
      const int32_t s = queue[h].back();
      queue[h].pop_back();
      if (settled[s]) continue;
      settled[s] = true;
      for (const int32_t source : reversed.silent[s]) relax(source, height);
      for (const int32_t source : reversed.bytes[s]) relax(source, height);
      for (const Caller& caller : reversed.returns[s]) {
        const int32_t start = lowered.rules[caller.call.rule].start;
        if (caller.call.min == 0) {
          relax(caller.from, height);
        } else if (settled[start]) {
          relax(caller.from, std::max(height, lowered.states[start].height + 1));
        }
      }
      for (const int32_t rule : reversed.starts[s]) {
        for (const Caller& caller : reversed.callers[rule]) {
          if (settled[caller.call.target]) relax(caller.from, height + 1);
        }
      }
    }
  }
}

void remove_dead(Lowered& lowered) {
  const auto dead = [&](int32_t s) { return lowered.states[s].height == kDead; };
  for (Lowered::State& state : lowered.states) {
    for (const CallEdge& call : state.calls) {
      if (call.min == 0 && dead(lowered.rules[call.rule].start)) state.silent.push_back(call.target);
    }
    std::erase_if(state.calls, [&](const CallEdge& c) { return dead(c.target) || dead(lowered.rules[c.rule].start); });
    std::erase_if(state.bytes, [&](const ByteEdge& e) { return dead(e.target); });
    std::erase_if(state.silent, dead);
  }
}

/// States from which the end of their rule is reached without reading a byte.
std::vector<bool> find_nullable(Lowered& lowered, const Reversed& reversed) {
  std::vector<bool> nullable(lowered.states.size());
  std::vector<int32_t> queue;
  const auto mark = [&](int32_t s) {
    if (nullable[s] || lowered.states[s].height == kDead) return;
    nullable[s] = true;
    queue.push_back(s);
  };
  for (const Lowered::Rule& rule : lowered.rules) mark(rule.end);
  while (!queue.empty()) {
    const int32_t s = queue.back();
    queue.pop_back();
    for (const int32_t source : reversed.silent[s]) mark(source);
    for (const Caller& caller : reversed.returns[s]) {
      if (caller.call.min == 0 || nullable[lowered.rules[caller.call.rule].start]) mark(caller.from);
    }
    for (const int32_t rule : reversed.starts[s]) {
      for (const Caller& caller : reversed.callers[rule]) {
        if (nullable[caller.call.target]) mark(caller.from);
      }
    }
  }
  for (Lowered::Rule& rule : lowered.rules) rule.nullable = nullable[rule.start];
  return nullable;
}

/// Rules that each rule may call before it has read a byte.
std::vector<std::vector<int32_t>> find_first_calls(const Lowered& lowered) {
  std::vector<std::vector<int32_t>> first(lowered.rules.size());
  std::vector<int32_t> seen(lowered.states.size(), -1);
  for (size_t r = 0; r < lowered.rules.size(); ++r) {
    const auto rule = static_cast<int32_t>(r);
    std::vector<int32_t> queue = {lowered.rules[r].start};
    std::set<int32_t> called;
    seen[queue[0]] = rule;
    const auto reach = [&](int32_t s) {
      if (seen[s] != rule) seen[s] = rule, queue.push_back(s);
    };
    while (!queue.empty()) {
      const Lowered::State& state = lowered.states[queue.back()];
      queue.pop_back();
      for (const int32_t to : state.silent) reach(to);
      for (const CallEdge& call : state.calls) {
        called.insert(call.rule);
        if (call.min == 0 || lowered.rules[call.rule].nullable) reach(call.target);
      }
    }
    first[r].assign(called.begin(), called.end());
  }
  return first;
}

[[noreturn]] void fail_left_recursion(const Lowered& lowered, const std::vector<int32_t>& cycle) {
  std::string names;
  for (const int32_t rule : cycle) {
    if (names.size() < 300) names += printable(lowered.rules[rule].name) + " -> ";
  }
  fail("grammar: left recursion: {}{}; write the repetition with * or put the recursive part last", names,
       printable(lowered.rules[cycle[0]].name));
}

void refuse_left_recursion(const Lowered& lowered) {
  const auto first = find_first_calls(lowered);
  enum class Colour : uint8_t { kNew, kOpen, kDone };
  std::vector<Colour> colours(first.size(), Colour::kNew);
  std::vector<std::pair<int32_t, size_t>> path;  // rule, its next call
  for (size_t r = 0; r < first.size(); ++r) {
    if (colours[r] != Colour::kNew) continue;
    path.push_back({static_cast<int32_t>(r), 0});
    colours[r] = Colour::kOpen;
    while (!path.empty()) {
      auto& [rule, next] = path.back();
      if (next == first[rule].size()) {
        colours[rule] = Colour::kDone;
        path.pop_back();
        continue;
      }
      const int32_t called = first[rule][next++];
      if (colours[called] == Colour::kOpen) {
        std::vector<int32_t> cycle;
        for (const auto& [on_path, unused] : path) cycle.push_back(on_path);
        cycle.erase(cycle.begin(), std::find(cycle.begin(), cycle.end(), called));
        fail_left_recursion(lowered, cycle);
      }
      if (colours[called] == Colour::kNew) {
        colours[called] = Colour::kOpen;
        path.push_back({called, 0});
      }
    }
  }
}

}  // namespace

void analyse(Lowered& lowered) {
  const Reversed reversed(lowered);
  find_heights(lowered, reversed);
  const Lowered::Rule& root = lowered.rules[0];
  if (lowered.states[root.start].height == kDead) {
    throw ImpossibleGrammar(
        fmt::format("grammar: \"{}\" can never be completed: every way through it needs itself or something impossible",
                    printable(root.name)));
  }
  remove_dead(lowered);
  find_nullable(lowered, Reversed(lowered));
  refuse_left_recursion(lowered);
}

}  // namespace glint::grammar
