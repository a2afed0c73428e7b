// SPDX-License-Identifier: Apache-2.0
#include "grammar/token_trie.h"

#include <gtest/gtest.h>

#include <random>

#include "base/check.h"
#include "base/utf8.h"

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

/// Plain text whose last character may be cut, by the definition.
bool is_plain(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded c = utf8::decode(text, at);
    if (!c.valid) return c.truncated;
    if (c.code_point < 0x20 || c.code_point == 0x7F || c.code_point == '"' || c.code_point == '\\') return false;
    at += static_cast<size_t>(c.size);
  }
  return true;
}

TEST(TokenTrie, KnowsWhatSubtreesConsistOf) {
  std::mt19937 random(5);
  const std::string_view parts[] = {"a",        "b",        " ",    "\"",       "\\",       "\n",       "\x7f",
                                    "é",        "世",       "😀",    "\xED\xA0", "\xE0\x80", "\xF4\x90", "\xC0",
                                    "\xF0\x9F", "\x98\x80", "\xC3", "\xE4\xB8", "\x96",     "\xFF",     "\u0085"};
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (uint32_t n = 1 + random() % 4; n > 0; --n) text += parts[random() % std::size(parts)];
    texts.push_back(text);
  }
  texts.emplace_back(70'000, 'x');
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const TokenTrie trie(views, {});
  int n_plain = 0, n_small = 0;
  std::string prefix;
  for (size_t i = 1; i < trie.nodes().size(); ++i) {
    const TrieNode& node = trie.nodes()[i];
    const size_t from = static_cast<size_t>(node.depth) - 1;
    prefix.resize(from);
    prefix += static_cast<char>(node.byte);
    size_t deepest = 0;
    bool plain = true, small = true;
    for (const int32_t id : trie.ids_below(node)) {
      ASSERT_TRUE(views[id].starts_with(prefix));
      deepest = std::max(deepest, views[id].size());
      plain = plain && is_plain(views[id].substr(from));
      small = small && views[id].find_first_not_of("abcdefghijklmnopqrstuvwxyz", from) == std::string_view::npos;
    }
    EXPECT_EQ(node.deepest, std::min<size_t>(deepest, 65535));
    const TextKind kind = small ? TextKind::kSmallLetters : plain ? TextKind::kPlain : TextKind::kAny;
    EXPECT_LE(node.kind, kind) << prefix;
    // Nothing is missed but behind what is no text itself.
    const std::string before = prefix.substr(0, from);
    if (is_plain(before) && utf8::truncated_suffix(before) == 0) {
      EXPECT_EQ(node.kind, kind) << prefix;
    }
    n_plain += node.kind == TextKind::kPlain;
    n_small += node.kind == TextKind::kSmallLetters;
    if (node.depth > 100) break;  // the long one
  }
  EXPECT_GT(n_plain, 20);
  EXPECT_GT(n_small, 10);
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
