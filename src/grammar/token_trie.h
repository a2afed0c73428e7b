// SPDX-License-Identifier: Apache-2.0
//
// A vocabulary's tokens as a trie in preorder, so that one walk over an array, skipping what a grammar refuses, finds
// every token that it allows. Made once a vocabulary, shared by all grammars.
// Called by token_sets and matcher; knows nothing of tokenizers or of grammars.
// Tested by tests/unit/grammar/token_trie_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "grammar/plain_text.h"

namespace glint::grammar {

/// Nodes in preorder; node 0 is the empty prefix. A node's subtree is [node, subtree_end).
struct TrieNode {
  int32_t subtree_end = 0;
  int32_t tokens = 0, tokens_end = 0;  // into TokenTrie::ids: tokens that end here
  int32_t depth = 0;                   // bytes of the prefix, this one included
  uint8_t byte = 0;
  TextKind kind =
      TextKind::kAny;    // of all tokens of the subtree, read from this byte on; the last character may be cut
  uint16_t deepest = 0;  // depth of the subtree's deepest node, 65,535 for what is deeper
};

class TokenTrie {
 public:
  /// tokens[id] is what the token stands for; one without bytes (control, unused) is never part of a text. `end_ids`
  /// end a generation: allowed where the grammar is complete, whatever their bytes. Copies what it needs.
  /// Throws Error for an end id that is no token.
  TokenTrie(std::span<const std::string_view> tokens, std::span<const int32_t> end_ids);

  int32_t n_vocab() const { return static_cast<int32_t>(offsets_.size()) - 1; }
  std::span<const TrieNode> nodes() const { return nodes_; }
  std::span<const int32_t> ids(const TrieNode& node) const {
    return {ids_.data() + node.tokens, ids_.data() + node.tokens_end};
  }
  /// Of the tokens of a node's whole subtree.
  std::span<const int32_t> ids_below(const TrieNode& node) const {
    return {ids_.data() + node.tokens, ids_.data() + nodes_[node.subtree_end - 1].tokens_end};
  }
  std::string_view bytes(int32_t id) const;
  std::span<const int32_t> end_ids() const { return end_ids_; }
  bool is_end(int32_t id) const;
  /// Bytes of the longest token.
  int32_t longest() const { return longest_; }

 private:
  void find_kinds();

  std::vector<TrieNode> nodes_;
  std::vector<int32_t> ids_;     // in the order of their bytes
  std::vector<char> bytes_;      // of all tokens
  std::vector<size_t> offsets_;  // [n_vocab + 1]
  std::vector<int32_t> end_ids_;
  int32_t longest_ = 0;
};

}  // namespace glint::grammar
