// SPDX-License-Identifier: Apache-2.0
//
// What a place in a grammar says about tokens by itself, kept for every matcher of that grammar and vocabulary. Seen
// from one thread, without its callers, a token is allowed whatever the callers are, refused whatever they are, or
// left open: its bytes run past the end of what is known. Only the few open ones need the full stack at run time
// (the idea of XGrammar, arXiv 2411.15100). Sets are made when a place is first reached.
// Called by matcher. Safe to use from any thread. Tested by tests/unit/grammar/matcher_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "grammar/machine.h"
#include "grammar/token_trie.h"

namespace glint::grammar {

/// Calls `found(node)` for every node of `nodes` that ends a token and that `machine` can read from `config`.
/// `path` is scratch.
template <class Found>
void walk_allowed(Machine& machine, Machine::Config config, std::span<const TrieNode> nodes,
                  std::vector<Machine::Config>& path, Found&& found) {
  const auto n_nodes = static_cast<int32_t>(nodes.size());
  for (int32_t i = 1; i < n_nodes;) {
    const TrieNode& node = nodes[i];
    const Machine::Config next = machine.step(node.depth == 1 ? config : path[node.depth - 1], node.byte);
    if (next == Machine::kDead) {
      i = node.subtree_end;
      continue;
    }
    path[node.depth] = next;
    if (node.tokens != node.tokens_end) found(node);
    ++i;
  }
}

struct TokenSet {
  // Allowed for certain: as bits [n_vocab], or as ids where they are few.
  std::vector<uint64_t> bits;
  std::vector<int32_t> ids;
  std::vector<TrieNode> open;  // a part of the trie: its paths to the open tokens; empty if there are none
};

class TokenSets {
 public:
  TokenSets(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie,
            const MachineLimits& limits = {});

  const std::shared_ptr<const Grammar>& grammar() const { return grammar_; }
  const std::shared_ptr<const TokenTrie>& trie() const { return trie_; }
  const MachineLimits& limits() const { return limits_; }
  /// Stacks deeper than this may not use sets, which look max_depth - set_depth() frames ahead.
  int32_t set_depth() const { return limits_.max_depth / 2; }

  /// The set of a thread of `machine`, which runs the same grammar.
  std::shared_ptr<const TokenSet> of(const Machine& machine, Machine::Thread thread);

 private:
  /// A state, and the counters of the call it belongs to, as far as a token can see them.
  struct Place {
    int32_t state = 0, rule = -1;
    uint32_t min_left = 0, max_left = 0;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    size_t operator()(const Place& place) const;
  };

  std::shared_ptr<const TokenSet> make(const Place& place);

  std::shared_ptr<const Grammar> grammar_;
  std::shared_ptr<const TokenTrie> trie_;
  MachineLimits limits_;

  std::mutex mutex_;
  Machine machine_;  // knows nothing outside of a place
  std::unordered_map<Place, std::shared_ptr<const TokenSet>, PlaceHash> sets_;
  size_t set_bytes_ = 0;
  std::vector<Machine::Config> path_;
  std::vector<uint8_t> left_place_;
};

}  // namespace glint::grammar
