// SPDX-License-Identifier: Apache-2.0
//
// Sizes and formats of the cache's memory, and copies of pages.
#include "model/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

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
  EXPECT_EQ(cache.pages().max_pages(), 2);
  EXPECT_EQ(cache.bytes(), 2 * kPageTokens * 2LL * (2 * 32 * 2) * 2);  // tokens, layers, f16 row, keys and values
}

/// Every byte of every layer, also of patterns that are no numbers.
TEST_F(KvCacheTest, APageIsCopiedBitForBit) {
  KvCache cache(*backend_, spec_, {.n_ctx = 4 * kPageTokens, .n_sequences = 2, .kv = {DType::kQ8_0, DType::kF16}});
  KvPages& pages = cache.pages();
  pages.reserve(0, 0, kPageTokens + 10);
  pages.written(0, kPageTokens + 10);
  const int32_t shared = pages.pages(0)[1];
  std::vector<std::vector<char>> expected;
  const auto each = [&](const auto& fn) {
    for (int i = 0; i < 2; ++i) {
      const KvLayer& layer = cache.layer(i);
      fn(static_cast<char*>(layer.k), layer.k_row_bytes() * kPageTokens);
      fn(static_cast<char*>(layer.v), layer.v_row_bytes() * kPageTokens);
    }
  };
  each([&](char* storage, int64_t bytes) {
    for (int64_t i = 0; i < bytes; ++i) storage[shared * bytes + i] = static_cast<char>(0xff - i % 7);
    expected.emplace_back(storage + shared * bytes, storage + (shared + 1) * bytes);
  });
  pages.attach(1, pages.pages(0), kPageTokens + 10);
  pages.reserve(1, kPageTokens + 10, kPageTokens + 11);
  const int32_t own = pages.pages(1)[1];
  ASSERT_NE(own, shared);
  cache.copy_shared();
  size_t at = 0;
  each([&](const char* storage, int64_t bytes) {
    EXPECT_EQ(std::vector<char>(storage + own * bytes, storage + (own + 1) * bytes), expected[at++]);
  });
  EXPECT_EQ(at, 4u);
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
