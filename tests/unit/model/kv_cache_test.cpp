// SPDX-License-Identifier: Apache-2.0
//
// Pages: handed out, taken back, never shared, and refused as a whole when too few are left.
#include "model/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/check.h"

namespace glint {
namespace {

using testing::HasSubstr;

ModelSpec grouped(int n_layers, int n_kv, int d_head) {
  ModelSpec spec;
  spec.n_heads = n_kv;
  GqaSpec gqa;
  gqa.n_kv = n_kv;
  gqa.d_head = d_head;
  spec.layers.assign(static_cast<size_t>(n_layers), LayerSpec{.attention = gqa, .ffn = GluSpec{}});
  return spec;
}

class KvCacheTest : public testing::Test {
 protected:
  KvCache make(int n_ctx, int n_sequences) { return KvCache(*backend_, spec_, {.n_ctx = n_ctx, .n_sequences = n_sequences}); }
  static std::set<int32_t> pages(const KvCache& cache, int sequence, int n) {
    const auto row = cache.page_table().subspan(static_cast<size_t>(sequence) * static_cast<size_t>(cache.max_pages()),
                                                static_cast<size_t>(n));
    return {row.begin(), row.end()};
  }
  std::unique_ptr<Backend> backend_ = make_ref_backend();
  ModelSpec spec_ = grouped(2, 2, 32);
};

TEST_F(KvCacheTest, AnyContextIsRoundedUpToPages) {
  EXPECT_EQ(KvCache::capacity({.n_ctx = 1}), kPageTokens);
  EXPECT_EQ(KvCache::capacity({.n_ctx = kPageTokens}), kPageTokens);
  EXPECT_EQ(KvCache::capacity({.n_ctx = kPageTokens + 1}), 2 * kPageTokens);
  // A further sequence may leave its last page part full.
  EXPECT_EQ(KvCache::capacity({.n_ctx = kPageTokens, .n_sequences = 3}), 3 * kPageTokens);
  EXPECT_EQ(KvCache::capacity({.n_ctx = 1 << 30, .n_sequences = 2}), (1LL << 30) + kPageTokens);
  const KvCache cache = make(100, 1);
  EXPECT_EQ(cache.max_pages(), 2);
  EXPECT_EQ(cache.bytes(), 2 * kPageTokens * 2LL * (2 * 32 * 2) * 2);  // tokens, layers, f16 row, keys and values
}

TEST_F(KvCacheTest, SequencesNeverShareAPage) {
  KvCache cache = make(4 * kPageTokens, 3);
  cache.reserve(0, 1);
  cache.reserve(1, kPageTokens + 1);
  cache.reserve(0, kPageTokens + 1);
  cache.reserve(2, 1);
  std::set<int32_t> all = pages(cache, 0, 2);
  for (int32_t page : pages(cache, 1, 2)) EXPECT_TRUE(all.insert(page).second);
  for (int32_t page : pages(cache, 2, 1)) EXPECT_TRUE(all.insert(page).second);
  EXPECT_EQ(all.size(), 5u);
  EXPECT_EQ(*all.rbegin(), 4);
  EXPECT_EQ(cache.n_free_pages(), 1);
}

TEST_F(KvCacheTest, ReservingLessKeepsWhatIsHeld) {
  KvCache cache = make(2 * kPageTokens, 1);
  cache.reserve(0, kPageTokens + 1);
  const std::set<int32_t> held = pages(cache, 0, 2);
  cache.reserve(0, 1);
  cache.reserve(0, 2 * kPageTokens);
  EXPECT_EQ(pages(cache, 0, 2), held);
  EXPECT_EQ(cache.n_free_pages(), 0);
}

TEST_F(KvCacheTest, CutPagesServeOthers) {
  KvCache cache = make(2 * kPageTokens, 2);
  cache.reserve(0, 2 * kPageTokens);
  const int32_t second = cache.page_table()[1];
  cache.truncate(0, kPageTokens + 1);
  EXPECT_EQ(cache.n_free_pages(), 1);  // still in use: one token lies in it
  cache.truncate(0, kPageTokens);
  EXPECT_EQ(cache.n_free_pages(), 2);
  cache.reserve(1, 1);
  EXPECT_EQ(pages(cache, 1, 1), std::set<int32_t>{second});
  cache.truncate(0, 0);
  cache.truncate(1, 0);
  EXPECT_EQ(cache.n_free_pages(), 3);
  cache.truncate(0, 500);  // more than it has: nothing to give back
  EXPECT_EQ(cache.n_free_pages(), 3);
}

TEST_F(KvCacheTest, FullCacheTakesNoPage) {
  KvCache cache = make(2 * kPageTokens, 2);  // three pages
  cache.reserve(0, 2 * kPageTokens);
  try {
    cache.reserve(1, 2 * kPageTokens);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the cache of 128 tokens is full"));
    EXPECT_THAT(error.what(), HasSubstr("2 more pages of 64 tokens are needed and 1 are free"));
  }
  EXPECT_EQ(cache.n_free_pages(), 1);
  cache.reserve(1, kPageTokens);  // what does fit
}

TEST_F(KvCacheTest, ContextIsALimitOfEachSequence) {
  KvCache cache = make(100, 1);
  cache.reserve(0, 100);
  try {
    cache.reserve(0, 101);  // its page would have room
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("101 tokens do not fit the context of 100; raise it with -c"));
  }
}

TEST_F(KvCacheTest, Formats) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) EXPECT_NO_THROW(check_kv_format(spec_, {dtype, dtype}));
  for (DType dtype : {DType::kQ4_0, DType::kQ4_K, DType::kI32}) {
    EXPECT_THROW(check_kv_format(spec_, {dtype, DType::kF16}), Error);
    EXPECT_THROW(check_kv_format(spec_, {DType::kF16, dtype}), Error);
  }
  const ModelSpec odd = grouped(1, 2, 48);  // rows are whole blocks, heads are not
  try {
    check_kv_format(odd, {DType::kF16, DType::kQ8_0});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cache type Q8_0 for values: heads of 48 values are no whole blocks of 32; use f16"));
  }
  EXPECT_THROW(KvCache(*backend_, odd, {.kv = {DType::kQ8_0, DType::kF16}}), Error);
}

}  // namespace
}  // namespace glint
