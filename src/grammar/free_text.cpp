// SPDX-License-Identifier: Apache-2.0
#include "grammar/free_text.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"

namespace glint::grammar {
namespace {

/// A state for each beginning of a word: the longest one that the text so far ends with.
class Words {
 public:
  enum class Kind : uint8_t { kNone, kBarred, kLast };

  void add(const std::string& word, Kind kind) {
    GLINT_CHECK(!word.empty() && utf8::is_valid(word));
    int32_t at = 0;
    for (size_t i = 0; i < word.size();) {
      const utf8::Decoded c = utf8::decode(word, i);
      i += static_cast<size_t>(c.size);
      alphabet_.insert(c.code_point);
      const auto [place, added] = nodes_[static_cast<size_t>(at)].children.try_emplace(c.code_point, 0);
      if (added) place->second = static_cast<int32_t>(nodes_.size());
      at = place->second;
      if (added) nodes_.emplace_back();
    }
    nodes_[static_cast<size_t>(at)].kind = kind;
  }

  /// `accepts_all`: every text that is allowed is a whole one; else those that end with the last word.
  CharDfa automaton(bool accepts_all) {
    find_suffixes();
    CharDfa dfa;
    dfa.states.resize(nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      CharDfa::State& state = dfa.states[i];
      const Kind kind = nodes_[i].kind;
      state.accepts = kind == Kind::kLast || (accepts_all && kind == Kind::kNone);
      if (kind != Kind::kNone) continue;
      char32_t next = 0;  // everything below has its edge
      const auto others_up_to = [&](char32_t end) {
        if (next < end) state.edges.push_back({next, end - 1, 0});
      };
      for (const char32_t c : alphabet_) {
        others_up_to(c);
        const int32_t target = step(static_cast<int32_t>(i), c);
        if (nodes_[static_cast<size_t>(target)].kind != Kind::kBarred) state.edges.push_back({c, c, target});
        next = c + 1;
      }
      others_up_to(0x110000);
    }
    dfa.trim();
    return dfa;
  }

 private:
  struct Node {
    std::map<char32_t, int32_t> children;
    int32_t suffix = 0;  // the longest proper suffix that is a state
    Kind kind = Kind::kNone;
  };

  int32_t step(int32_t at, char32_t c) const {
    while (true) {
      const Node& node = nodes_[static_cast<size_t>(at)];
      const auto child = node.children.find(c);
      if (child != node.children.end()) return child->second;
      if (at == 0) return 0;
      at = node.suffix;
    }
  }

  /// Breadth first; a word within a word counts where it ends.
  void find_suffixes() {
    std::vector<int32_t> queue = {0};
    for (size_t i = 0; i < queue.size(); ++i) {
      const int32_t parent = queue[i];
      for (const auto& [c, child] : nodes_[static_cast<size_t>(parent)].children) {
        Node& node = nodes_[static_cast<size_t>(child)];
        node.suffix = parent == 0 ? 0 : step(nodes_[static_cast<size_t>(parent)].suffix, c);
        if (node.kind == Kind::kNone) node.kind = nodes_[static_cast<size_t>(node.suffix)].kind;
        queue.push_back(child);
      }
    }
  }

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::set<char32_t> alphabet_;
};

}  // namespace

CharDfa text_without(std::span<const std::string> words) {
  Words automaton;
  for (const std::string& word : words) automaton.add(word, Words::Kind::kBarred);
  return automaton.automaton(true);
}

CharDfa text_up_to(const std::string& word, std::span<const std::string> others) {
  Words automaton;
  for (const std::string& other : others) automaton.add(other, Words::Kind::kBarred);
  automaton.add(word, Words::Kind::kLast);
  return automaton.automaton(false);
}

}  // namespace glint::grammar
