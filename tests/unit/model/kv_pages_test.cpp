// SPDX-License-Identifier: Apache-2.0
//
// Pages: handed out and taken back, refused as a whole when too few are left, shared without being written by two, and
// kept while somebody holds or pins them.
#include "model/kv_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/check.h"

namespace glint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int32_t> pages_of(const KvPages& pages, int sequence) {
  const std::span<const int32_t> held = pages.pages(sequence);
  return {held.begin(), held.end()};
}

void write(KvPages& pages, int sequence, int from, int to) {
  pages.reserve(sequence, from, to);
  pages.written(sequence, to);
}

TEST(KvPages, SequencesGetPagesOfTheirOwn) {
  KvPages pages(4 * kPageTokens, 3);
  write(pages, 0, 0, 1);
  write(pages, 1, 0, kPageTokens + 1);
  write(pages, 0, 1, kPageTokens + 1);
  write(pages, 2, 0, 1);
  std::set<int32_t> all;
  for (int sequence = 0; sequence < 3; ++sequence) {
    for (int32_t page : pages_of(pages, sequence)) EXPECT_TRUE(all.insert(page).second);
  }
  EXPECT_EQ(all.size(), 5u);
  EXPECT_EQ(*all.rbegin(), 4);
  EXPECT_EQ(pages.n_free(), 1);
  pages.check_invariants();
}

TEST(KvPages, ReservingLessKeepsWhatIsHeld) {
  KvPages pages(2 * kPageTokens, 1);
  pages.reserve(0, 0, kPageTokens + 1);
  const std::vector<int32_t> held = pages_of(pages, 0);
  pages.reserve(0, 0, 1);
  pages.reserve(0, 0, 2 * kPageTokens);
  EXPECT_EQ(pages_of(pages, 0), held);
  EXPECT_EQ(pages.n_free(), 0);
  EXPECT_TRUE(pages.take_copies().empty());
}

TEST(KvPages, CutPagesServeOthers) {
  KvPages pages(2 * kPageTokens, 2);
  write(pages, 0, 0, 2 * kPageTokens);
  const int32_t second = pages.pages(0)[1];
  pages.truncate(0, kPageTokens + 1);
  EXPECT_EQ(pages.n_free(), 1);  // still in use: one token lies in it
  pages.truncate(0, kPageTokens);
  EXPECT_EQ(pages.n_free(), 2);
  write(pages, 1, 0, 1);
  EXPECT_THAT(pages_of(pages, 1), ElementsAre(second));
  pages.truncate(0, 0);
  pages.truncate(1, 0);
  EXPECT_EQ(pages.n_free(), 3);
  pages.truncate(0, 500);  // more than it has: nothing to give back
  EXPECT_EQ(pages.n_free(), 3);
  pages.check_invariants();
}

TEST(KvPages, AFullCacheTakesNoPage) {
  KvPages pages(2 * kPageTokens, 2);  // three pages
  pages.reserve(0, 0, 2 * kPageTokens);
  try {
    pages.reserve(1, 0, 2 * kPageTokens);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the cache of 128 tokens is full"));
    EXPECT_THAT(error.what(), HasSubstr("2 more pages of 64 tokens are needed and 1 are free"));
  }
  EXPECT_EQ(pages.n_free(), 1);
  pages.reserve(1, 0, kPageTokens);  // what does fit
}

TEST(KvPages, TheContextIsALimitOfEachSequence) {
  KvPages pages(100, 1);
  pages.reserve(0, 0, 100);
  try {
    pages.reserve(0, 100, 101);  // its page would have room
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("101 tokens do not fit the context of 100; raise it with -c"));
  }
}

TEST(KvPages, ASharedPageIsCopiedByWhoeverWritesFirst) {
  KvPages pages(4 * kPageTokens, 2);
  write(pages, 0, 0, kPageTokens + 10);
  pages.attach(1, pages.pages(0), kPageTokens + 5);  // of the second page five tokens
  EXPECT_EQ(pages.n_tokens(1), kPageTokens + 5);
  EXPECT_EQ(pages.n_free(), 3);
  const std::vector<int32_t> shared = pages_of(pages, 0);
  EXPECT_EQ(pages.n_needed(0, kPageTokens + 10, kPageTokens + 11), 1);
  write(pages, 0, kPageTokens + 10, kPageTokens + 11);
  EXPECT_THAT(pages.pages(0)[0], shared[0]);
  EXPECT_NE(pages.pages(0)[1], shared[1]);
  const std::vector<KvPages::Copy> copies = pages.take_copies();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].from, shared[1]);
  EXPECT_EQ(copies[0].to, pages.pages(0)[1]);
  // The other is now alone with the page and writes where it is.
  EXPECT_EQ(pages.n_needed(1, kPageTokens + 5, 2 * kPageTokens), 0);
  write(pages, 1, kPageTokens + 5, 2 * kPageTokens);
  EXPECT_EQ(pages_of(pages, 1), shared);
  EXPECT_TRUE(pages.take_copies().empty());
  EXPECT_EQ(pages.n_free(), 2);
  pages.check_invariants();
}

/// Rewriting from inside a shared page copies that page; those behind it are overwritten and only replaced.
TEST(KvPages, OnlyWhatIsKeptIsCopied) {
  KvPages pages(4 * kPageTokens, 2);
  write(pages, 0, 0, 3 * kPageTokens);
  pages.attach(1, pages.pages(0), 3 * kPageTokens);
  EXPECT_EQ(pages.n_free(), 2);
  write(pages, 1, kPageTokens + 1, 3 * kPageTokens);
  EXPECT_EQ(pages.take_copies().size(), 1u);
  pages.truncate(1, 0);
  pages.attach(1, pages.pages(0), 3 * kPageTokens);
  write(pages, 1, 2 * kPageTokens, 3 * kPageTokens);
  EXPECT_TRUE(pages.take_copies().empty());
  EXPECT_NE(pages.pages(1)[2], pages.pages(0)[2]);
  pages.check_invariants();
}

TEST(KvPages, APinnedPageOutlivesItsHolderAndIsNotWritten) {
  KvPages pages(2 * kPageTokens, 2);
  write(pages, 0, 0, 40);
  const int32_t page = pages.pages(0)[0];
  pages.pin(page);
  write(pages, 0, 40, 41);
  EXPECT_NE(pages.pages(0)[0], page);
  EXPECT_EQ(pages.take_copies().size(), 1u);
  EXPECT_EQ(pages.n_idle(), 1);
  EXPECT_EQ(pages.n_free(), 1);
  pages.attach(1, std::vector<int32_t>{page}, 40);
  EXPECT_EQ(pages.n_idle(), 0);
  pages.truncate(1, 0);
  EXPECT_EQ(pages.n_idle(), 1);
  pages.check_invariants();
  pages.unpin(page);
  EXPECT_EQ(pages.n_free(), 2);
  // What is free cannot be shared: its contents are gone.
  EXPECT_THROW(pages.attach(1, std::vector<int32_t>{page}, 40), InternalError);
}

TEST(KvPages, EqualPagesBecomeOne) {
  KvPages pages(2 * kPageTokens, 2);
  write(pages, 0, 0, kPageTokens);
  write(pages, 1, 0, kPageTokens);
  EXPECT_EQ(pages.n_free(), 1);
  pages.replace(1, 0, pages.pages(0)[0]);
  EXPECT_EQ(pages.n_free(), 2);
  EXPECT_EQ(pages.n_holders(pages.pages(0)[0]), 2);
  pages.replace(1, 0, pages.pages(0)[0]);  // nothing to do
  pages.check_invariants();
}

/// Whatever happens in whatever order, every page is somewhere once, and no sequence writes what another can see.
TEST(KvPages, RandomTrafficKeepsTheBooks) {
  std::mt19937 random(1);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  KvPages pages(10 * kPageTokens, 4);
  int n_refused = 0, n_shared = 0;
  for (int round = 0; round < 20000; ++round) {
    const int sequence = below(4);
    const int n = pages.n_tokens(sequence);
    switch (below(5)) {
      case 0:
        pages.truncate(sequence, below(n + 1));
        break;
      case 1:
      case 2: {
        const int from = below(3) == 0 ? below(n + 1) : n;
        const int to = std::min(pages.n_ctx(), from + 1 + below(200));
        if (to <= from) break;
        if (pages.n_needed(sequence, from, to) > pages.n_free()) {
          EXPECT_THROW(pages.reserve(sequence, from, to), Error);
          ++n_refused;
        } else {
          write(pages, sequence, from, to);
          for (int i = from / kPageTokens; i < pages_for(to); ++i) {
            const int32_t page = pages.pages(sequence)[static_cast<size_t>(i)];
            ASSERT_TRUE(pages.n_holders(page) == 1 && !pages.is_pinned(page));
          }
        }
        break;
      }
      case 3: {
        const int other = below(4);
        if (other == sequence || pages.n_tokens(other) == 0) break;
        const int n_wanted = 1 + below(pages.n_tokens(other));
        pages.truncate(sequence, 0);
        pages.attach(sequence, pages.pages(other).first(static_cast<size_t>(pages_for(n_wanted))), n_wanted);
        ++n_shared;
        break;
      }
      case 4: {
        const int32_t page = below(pages.n_pages());
        if (pages.is_pinned(page)) {
          pages.unpin(page);
        } else if (pages.n_holders(page) > 0) {
          pages.pin(page);
        }
        break;
      }
    }
    ASSERT_NO_THROW(pages.check_invariants());
  }
  EXPECT_GT(n_refused, 100);
  EXPECT_GT(n_shared, 100);
}

}  // namespace
}  // namespace glint
