// SPDX-License-Identifier: Apache-2.0
#include "grammar/determinise.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "base/check.h"

namespace glint::grammar {
namespace {

using Members = std::vector<int32_t>;

struct MembersHash {
  size_t operator()(const Members& members) const {
    uint64_t hash = members.size();
    for (const int32_t s : members) hash = (hash ^ static_cast<uint32_t>(s)) * 0x9E3779B97F4A7C15u, hash ^= hash >> 29;
    return hash;
  }
};

class Determiniser {
 public:
  Determiniser(const Lowered& lowered, const GrammarLimits& limits)
      : lowered_(lowered), limits_(limits), mark_(lowered.states.size(), 0) {}

  Grammar run() {
    for (const Lowered::Rule& rule : lowered_.rules) {
      grammar_.rules.push_back({rule.name, -1, -1, rule.nullable});
    }
    for (size_t r = 0; r < lowered_.rules.size(); ++r) {
      if (lowered_.states[lowered_.rules[r].start].height == Lowered::kDead) continue;
      const size_t n_states = grammar_.states.size(), n_bytes = grammar_.byte_edges.size();
      const size_t n_calls = grammar_.call_edges.size();
      if (!add_rule(r, true)) {
        grammar_.states.resize(n_states);
        grammar_.byte_edges.resize(n_bytes);
        grammar_.call_edges.resize(n_calls);
        GLINT_CHECK(add_rule(r, false));
      }
    }
    find_byte_classes();
    return std::move(grammar_);
  }

 private:
  /// With `merge` false, every edge keeps a target of its own. False if merging made too many states.
  bool add_rule(size_t rule, bool merge) {
    numbers_.clear();
    sets_.clear();
    end_ = lowered_.rules[rule].end;
    first_ = static_cast<int32_t>(grammar_.states.size());
    work_ = 0;
    n_lowered_ = 0;
    grammar_.rules[rule].start = number_of({lowered_.rules[rule].start});
    for (size_t i = 0; i < sets_.size(); ++i) {
      if (merge && (sets_.size() > 4 * n_lowered_ + 1000 || work_ > 200 * n_lowered_ + 2'000'000)) return false;
      add_state(*sets_[i], merge);
    }
    grammar_.rules[rule].states_end = static_cast<int32_t>(grammar_.states.size());
    return true;
  }

  /// The number of the state that stands for `seeds` and what they reach silently. States that only pass on are left
  /// out of its key.
  int32_t number_of(const Members& seeds) {
    ++round_;
    Members reached;
    const auto reach = [&](int32_t s) {
      if (mark_[s] == round_) return;
      if (mark_[s] == 0) ++n_lowered_;
      mark_[s] = round_;
      reached.push_back(s);
    };
    for (const int32_t s : seeds) reach(s);
    for (size_t i = 0; i < reached.size(); ++i) {
      for (const int32_t to : lowered_.states[reached[i]].silent) reach(to);
    }
    work_ += reached.size();
    std::erase_if(reached, [&](int32_t s) {
      return s != end_ && lowered_.states[s].bytes.empty() && lowered_.states[s].calls.empty();
    });
    std::sort(reached.begin(), reached.end());
    const auto [place, added] = numbers_.try_emplace(std::move(reached), first_ + static_cast<int32_t>(sets_.size()));
    if (added) sets_.push_back(&place->first);
    return place->second;
  }

  void add_state(const Members& members, bool merge) {
    State state;
    state.height = Lowered::kDead;
    state.byte_edges = static_cast<uint32_t>(grammar_.byte_edges.size());
    state.call_edges = static_cast<uint32_t>(grammar_.call_edges.size());
    for (const int32_t s : members) {
      state.final |= s == end_;
      state.height = std::min(state.height, lowered_.states[s].height);
    }
    GLINT_CHECK(state.height != Lowered::kDead);
    merge ? add_merged_bytes(members) : add_single_bytes(members);
    add_calls(members, merge);
    state.byte_edges_end = static_cast<uint32_t>(grammar_.byte_edges.size());
    state.call_edges_end = static_cast<uint32_t>(grammar_.call_edges.size());
    state.only_final =
        state.final && state.byte_edges == state.byte_edges_end && state.call_edges == state.call_edges_end;
    grammar_.states.push_back(state);
    if (grammar_.states.size() > limits_.max_states || grammar_.byte_edges.size() > limits_.max_edges ||
        grammar_.call_edges.size() > limits_.max_edges) {
      fail("grammar: more than {} states or {} edges; make it smaller", limits_.max_states, limits_.max_edges);
    }
  }

  void add_single_bytes(const Members& members) {
    for (const int32_t s : members) {
      for (const ByteEdge& edge : lowered_.states[s].bytes) {
        grammar_.byte_edges.push_back({edge.low, edge.high, number_of({edge.target})});
      }
    }
  }

  void add_merged_bytes(const Members& members) {
    borders_.clear();
    for (const int32_t s : members) {
      for (const ByteEdge& edge : lowered_.states[s].bytes) {
        borders_.push_back({edge.low, true, edge.target});
        borders_.push_back({edge.high + 1, false, edge.target});
      }
    }
    work_ += borders_.size();
    std::sort(borders_.begin(), borders_.end(), [](const Border& a, const Border& b) { return a.at < b.at; });
    std::map<int32_t, int> open;  // target -> how many ranges lead there
    Members targets;
    const size_t first_edge = grammar_.byte_edges.size();
    for (size_t i = 0; i < borders_.size();) {
      const int at = borders_[i].at;
      for (; i < borders_.size() && borders_[i].at == at; ++i) {
        const auto place = open.try_emplace(borders_[i].target, 0).first;
        place->second += borders_[i].opens ? 1 : -1;
        if (place->second == 0) open.erase(place);
      }
      if (open.empty()) continue;
      targets.clear();
      for (const auto& [target, count] : open) targets.push_back(target);
      const auto low = static_cast<uint8_t>(at), high = static_cast<uint8_t>(borders_[i].at - 1);
      const int32_t number = number_of(targets);
      auto& edges = grammar_.byte_edges;
      if (edges.size() > first_edge && edges.back().target == number && edges.back().high + 1 == low) {
        edges.back().high = high;
      } else {
        edges.push_back({low, high, number});
      }
    }
  }

  void add_calls(const Members& members, bool merge) {
    std::map<std::tuple<int32_t, uint32_t, uint32_t>, Members> calls;
    for (const int32_t s : members) {
      for (const CallEdge& call : lowered_.states[s].calls) {
        if (merge) {
          calls[{call.rule, call.min, call.max}].push_back(call.target);
        } else {
          grammar_.call_edges.push_back({call.rule, call.min, call.max, number_of({call.target})});
        }
      }
    }
    for (const auto& [symbol, targets] : calls) {
      const auto& [rule, min, max] = symbol;
      grammar_.call_edges.push_back({rule, min, max, number_of(targets)});
    }
  }

  void find_byte_classes() {
    std::array<bool, 257> border = {};
    for (const ByteEdge& edge : grammar_.byte_edges) border[edge.low] = border[edge.high + 1] = true;
    int current = 0;
    for (int byte = 0; byte < 256; ++byte) {
      if (byte > 0 && border[byte]) ++current;
      grammar_.byte_class[byte] = static_cast<uint8_t>(current);
    }
    grammar_.n_classes = current + 1;
  }

  struct Border {
    int at;
    bool opens;
    int32_t target;
  };

  const Lowered& lowered_;
  const GrammarLimits& limits_;
  Grammar grammar_;
  std::unordered_map<Members, int32_t, MembersHash> numbers_;
  std::vector<const Members*> sets_;
  std::vector<Border> borders_;
  std::vector<uint32_t> mark_;
  uint32_t round_ = 0;
  size_t work_ = 0, n_lowered_ = 0;
  int32_t end_ = 0, first_ = 0;
};

}  // namespace

Grammar determinise(const Lowered& lowered, const GrammarLimits& limits) {
  return Determiniser(lowered, limits).run();
}

}  // namespace glint::grammar
