// SPDX-License-Identifier: Apache-2.0
//
// kv_store and attend of the CPU backend against ref, in every cache format and with windows, sinks, soft-caps, several
// sequences and latent (MLA) caches; and equal bits for any threads, instruction set and batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>

#include "tests/unit/cpu/cpu_test_support.h"

namespace glint::cpu_test {
namespace {

struct Shape {
  std::string name;
  DType dtype;
  int n_heads;
  int n_kv;
  int d_k;
  int d_v;
  bool latent = false;  // V is a prefix of K
  int window = 0;
  float softcap = 0;
  bool sinks = false;

  friend std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.name; }
};

const Shape kShapes[] = {
    {"f32", DType::kF32, 4, 2, 16, 16},
    {"f16", DType::kF16, 9, 3, 64, 64},
    {"bf16", DType::kBF16, 3, 3, 24, 40},
    {"q8", DType::kQ8_0, 8, 2, 64, 32},
    {"q8_heads_across_blocks", DType::kQ8_0, 4, 4, 40, 24},
    {"odd_widths", DType::kF32, 6, 2, 13, 11},
    {"latent", DType::kF16, 20, 1, 72, 64, true},
    {"latent_q8", DType::kQ8_0, 5, 1, 96, 64, true},
    {"window", DType::kF16, 4, 2, 32, 32, false, 50},
    {"wide_window", DType::kF32, 4, 1, 16, 16, false, 1000},
    {"softcap", DType::kF32, 4, 2, 16, 16, false, 0, 3.0f},
    {"sinks", DType::kF16, 8, 2, 32, 32, false, 70, 0, true},
};

/// A cache, filled, and the queries of one step.
class Fixture {
 public:
  /// `lengths`: of each sequence, how many of its last tokens are queried and how many tokens it has in all.
  struct Sequence {
    int n_queries;
    int n_tokens;
  };

  Fixture(const Shape& shape, std::vector<Sequence> sequences) : shape_(shape) {
    max_pages_ = 1;
    for (const Sequence& s : sequences) max_pages_ = std::max(max_pages_, (s.n_tokens + kPageTokens - 1) / kPageTokens);
    const int n_pages = max_pages_ * static_cast<int>(sequences.size());
    // Pages are handed out back to front, so that logical and physical order differ.
    page_table_.resize(static_cast<size_t>(n_pages));
    std::iota(page_table_.rbegin(), page_table_.rend(), 0);
    layer_ = {.k_dtype = shape.dtype, .v_dtype = shape.dtype, .n_kv = shape.n_kv, .d_k = shape.d_k, .d_v = shape.d_v};
    // Rows that nobody stored are NaN where the format has it: reading one shows.
    k_.resize(static_cast<size_t>(layer_.k_row_bytes() * n_pages * kPageTokens), std::byte{0xff});
    layer_.v = k_.data();
    v_.resize(static_cast<size_t>(layer_.v_row_bytes() * n_pages * kPageTokens), std::byte{0xff});
    layer_.k = k_.data();
    layer_.v = shape.latent ? nullptr : v_.data();
    for (size_t s = 0; s < sequences.size(); ++s) {
      for (int p = 0; p < sequences[s].n_tokens; ++p) {
        stored_positions_.push_back(p);
        stored_sequences_.push_back(static_cast<int32_t>(s));
        if (p < sequences[s].n_tokens - sequences[s].n_queries) continue;
        positions_.push_back(p);
        sequences_.push_back(static_cast<int32_t>(s));
      }
    }
    const auto n_stored = stored_positions_.size();
    k_floats_ = random_floats(n_stored * static_cast<size_t>(shape.n_kv * shape.d_k), 1);
    v_floats_ = random_floats(n_stored * static_cast<size_t>(shape.n_kv * shape.d_v), 2);
    q_ = random_floats(positions_.size() * static_cast<size_t>(shape.n_heads * shape.d_k), 3);
    sinks_ = random_floats(static_cast<size_t>(shape.n_heads), 4, 2);
  }

  int n_queries() const { return static_cast<int>(positions_.size()); }
  const std::vector<std::byte>& k_bytes() const { return k_; }
  const std::vector<std::byte>& v_bytes() const { return v_; }

  void store(Backend& backend) {
    const int n = static_cast<int>(stored_positions_.size());
    const Batch batch{n, nullptr, stored_positions_.data(), stored_sequences_.data(), page_table_.data(), max_pages_};
    backend.kv_store(layer_, Tensor::matrix(k_floats_.data(), n, shape_.n_kv * shape_.d_k).split_heads(shape_.n_kv),
                     Tensor::matrix(v_floats_.data(), n, shape_.n_kv * shape_.d_v).split_heads(shape_.n_kv), batch);
  }

  /// Queries [first, first + count) as one batch; others' results are left at 0.
  void attend(Backend& backend, std::vector<float>& out, int first, int count) {
    out.resize(static_cast<size_t>(n_queries() * shape_.n_heads * shape_.d_v));
    const Batch batch{count,     nullptr, positions_.data() + first, sequences_.data() + first, page_table_.data(),
                      max_pages_};
    const AttendParams params{scale(), shape_.softcap, shape_.window, shape_.sinks ? sinks_.data() : nullptr};
    backend.attend(Tensor::matrix(out.data(), n_queries(), shape_.n_heads * shape_.d_v)
                       .split_heads(shape_.n_heads)
                       .rows(first, count),
                   Tensor::matrix(q_.data(), n_queries(), shape_.n_heads * shape_.d_k)
                       .split_heads(shape_.n_heads)
                       .rows(first, count),
                   layer_, batch, params);
  }

  std::vector<float> attend(Backend& backend) {
    std::vector<float> out;
    attend(backend, out, 0, n_queries());
    return out;
  }

  float scale() const { return 1 / std::sqrt(static_cast<float>(shape_.d_k)); }

  /// Bound of |cpu - ref|. A score is off by at most the canonical sum's error, (d_k / 8 + 6) kEps times its magnitudes
  /// (|q| |k| <= 5 here, by far), and a probability by twice that and a few roundings of exp and of the page-wise
  /// rescaling; the weighted sum of n positions adds one rounding each. Values are at most 5.
  std::vector<double> bounds() const {
    const double score = (shape_.d_k / 8 + 8) * kEps * scale() * 25 * shape_.d_k;
    int longest = 0;
    for (int p : positions_) longest = std::max(longest, p + 1);
    const double bound = 5 * (2 * score + (longest + 40) * kEps);
    return std::vector<double>(static_cast<size_t>(n_queries() * shape_.n_heads * shape_.d_v), bound);
  }

 private:
  Shape shape_;
  int max_pages_;
  std::vector<int32_t> page_table_, stored_positions_, stored_sequences_, positions_, sequences_;
  KvLayer layer_;
  std::vector<std::byte> k_, v_;
  std::vector<float> k_floats_, v_floats_, q_, sinks_;
};

class Attend : public testing::TestWithParam<Shape> {};

TEST_P(Attend, StoresTheBytesThatRefStores) {
  Fixture by_ref(GetParam(), {{1, 70}, {1, 3}});
  by_ref.store(*make_ref_backend());
  for (const Variant& variant : cpu_variants()) {
    Fixture by_cpu(GetParam(), {{1, 70}, {1, 3}});
    by_cpu.store(*variant.backend);
    EXPECT_EQ(by_cpu.k_bytes(), by_ref.k_bytes()) << variant.name;
    EXPECT_EQ(by_cpu.v_bytes(), by_ref.v_bytes()) << variant.name;
  }
}

TEST_P(Attend, AgreesWithRefAndBitForBitInEveryVariant) {
  const auto variants = cpu_variants();
  const auto ref = make_ref_backend();
  const std::vector<std::vector<Fixture::Sequence>> batches = {
      {{1, 1}}, {{1, 63}}, {{1, 65}}, {{64, 64}}, {{33, 200}}, {{1, 128}, {20, 20}, {1, 5}, {3, 140}}};
  for (const auto& sequences : batches) {
    Fixture fixture(GetParam(), sequences);
    fixture.store(*variants[0].backend);
    const auto first = fixture.attend(*variants[0].backend);
    EXPECT_TRUE(within(first, fixture.attend(*ref), fixture.bounds()));
    for (const Variant& variant : variants) {
      EXPECT_TRUE(same_bits(fixture.attend(*variant.backend), first)) << variant.name;
    }
  }
}

// Beyond kGroupTokens = 1024 positions, threads may split one token's work.
TEST_P(Attend, LongSequencesAgreeToo) {
  const auto variants = cpu_variants();
  for (const auto& sequences : std::vector<std::vector<Fixture::Sequence>>{{{1, 2100}}, {{3, 1030}, {1, 70}}}) {
    Fixture fixture(GetParam(), sequences);
    fixture.store(*variants[0].backend);
    const auto first = fixture.attend(*variants[0].backend);
    EXPECT_TRUE(within(first, fixture.attend(*make_ref_backend()), fixture.bounds()));
    for (const Variant& variant : variants) {
      EXPECT_TRUE(same_bits(fixture.attend(*variant.backend), first)) << variant.name;
    }
  }
}

TEST_P(Attend, ATokenHasTheBitsItHasAlone) {
  Fixture fixture(GetParam(), {{100, 1060}, {1, 130}, {40, 40}});
  const auto backend = make_cpu_backend({.n_threads = 2});
  fixture.store(*backend);
  const auto together = fixture.attend(*backend);
  std::vector<float> alone;
  for (int t = 0; t < fixture.n_queries(); ++t) fixture.attend(*backend, alone, t, 1);
  EXPECT_TRUE(same_bits(alone, together));
}

INSTANTIATE_TEST_SUITE_P(Shapes, Attend, testing::ValuesIn(kShapes),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace glint::cpu_test
