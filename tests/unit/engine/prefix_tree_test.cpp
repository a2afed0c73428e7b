// SPDX-License-Identifier: Apache-2.0
//
// The prefix tree: the longest known beginning is found to the token, equal texts have one page, and what nobody holds
// goes in the order of its last use, leaves first.
#include "engine/prefix_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "base/check.h"

namespace glint {
namespace {

using Ids = std::vector<int32_t>;

Ids range(int from, int count) {
  Ids ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), from);
  return ids;
}
Ids joined(Ids ids, const Ids& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

class PrefixTreeTest : public testing::Test {
 protected:
  /// As a model would: writes the rows of ids that the sequence lacks.
  void compute(int sequence, const Ids& ids) {
    const int n = static_cast<int>(ids.size());
    pages_.reserve(sequence, pages_.n_tokens(sequence), n);
    pages_.written(sequence, n);
    pages_.take_copies();
    tree_.insert_full(sequence, ids);
  }
  /// Computes ids in a sequence and lets it end.
  void remember(const Ids& ids) {
    compute(3, ids);
    tree_.release(3, ids);
  }
  /// Tokens of ids that are found.
  int n_found(const Ids& ids) const {
    const PrefixTree::Match match = tree_.find(2, ids, 0);
    return static_cast<int>(match.full_pages.size()) * kPageTokens + match.n_near;
  }
  void TearDown() override {
    pages_.check_invariants();
    tree_.check_invariants();
  }
  KvPages pages_{20 * kPageTokens, 4};
  PrefixTree tree_{pages_};
};

TEST_F(PrefixTreeTest, FindsTheLongestBeginningToTheToken) {
  EXPECT_EQ(n_found(range(0, 100)), 0);
  const Ids text = range(0, 2 * kPageTokens + 30);
  remember(text);
  for (int n : {1, 63, 64, 65, 127, 128, 129, 158}) EXPECT_EQ(n_found(range(0, n)), n);
  EXPECT_EQ(n_found(range(0, 300)), 158);
  EXPECT_EQ(n_found(joined(range(0, 70), {7, 7, 7})), 70);
  EXPECT_EQ(n_found(joined(range(0, 150), range(0, 100))), 150);
  EXPECT_EQ(n_found(range(1, 100)), 0);
}

TEST_F(PrefixTreeTest, OfSeveralNeighboursTheNearest) {
  const Ids start = range(0, kPageTokens);
  remember(joined(start, {10, 20, 30, 40}));
  remember(joined(start, {10, 20, 50}));
  remember(joined(start, {10, 60}));
  EXPECT_EQ(n_found(joined(start, {10, 20, 30, 99})), 67);
  EXPECT_EQ(n_found(joined(start, {10, 20, 30, 1})), 67);
  EXPECT_EQ(n_found(joined(start, {10, 20, 45})), 66);
  EXPECT_EQ(n_found(joined(start, {10, 20, 50, 1, 2})), 67);
  EXPECT_EQ(n_found(joined(start, {10, 55})), 65);
  EXPECT_EQ(n_found(joined(start, {11})), 64);
  const PrefixTree::Match match = tree_.find(0, joined(start, {10, 20, 30, 99}), 0);
  EXPECT_EQ(match.near_ids, (Ids{10, 20, 30, 40}));
}

TEST_F(PrefixTreeTest, ARunningSequenceServesOthersAtOnce) {
  const Ids text = range(0, 3 * kPageTokens);
  compute(0, text);
  EXPECT_EQ(pages_.n_idle(), 0);
  const PrefixTree::Match match = tree_.find(1, text, 0);
  ASSERT_EQ(match.full_pages.size(), 3u);
  tree_.attach(1, match, true);
  EXPECT_EQ(pages_.n_tokens(1), 3 * kPageTokens);
  EXPECT_EQ(pages_.pages(1)[2], pages_.pages(0)[2]);
  EXPECT_EQ(pages_.n_free(), pages_.n_pages() - 3);
  compute(1, joined(text, {5}));
  compute(0, joined(text, {6}));
  EXPECT_NE(pages_.pages(1)[3], pages_.pages(0)[3]);
}

TEST_F(PrefixTreeTest, TheSameTextComputedTwiceHasOnePage) {
  const Ids text = range(0, 2 * kPageTokens + 10);
  compute(0, range(0, kPageTokens - 1));  // nothing full yet
  compute(1, text);
  compute(0, text);
  EXPECT_EQ(pages_.pages(0)[0], pages_.pages(1)[0]);
  EXPECT_EQ(pages_.pages(0)[1], pages_.pages(1)[1]);
  EXPECT_NE(pages_.pages(0)[2], pages_.pages(1)[2]);  // both write there
  EXPECT_EQ(pages_.n_free(), pages_.n_pages() - 4);
  tree_.release(0, text);
  tree_.release(1, text);
  EXPECT_EQ(pages_.n_idle(), 3);
}

TEST_F(PrefixTreeTest, ANearPageIsCopiedWhenItIsWritten) {
  const Ids text = range(0, 100);
  remember(text);
  const Ids other = joined(range(0, 90), range(500, 40));
  const PrefixTree::Match match = tree_.find(0, other, 0);
  tree_.attach(0, match, true);
  EXPECT_EQ(pages_.n_tokens(0), 90);
  compute(0, other);
  tree_.release(0, other);
  EXPECT_EQ(n_found(text), 100);
  EXPECT_EQ(n_found(other), 130);
}

TEST_F(PrefixTreeTest, AFullerPageReplacesItsBeginning) {
  remember(range(0, 10));
  remember(range(0, 30));
  EXPECT_EQ(pages_.n_idle(), 1);
  remember(range(0, 20));  // known
  EXPECT_EQ(pages_.n_idle(), 1);
  remember(range(0, kPageTokens));
  EXPECT_EQ(pages_.n_idle(), 1);
  EXPECT_EQ(n_found(range(0, 200)), kPageTokens);
}

TEST_F(PrefixTreeTest, TheLeastRecentlyUsedLeafGoesFirst) {
  const Ids a = range(0, 2 * kPageTokens), b = range(1000, 2 * kPageTokens),
            c = joined(range(0, kPageTokens), range(2000, kPageTokens));
  remember(a);
  remember(b);
  remember(c);
  tree_.attach(0, tree_.find(0, a, 0), false);  // used again
  tree_.release(0, a);
  ASSERT_TRUE(tree_.evict_one());
  EXPECT_EQ(n_found(b), kPageTokens);
  ASSERT_TRUE(tree_.evict_one());
  EXPECT_EQ(n_found(b), 0);
  ASSERT_TRUE(tree_.evict_one());
  EXPECT_EQ(n_found(c), kPageTokens);
  EXPECT_EQ(n_found(a), 2 * kPageTokens);
  ASSERT_TRUE(tree_.evict_one());
  ASSERT_TRUE(tree_.evict_one());
  EXPECT_FALSE(tree_.evict_one());
  EXPECT_EQ(pages_.n_free(), pages_.n_pages());
}

TEST_F(PrefixTreeTest, ForgetsWhatOneTextAloneNeeds) {
  const Ids start = range(0, kPageTokens), text = joined(start, range(500, kPageTokens + 20));
  remember(text);
  remember(joined(start, {7, 8, 9}));
  EXPECT_EQ(tree_.forget(range(1, 100)), 0);
  EXPECT_EQ(tree_.forget(joined(text, {1, 2})), kPageTokens + 20);  // the next id was never computed
  EXPECT_EQ(n_found(text), kPageTokens);
  EXPECT_EQ(tree_.forget(joined(start, {7, 8})), 0);  // of a page that says more
  EXPECT_EQ(tree_.forget(joined(start, {7, 8, 9})), kPageTokens + 3);
  EXPECT_EQ(pages_.n_free(), pages_.n_pages());
  remember(text);
  compute(0, range(0, 2 * kPageTokens));  // another text; it holds the first page
  EXPECT_EQ(tree_.forget(text), kPageTokens + 20);
  EXPECT_EQ(tree_.forget(text), 0);
}

TEST_F(PrefixTreeTest, WhatIsHeldStays) {
  const Ids text = range(0, 3 * kPageTokens);
  remember(text);
  tree_.attach(0, tree_.find(0, Ids(text.begin(), text.begin() + 100), 0), true);
  EXPECT_TRUE(tree_.evict_one());
  EXPECT_FALSE(tree_.evict_one());
  EXPECT_EQ(n_found(text), 2 * kPageTokens);
}

/// Against a list of all texts: what is found is what the longest common beginning with any of them says.
TEST_F(PrefixTreeTest, RandomTexts) {
  std::mt19937 random(3);
  std::vector<Ids> known;
  for (int round = 0; round < 300; ++round) {
    Ids ids;
    if (!known.empty()) {
      const Ids& base = known[random() % known.size()];
      ids.assign(base.begin(), base.begin() + static_cast<std::ptrdiff_t>(random() % (base.size() + 1)));
    }
    const size_t n = std::min<size_t>(ids.size() + 1 + random() % 100, 300);
    while (ids.size() < n) ids.push_back(static_cast<int32_t>(random() % 3));
    size_t longest = 0;
    for (const Ids& other : known) {
      longest = std::max<size_t>(
          longest,
          static_cast<size_t>(std::mismatch(ids.begin(), ids.end(), other.begin(), other.end()).first - ids.begin()));
    }
    ASSERT_EQ(n_found(ids), static_cast<int>(longest)) << round;
    tree_.attach(0, tree_.find(0, ids, 0), true);
    if (pages_.n_needed(0, static_cast<int>(longest), static_cast<int>(n)) > pages_.n_free()) {
      tree_.release(0, {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(longest)});
      while (tree_.evict_one()) {
      }
      ASSERT_EQ(pages_.n_free(), pages_.n_pages());
      known.clear();
      continue;
    }
    if (longest < n) compute(0, ids);
    tree_.release(0, ids);
    known.push_back(ids);
    ASSERT_NO_THROW(tree_.check_invariants());
    ASSERT_NO_THROW(pages_.check_invariants());
  }
}

}  // namespace
}  // namespace glint
