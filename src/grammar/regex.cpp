// SPDX-License-Identifier: Apache-2.0
#include "grammar/regex.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/printable.h"
#include "grammar/builder.h"
#include "grammar/regex_syntax.h"

namespace glint::grammar {
namespace {

using Kind = RegexNode::Kind;

constexpr size_t kMaxNfaStates = 200000;
constexpr size_t kMaxWork = 20'000'000;  // members of all sets visited: about a quarter of a second

/// Edges that read a character, and edges that read nothing: always, at the start only or at the end only.
struct Nfa {
  enum class Silent : uint8_t { kAlways, kAtStart, kAtEnd };
  struct State {
    std::optional<CharSet> chars;
    int32_t target = -1;  // after `chars`
    std::vector<std::pair<Silent, int32_t>> silent;
  };
  std::vector<State> states;
  int32_t start = 0, end = 0;
};

class NfaBuilder {
 public:
  NfaBuilder(std::string_view pattern, const DfaLimit& limit) : pattern_(pattern), limit_(limit) {}

  Nfa build(const RegexNode& node, bool anywhere) {
    nfa_.start = add_state();
    int32_t from = nfa_.start;
    if (anywhere) link(from, CharSet::all(), from);
    nfa_.end = add(node, add_silent(from));
    if (anywhere) link(nfa_.end, CharSet::all(), nfa_.end);
    return std::move(nfa_);
  }

 private:
  int32_t add_state() {
    if (nfa_.states.size() >= kMaxNfaStates) {
      fail("{} \"{}\": its repetitions expand to more than {} states", limit_.what, printable(pattern_), kMaxNfaStates);
    }
    nfa_.states.emplace_back();
    return static_cast<int32_t>(nfa_.states.size()) - 1;
  }
  int32_t add_silent(int32_t from, Nfa::Silent when = Nfa::Silent::kAlways) {
    const int32_t to = add_state();
    nfa_.states[from].silent.push_back({when, to});
    return to;
  }
  void join(int32_t from, int32_t to) { nfa_.states[from].silent.push_back({Nfa::Silent::kAlways, to}); }
  void link(int32_t from, const CharSet& chars, int32_t to) {
    const int32_t reader = add_silent(from);
    nfa_.states[reader].chars = chars;
    nfa_.states[reader].target = to;
  }

  /// Appends `node` to what ends in `from`; returns where it ends.
  int32_t add(const RegexNode& node, int32_t from) {
    switch (node.kind) {
      case Kind::kEmpty:
        return from;
      case Kind::kStart:
        return add_silent(from, Nfa::Silent::kAtStart);
      case Kind::kEnd:
        return add_silent(from, Nfa::Silent::kAtEnd);
      case Kind::kChars: {
        const int32_t to = add_state();
        link(from, node.chars, to);
        return to;
      }
      case Kind::kSequence:
        for (const RegexNode& child : node.children) from = add(child, from);
        return from;
      case Kind::kAlternatives: {
        const int32_t to = add_state();
        for (const RegexNode& child : node.children) join(add(child, add_silent(from)), to);
        return to;
      }
      case Kind::kRepeat:
        return add_repeat(node, from);
    }
    return from;
  }

  int32_t add_repeat(const RegexNode& node, int32_t from) {
    const RegexNode& body = node.children[0];
    for (uint32_t i = 0; i < node.minimum; ++i) from = add(body, from);
    if (node.maximum == RegexNode::kUnbounded) {
      const int32_t loop = add_silent(from);
      join(add(body, add_silent(loop)), loop);
      return add_silent(loop);
    }
    const int32_t to = add_state();
    for (uint32_t i = node.minimum; i < node.maximum; ++i) {
      join(from, to);
      from = add(body, add_silent(from));
    }
    join(from, to);
    return to;
  }

  const std::string_view pattern_;
  const DfaLimit& limit_;
  Nfa nfa_;
};

class Subsets {
 public:
  Subsets(const Nfa& nfa, bool anywhere, std::string_view pattern, const DfaLimit& limit)
      : nfa_(nfa), anywhere_(anywhere), pattern_(pattern), limit_(limit), mark_(nfa.states.size(), 0) {}

  CharDfa build() {
    CharDfa dfa;
    number_of({nfa_.start}, true);
    for (size_t i = 0; i < sets_.size(); ++i) {
      const std::vector<int32_t> members = sets_[i]->first.second;
      const bool at_start = sets_[i]->first.first;
      CharDfa::State state;
      state.accepts = accepts(members, at_start);
      state.edges = edges(members);
      dfa.states.push_back(std::move(state));
    }
    dfa.trim();
    return dfa;
  }

 private:
  /// What is reached from `seeds` without reading, ascending. A search that has matched can only go on matching, so
  /// such a set is the end alone.
  std::vector<int32_t> closure(const std::vector<int32_t>& seeds, bool at_start, bool at_end) {
    ++round_;
    std::vector<int32_t> reached;
    const auto reach = [&](int32_t s) {
      if (mark_[s] == round_) return;
      mark_[s] = round_;
      reached.push_back(s);
    };
    for (const int32_t s : seeds) reach(s);
    for (size_t i = 0; i < reached.size(); ++i) {
      for (const auto& [when, to] : nfa_.states[reached[i]].silent) {
        if (when == Nfa::Silent::kAlways || (when == Nfa::Silent::kAtStart ? at_start : at_end)) reach(to);
      }
    }
    work_ += reached.size();
    if (work_ > kMaxWork) fail("{} \"{}\": too complex", limit_.what, printable(pattern_));
    if (anywhere_ && !at_end && mark_[nfa_.end] == round_) {
      if (seeds.size() == 1 && seeds[0] == nfa_.end) return reached;
      return closure({nfa_.end}, false, false);
    }
    std::sort(reached.begin(), reached.end());
    return reached;
  }

  int32_t number_of(const std::vector<int32_t>& seeds, bool at_start) {
    const auto [place, added] =
        numbers_.try_emplace({at_start, closure(seeds, at_start, false)}, static_cast<int32_t>(sets_.size()));
    if (added) {
      sets_.push_back(&*place);
      if (sets_.size() > static_cast<size_t>(limit_.max_states)) {
        fail("{} \"{}\": needs more than {} states; shorten its repetitions", limit_.what, printable(pattern_),
             limit_.max_states);
      }
    }
    return place->second;
  }

  bool accepts(const std::vector<int32_t>& members, bool at_start) {
    const std::vector<int32_t> reached = closure(members, at_start, true);
    return std::find(reached.begin(), reached.end(), nfa_.end) != reached.end();
  }

  std::vector<CharDfa::Edge> edges(const std::vector<int32_t>& members) {
    // Sweep over the borders of the members' ranges; between two borders the set of targets is constant.
    struct Border {
      char32_t at;
      bool opens;
      int32_t target;
    };
    std::vector<Border> borders;
    for (const int32_t s : members) {
      const Nfa::State& state = nfa_.states[s];
      if (!state.chars) continue;
      for (const CharRange& r : state.chars->ranges()) {
        borders.push_back({r.low, true, state.target});
        borders.push_back({r.high + 1, false, state.target});
      }
    }
    work_ += borders.size();
    std::sort(borders.begin(), borders.end(), [](const Border& a, const Border& b) { return a.at < b.at; });
    std::map<int32_t, int> open;  // target -> how many ranges lead there
    std::vector<CharDfa::Edge> edges;
    for (size_t i = 0; i < borders.size();) {
      const char32_t at = borders[i].at;
      for (; i < borders.size() && borders[i].at == at; ++i) {
        int& count = open[borders[i].target];
        count += borders[i].opens ? 1 : -1;
        if (count == 0) open.erase(borders[i].target);
      }
      if (open.empty()) continue;
      std::vector<int32_t> targets;
      for (const auto& [target, count] : open) targets.push_back(target);
      edges.push_back({at, borders[i].at - 1, number_of(targets, false)});
    }
    return edges;
  }

  using Key = std::pair<bool, std::vector<int32_t>>;  // at the start of the text, members

  const Nfa& nfa_;
  const bool anywhere_;
  const std::string_view pattern_;
  const DfaLimit& limit_;
  std::map<Key, int32_t> numbers_;
  std::vector<const std::pair<const Key, int32_t>*> sets_;
  std::vector<uint32_t> mark_;
  uint32_t round_ = 0;
  size_t work_ = 0;
};

CharDfa automaton(std::string_view pattern, bool anywhere, const DfaLimit& limit) {
  const RegexNode node = parse_regex(pattern);
  const Nfa nfa = NfaBuilder(pattern, limit).build(node, anywhere);
  return Subsets(nfa, anywhere, pattern, limit).build();
}

}  // namespace

CharDfa regex_search(std::string_view pattern, const DfaLimit& limit) {
  return automaton(pattern, true, limit);
}

CharDfa regex_full_match(std::string_view pattern, const DfaLimit& limit) {
  return automaton(pattern, false, limit);
}

Builder::Expr add_regex(Builder& builder, std::string_view pattern) {
  CharDfa dfa = regex_full_match(pattern);
  if (dfa.empty()) fail("regular expression \"{}\": matches no text", printable(pattern));
  return builder.automaton(std::move(dfa), Encoding::kPlain);
}

Grammar compile_regex(std::string_view pattern, const GrammarLimits& limits) {
  Builder builder(limits);
  const Builder::Expr body = add_regex(builder, pattern);
  const int32_t root = builder.declare("regular expression");
  builder.define(root, body);
  return builder.finish(root);
}

}  // namespace glint::grammar
