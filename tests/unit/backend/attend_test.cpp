// SPDX-License-Identifier: Apache-2.0
//
// Cache and attention of the reference backend: probabilities by hand, what a token may see, which head reads which,
// where rows lie, and what each cache format rounds to.
#include <gmock/gmock.h>

#include "base/check.h"
#include "base/half.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

/// One layer's cache and the page tables of two sequences, three pages each, in no order.
class RefAttend : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend = make_ref_backend();
  std::vector<int32_t> page_table = {4, 0, 2, 1, 5, 3};
  std::vector<std::byte> k_cache, v_cache;
  KvLayer layer;

  void make_cache(DType dtype, int n_kv, int d_k, int d_v, bool latent = false) {
    layer = {nullptr, nullptr, dtype, dtype, n_kv, d_k, d_v};
    k_cache.assign(static_cast<size_t>(layer.k_row_bytes() * 6 * kPageTokens), std::byte{0xff});
    v_cache.assign(static_cast<size_t>(row_bytes(dtype, n_kv * d_v) * 6 * kPageTokens), std::byte{0xff});
    layer.k = k_cache.data();
    layer.v = latent ? nullptr : v_cache.data();
  }

  struct At {
    int position;
    int sequence = 0;
  };
  template <class Fn>
  void with_batch(const std::vector<At>& rows, Fn&& fn) {
    std::vector<int32_t> positions, sequences;
    for (const At& row : rows) {
      positions.push_back(row.position);
      sequences.push_back(row.sequence);
    }
    fn(Batch{static_cast<int>(rows.size()), nullptr, positions.data(), sequences.data(), page_table.data(), 3});
  }
  void store(const std::vector<At>& rows, std::vector<float> k, std::vector<float> v) {
    const int n = static_cast<int>(rows.size());
    v.resize(static_cast<size_t>(n * layer.n_kv * layer.d_v));
    with_batch(rows, [&](const Batch& batch) {
      backend->kv_store(layer, Tensor::matrix(k.data(), n, layer.n_kv * layer.d_k).split_heads(layer.n_kv),
                        Tensor::matrix(v.data(), n, layer.n_kv * layer.d_v).split_heads(layer.n_kv), batch);
    });
  }
  std::vector<float> attend(const std::vector<At>& rows, int n_heads, std::vector<float> q,
                            const AttendParams& params = {}) {
    const int n = static_cast<int>(rows.size());
    std::vector<float> out(static_cast<size_t>(n * n_heads * layer.d_v));
    with_batch(rows, [&](const Batch& batch) {
      backend->attend(Tensor::matrix(out.data(), n, n_heads * layer.d_v).split_heads(n_heads),
                      Tensor::matrix(q.data(), n, n_heads * layer.d_k).split_heads(n_heads), layer, batch, params);
    });
    return out;
  }
};

auto near(float v) {
  return FloatNear(v, 1e-6f);
}
const float kLog3 = std::log(3.0f);

TEST_F(RefAttend, ProbabilitiesByHand) {
  make_cache(DType::kF32, 1, 1, 2);
  store({{0}, {1}}, {0, kLog3}, {4, 8, 8, 0});
  // exp(0) : exp(log 3) = 1 : 3
  EXPECT_THAT(attend({{1}}, 1, {1}), ElementsAre(near(7), near(2)));
  // Scaled by 2: 1 : 9.
  EXPECT_THAT(attend({{1}}, 1, {1}, {.scale = 2}), ElementsAre(near(7.6f), near(0.8f)));
  // The first token sees itself alone.
  EXPECT_THAT(attend({{0}}, 1, {1}), ElementsAre(4, 8));
}

TEST_F(RefAttend, ASinkTakesProbabilityAndGivesNothing) {
  make_cache(DType::kF32, 1, 1, 2);
  store({{0}, {1}}, {0, kLog3}, {4, 8, 8, 0});
  const std::vector<float> sinks = {std::log(4.0f), -1e30f};  // 1 : 3 : 4, and nothing
  EXPECT_THAT(attend({{1}}, 2, {1, 1}, {.sinks = sinks.data()}), ElementsAre(near(3.5f), near(1), near(7), near(2)));
}

TEST_F(RefAttend, TheSoftcapComesAfterTheScale) {
  make_cache(DType::kF32, 1, 1, 1);
  store({{0}, {1}}, {0, 6}, {0, 1});
  // s = 2 tanh(0.5 * 6 / 2) = 1.8102965; 1 / (1 + exp(-s))
  EXPECT_THAT(attend({{1}}, 1, {1}, {.scale = 0.5f, .softcap = 2}), ElementsAre(near(0.85939771f)));
}

TEST_F(RefAttend, LargeScoresDoNotOverflow) {
  make_cache(DType::kF32, 1, 1, 1);
  store({{0}, {1}}, {1e30f, -1e30f}, {5, 7});
  EXPECT_THAT(attend({{1}}, 1, {1e5f}), ElementsAre(5));
}

TEST_F(RefAttend, WindowsEndAtTheTokenItself) {
  make_cache(DType::kF32, 1, 1, 1);
  std::vector<At> rows;
  std::vector<float> k, v;
  for (int p = 0; p < 150; ++p) {
    rows.push_back({p});
    k.push_back(0);
    v.push_back(static_cast<float>(p));
  }
  store(rows, k, v);
  EXPECT_THAT(attend({{100}}, 1, {1}), ElementsAre(50));  // mean of 0..100
  EXPECT_THAT(attend({{100}}, 1, {1}, {.window = 1}), ElementsAre(100));
  EXPECT_THAT(attend({{100}}, 1, {1}, {.window = 3}), ElementsAre(near(99)));
  EXPECT_THAT(attend({{2}, {100}}, 1, {1, 1}, {.window = 90}), ElementsAre(1, near(55.5f)));
}

TEST_F(RefAttend, SequencesSeeOnlyTheirOwn) {
  make_cache(DType::kF32, 1, 1, 1);
  store({{0, 0}, {1, 0}, {0, 1}}, {0, 0, 0}, {1, 3, 100});
  EXPECT_THAT(attend({{1, 0}, {0, 1}}, 1, {1, 1}), ElementsAre(2, 100));
}

TEST_F(RefAttend, QueryHeadsShareKeyHeadsInRuns) {
  make_cache(DType::kF32, 2, 1, 1);
  store({{0}}, {0, 0}, {10, 20});
  EXPECT_THAT(attend({{0}}, 6, {1, 1, 1, 1, 1, 1}), ElementsAre(10, 10, 10, 20, 20, 20));
}

TEST_F(RefAttend, ALatentCacheHasItsValuesInItsKeys) {
  make_cache(DType::kF32, 1, 3, 2, true);
  store({{0}, {1}}, {4, 8, 0, 8, 0, kLog3}, {});
  EXPECT_THAT(attend({{1}}, 2, {0, 0, 1, 0, 0, 0}), ElementsAre(near(7), near(2), near(6), near(4)));
}

TEST_F(RefAttend, RowsLieWhereThePageTableSays) {
  make_cache(DType::kF32, 1, 1, 1);
  store({{70, 0}, {3, 1}}, {11, 12}, {21, 22});
  const auto value = [](const std::vector<std::byte>& cache, int row) {
    float v;
    std::memcpy(&v, cache.data() + row * 4, 4);
    return v;
  };
  EXPECT_EQ(value(k_cache, 0 * kPageTokens + 6), 11);  // second page of sequence 0 is page 0
  EXPECT_EQ(value(v_cache, 0 * kPageTokens + 6), 21);
  EXPECT_EQ(value(k_cache, 1 * kPageTokens + 3), 12);  // first page of sequence 1 is page 1
  int n_written = 0;
  for (int row = 0; row < 6 * kPageTokens; ++row) n_written += !std::isnan(value(k_cache, row));
  EXPECT_EQ(n_written, 2);
  EXPECT_THROW(store({{3 * kPageTokens, 0}}, {1}, {1}), InternalError);
}

TEST_F(RefAttend, FormatsRoundWhatTheyStore) {
  const float third = 1.0f / 3;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    make_cache(dtype, 1, 2, 2, false);
    store({{0}}, {0, 0}, {third, -1e-3f});
    const auto rounded = [&](float v) {
      if (dtype == DType::kF16) return f16_to_f32(f32_to_f16(v));
      if (dtype == DType::kBF16) return bf16_to_f32(f32_to_bf16(v));
      return v;
    };
    EXPECT_THAT(attend({{0}}, 1, {1, 1}), ElementsAre(rounded(third), rounded(-1e-3f))) << traits(dtype).name;
  }
  make_cache(DType::kQ8_0, 1, 32, 32);
  std::vector<float> v(32);
  v[0] = -127 * 0.25f;  // the scale is exactly 0.25
  v[1] = 0.3f;
  v[2] = 0.375f;  // half a step: away from zero
  store({{0}}, std::vector<float>(32), v);
  const auto out = attend({{0}}, 1, std::vector<float>(32));
  EXPECT_THAT((std::vector<float>{out.begin(), out.begin() + 4}), ElementsAre(-31.75f, 0.25f, 0.5f, 0));
}

TEST_F(RefAttend, KeysAndValuesMayHaveDifferentFormats) {
  make_cache(DType::kF32, 1, 32, 32);
  layer.v_dtype = DType::kF16;
  std::vector<float> values(32, 1.0f / 3);
  store({{5}}, std::vector<float>(32), values);
  layer.n_kv = 1;
  store({{0}, {1}, {2}, {3}, {4}}, std::vector<float>(5 * 32), std::vector<float>(5 * 32, 1.0f / 3));
  EXPECT_EQ(attend({{5}}, 1, std::vector<float>(32))[7], f16_to_f32(f32_to_f16(1.0f / 3)));
}

TEST_F(RefAttend, OtherFormatsAreNotCached) {
  make_cache(DType::kQ4_0, 1, 32, 32);
  EXPECT_THROW(store({{0}}, std::vector<float>(32), std::vector<float>(32)), InternalError);
}

TEST_F(RefAttend, ARowOfABatchHasTheBitsItHasAlone) {
  make_cache(DType::kF16, 2, 8, 8);
  std::vector<At> rows;
  for (int p = 0; p < 100; ++p) rows.push_back({p, 1});
  store(rows, random_values(1600, 1), random_values(1600, 2));
  const std::vector<float> q = random_values(100 * 32, 3);
  const std::vector<float> together = attend(rows, 4, q);
  for (size_t t = 0; t < rows.size(); t += 33) {
    const auto begin = q.begin() + static_cast<std::ptrdiff_t>(t) * 32;
    const std::vector<float> alone = attend({rows[t]}, 4, {begin, begin + 32});
    EXPECT_EQ(std::memcmp(alone.data(), together.data() + t * 32, 32 * sizeof(float)), 0) << t;
  }
}

}  // namespace
}  // namespace glint::backend_test
