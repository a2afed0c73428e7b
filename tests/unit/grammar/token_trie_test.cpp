// SPDX-License-Identifier: Apache-2.0
#include "grammar/token_trie.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace glint::grammar {
namespace {

TEST(TokenTrie, HoldsEveryTokenOnceInPreorder) {
  const std::vector<std::string_view> tokens = {"ab", "", "a", "abc", "b", "ab", "\xFF\x80", "</s>"};
  const int32_t end = 7;
  const TokenTrie trie(tokens, std::span(&end, 1));
  EXPECT_EQ(trie.longest(), 3);
  std::vector<std::string> found(tokens.size());
  std::string prefix;
  for (size_t i = 1; i < trie.nodes().size(); ++i) {
    const TrieNode& node = trie.nodes()[i];
    prefix.resize(static_cast<size_t>(node.depth) - 1);
    prefix += static_cast<char>(node.byte);
    EXPECT_GT(node.subtree_end, static_cast<int32_t>(i));
    for (const int32_t id : trie.ids(node)) {
      EXPECT_TRUE(found[id].empty());
      found[id] = prefix;
    }
  }
  for (size_t id = 0; id < 7; ++id) EXPECT_EQ(found[id], tokens[id]) << id;
  EXPECT_EQ(found[7], "") << "an end token is not text";
  EXPECT_EQ(trie.nodes()[0].subtree_end, static_cast<int32_t>(trie.nodes().size()));
  EXPECT_EQ(trie.bytes(6), "\xFF\x80");
  EXPECT_THROW(trie.bytes(8), Error);
  EXPECT_THROW(trie.bytes(-1), Error);
}

TEST(TokenTrie, RefusesAnEndTokenOutsideOfTheVocabulary) {
  const std::vector<std::string_view> tokens = {"a"};
  const int32_t end = 1;
  EXPECT_THROW(TokenTrie(tokens, std::span(&end, 1)), Error);
}

TEST(TokenTrie, MayBeEmpty) {
  const TokenTrie trie({}, {});
  EXPECT_EQ(trie.n_vocab(), 0);
  EXPECT_EQ(trie.nodes().size(), 1u);
}

}  // namespace
}  // namespace glint::grammar
