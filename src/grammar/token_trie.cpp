// SPDX-License-Identifier: Apache-2.0
#include "grammar/token_trie.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/check.h"

namespace glint::grammar {

TokenTrie::TokenTrie(std::span<const std::string_view> tokens, std::span<const int32_t> end_ids)
    : end_ids_(end_ids.begin(), end_ids.end()) {
  const auto n_vocab = static_cast<int32_t>(tokens.size());
  std::sort(end_ids_.begin(), end_ids_.end());
  for (const int32_t id : end_ids_) {
    if (id < 0 || id >= n_vocab)
      fail("token {}: not in a vocabulary of {} tokens, so it cannot end a text", id, n_vocab);
  }
  offsets_.push_back(0);
  for (int32_t id = 0; id < n_vocab; ++id) {
    bytes_.insert(bytes_.end(), tokens[id].begin(), tokens[id].end());
    offsets_.push_back(bytes_.size());
    if (tokens[id].empty() || is_end(id)) continue;
    ids_.push_back(id);
    longest_ = std::max(longest_, static_cast<int32_t>(tokens[id].size()));
  }
  std::sort(ids_.begin(), ids_.end(),
            [&](int32_t a, int32_t b) { return tokens[a] != tokens[b] ? tokens[a] < tokens[b] : a < b; });
  nodes_.emplace_back();
  std::vector<int32_t> path = {0};  // nodes of the prefix at hand
  for (size_t i = 0; i < ids_.size(); ++i) {
    const std::string_view text = tokens[ids_[i]];
    const std::string_view before = i == 0 ? std::string_view() : tokens[ids_[i - 1]];
    const size_t shared = std::mismatch(text.begin(), text.end(), before.begin(), before.end()).first - text.begin();
    while (path.size() > shared + 1) {
      nodes_[path.back()].subtree_end = static_cast<int32_t>(nodes_.size());
      path.pop_back();
    }
    for (size_t depth = shared; depth < text.size(); ++depth) {
      path.push_back(static_cast<int32_t>(nodes_.size()));
      nodes_.push_back({.tokens = static_cast<int32_t>(i),
                        .tokens_end = static_cast<int32_t>(i),
                        .depth = static_cast<int32_t>(depth) + 1,
                        .byte = static_cast<uint8_t>(text[depth])});
    }
    nodes_[path.back()].tokens_end = static_cast<int32_t>(i) + 1;
  }
  for (const int32_t node : path) nodes_[node].subtree_end = static_cast<int32_t>(nodes_.size());
  find_kinds();
}

void TokenTrie::find_kinds() {
  struct Read {
    int32_t parent = 0;
    std::optional<CharacterRest> before, after;  // this node's byte, from the beginning of its tokens
  };
  std::vector<Read> reads(nodes_.size());
  reads[0].after = CharacterRest{};
  std::vector<int32_t> path(static_cast<size_t>(longest_) + 1, 0);
  for (size_t i = 1; i < nodes_.size(); ++i) {
    TrieNode& node = nodes_[i];
    path[node.depth] = static_cast<int32_t>(i);
    Read& read = reads[i];
    read.parent = path[node.depth - 1];
    read.before = reads[read.parent].after;
    if (read.before) read.after = plain_text_after(*read.before, node.byte);
    if (read.after) node.kind = is_small_letter(node.byte) ? TextKind::kSmallLetters : TextKind::kPlain;
    node.deepest = static_cast<uint16_t>(std::min<int32_t>(node.depth, std::numeric_limits<uint16_t>::max()));
  }
  for (size_t i = nodes_.size() - 1; i > 0; --i) {  // children before their parents
    TrieNode& node = nodes_[i];
    TrieNode& parent = nodes_[reads[i].parent];
    parent.kind = std::min(parent.kind, node.kind);
    parent.deepest = std::max(parent.deepest, node.deepest);
    if (reads[i].before && reads[i].before->n > 0)
      node.kind = TextKind::kAny;  // read from here, it begins amid a character
  }
}

std::string_view TokenTrie::bytes(int32_t id) const {
  if (id < 0 || id >= n_vocab()) fail("token {}: not in a vocabulary of {} tokens", id, n_vocab());
  return {bytes_.data() + offsets_[id], offsets_[id + 1] - offsets_[id]};
}

bool TokenTrie::is_end(int32_t id) const {
  return std::binary_search(end_ids_.begin(), end_ids_.end(), id);
}

}  // namespace glint::grammar
