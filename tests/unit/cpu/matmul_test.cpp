// SPDX-License-Identifier: Apache-2.0
//
// matmul, matmul_heads and matmul_experts of the CPU backend: every weight format and odd shapes against ref within the
// bound of the summation, and equal bits for any threads, instruction set and batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tensor/dequantize.h"
#include "tests/unit/cpu/cpu_test_support.h"

namespace glint::cpu_test {
namespace {

std::vector<DType> weight_dtypes() {
  std::vector<DType> dtypes;
  for (const DTypeTraits& t : all_dtypes()) {
    if (t.is_weight) dtypes.push_back(t.dtype);
  }
  return dtypes;
}

/// Bound of |cpu - ref| for each output: one lane adds n_in / 8 products and three more levels add the lanes, each with
/// a relative error of kEps of what is summed; one more for the bias, one for ref's own rounding.
std::vector<double> error_bounds(const HostTensor& w, int matrix, int n_out, int n_in, const std::vector<float>& x,
                                 int n_rows) {
  std::vector<float> row(static_cast<size_t>(n_in));
  std::vector<double> bounds(static_cast<size_t>(n_rows) * static_cast<size_t>(n_out));
  const int64_t bytes = row_bytes(w.dtype, n_in);
  for (int o = 0; o < n_out; ++o) {
    dequantize(w.dtype, w.bytes.data() + (static_cast<int64_t>(matrix) * n_out + o) * bytes, n_in, row.data());
    for (int t = 0; t < n_rows; ++t) {
      double sum = 1;  // of magnitudes; 1 covers the bias, which is at most that
      for (int i = 0; i < n_in; ++i) {
        sum += std::abs(static_cast<double>(row[static_cast<size_t>(i)]) * x[static_cast<size_t>(t * n_in + i)]);
      }
      bounds[static_cast<size_t>(t * n_out + o)] = (n_in / 8 + 6) * kEps * sum;
    }
  }
  return bounds;
}

std::vector<float> small_bias(int n) {
  std::vector<float> bias;
  for (int i = 0; i < n; ++i) bias.push_back(static_cast<float>(i % 7) / 8);
  return bias;
}

class MatmulFormats : public testing::TestWithParam<DType> {};

TEST_P(MatmulFormats, AgreesWithRefInEveryShapeAndBitForBitInEveryVariant) {
  const auto variants = cpu_variants();
  const auto ref = make_ref_backend();
  const int block = traits(GetParam()).block_elements;
  // Row lengths: one block, a few, more than one piece of a panel with an uneven last piece; f32 rows of any length.
  std::vector<int> widths = {block, 3 * block, (1800 + block - 1) / block * block};
  if (block == 1) widths = {1, 13, 100, 770, 1801};
  for (const int n_in : widths) {
    for (const int n_out : {1, 5, 8, 19}) {
      for (const int n_tokens : {1, 2, 4, 7}) {
        const RandomWeight random(GetParam(), {n_out, n_in}, 7);
        auto x = random_floats(static_cast<size_t>(n_tokens * n_in), 3);
        auto bias = small_bias(n_out);
        const auto run = [&](Backend& backend) {
          Weight w = backend.import_weight(random.tensor());
          w.bias = n_out == 5 ? bias.data() : nullptr;
          std::vector<float> out(static_cast<size_t>(n_tokens * n_out), -1);
          backend.matmul(Tensor::matrix(out.data(), n_tokens, n_out), Tensor::matrix(x.data(), n_tokens, n_in), w);
          return out;
        };
        const auto first = run(*variants[0].backend);
        EXPECT_TRUE(within(first, run(*ref), error_bounds(random.tensor(), 0, n_out, n_in, x, n_tokens)))
            << n_out << " x " << n_in << ", " << n_tokens << " tokens";
        for (const Variant& variant : variants) {
          EXPECT_TRUE(same_bits(run(*variant.backend), first)) << variant.name << ", " << n_out << " x " << n_in;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllFormats, MatmulFormats, testing::ValuesIn(weight_dtypes()),
                         [](const auto& tested) { return std::string(traits(tested.param).name); });

TEST(Matmul, ARowHasTheBitsItHasAlone) {
  constexpr int kTokens = 500;  // more than a block of tokens, so that threads and blocks both cut it
  constexpr int kIn = 1024;
  constexpr int kOut = 70;
  const RandomWeight random(DType::kF16, {kOut, kIn}, 1);
  auto x = random_floats(kTokens * kIn, 2);
  const auto backend = make_cpu_backend({.n_threads = 3});
  const Weight w = backend->import_weight(random.tensor());
  std::vector<float> together(kTokens * kOut);
  backend->matmul(Tensor::matrix(together.data(), kTokens, kOut), Tensor::matrix(x.data(), kTokens, kIn), w);
  std::vector<float> alone(kTokens * kOut);
  for (int t = 0; t < kTokens; ++t) {
    backend->matmul(Tensor::matrix(alone.data(), kTokens, kOut).rows(t, 1),
                    Tensor::matrix(x.data(), kTokens, kIn).rows(t, 1), w);
  }
  EXPECT_TRUE(same_bits(together, alone));
}

TEST(Matmul, StridesAreHonoured) {
  constexpr int kTokens = 5;
  constexpr int kIn = 40;
  constexpr int kOut = 11;
  const RandomWeight random(DType::kF32, {kOut, kIn}, 1);
  auto x = random_floats(kTokens * 100, 2);
  const auto backend = make_cpu_backend({.n_threads = 2});
  const Weight w = backend->import_weight(random.tensor());
  std::vector<float> packed(kTokens * kIn);
  for (int t = 0; t < kTokens; ++t)
    std::copy_n(&x[static_cast<size_t>(t * 100 + 30)], kIn, &packed[static_cast<size_t>(t * kIn)]);
  std::vector<float> expected(kTokens * kOut);
  backend->matmul(Tensor::matrix(expected.data(), kTokens, kOut), Tensor::matrix(packed.data(), kTokens, kIn), w);
  std::vector<float> wide(kTokens * 20, -5);
  backend->matmul(Tensor::matrix(wide.data(), kTokens, 20).columns(4, kOut),
                  Tensor::matrix(x.data(), kTokens, 100).columns(30, kIn), w);
  for (int t = 0; t < kTokens; ++t) {
    for (int c = 0; c < 20; ++c) {
      const float want = c >= 4 && c < 4 + kOut ? expected[static_cast<size_t>(t * kOut + c - 4)] : -5;
      EXPECT_EQ(wide[static_cast<size_t>(t * 20 + c)], want);
    }
  }
}

TEST(Matmul, WeightsInOddMemoryAreRead) {
  constexpr int kIn = 24;
  constexpr int kOut = 9;
  const RandomWeight random(DType::kF32, {kOut, kIn}, 1);
  std::vector<std::byte> shifted(random.tensor().bytes.size() + 1);
  std::copy(random.tensor().bytes.begin(), random.tensor().bytes.end(), shifted.begin() + 1);
  HostTensor odd = random.tensor();
  odd.bytes = std::span(shifted).subspan(1);
  auto x = random_floats(kIn, 2);
  const auto backend = make_cpu_backend({.n_threads = 1});
  std::vector<float> expected(kOut);
  std::vector<float> out(kOut);
  backend->matmul(Tensor::matrix(expected.data(), 1, kOut), Tensor::matrix(x.data(), 1, kIn),
                  backend->import_weight(random.tensor()));
  backend->matmul(Tensor::matrix(out.data(), 1, kOut), Tensor::matrix(x.data(), 1, kIn), backend->import_weight(odd));
  EXPECT_TRUE(same_bits(out, expected));
}

TEST(MatmulHeads, EachHeadHasItsMatrix) {
  constexpr int kHeads = 5;
  constexpr int kIn = 96;
  constexpr int kOut = 20;
  const auto variants = cpu_variants();
  const auto ref = make_ref_backend();
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    for (const int n_tokens : {1, 2, 9}) {
      const RandomWeight random(dtype, {kHeads, kOut, kIn}, 5);
      auto x = random_floats(static_cast<size_t>(n_tokens * kHeads * kIn), 6);
      const auto run = [&](Backend& backend) {
        const Weight w = backend.import_weight(random.tensor());
        std::vector<float> out(static_cast<size_t>(n_tokens * kHeads * kOut));
        backend.matmul_heads(Tensor::matrix(out.data(), n_tokens, kHeads * kOut).split_heads(kHeads),
                             Tensor::matrix(x.data(), n_tokens, kHeads * kIn).split_heads(kHeads), w);
        return out;
      };
      const auto first = run(*variants[0].backend);
      for (const Variant& variant : variants) EXPECT_TRUE(same_bits(run(*variant.backend), first)) << variant.name;
      const auto expected = run(*ref);
      for (int h = 0; h < kHeads; ++h) {
        for (int t = 0; t < n_tokens; ++t) {
          const auto at = [&](const std::vector<float>& v, int width) {
            const auto begin = v.begin() + (t * kHeads + h) * width;
            return std::vector<float>(begin, begin + width);
          };
          EXPECT_TRUE(
              within(at(first, kOut), at(expected, kOut), error_bounds(random.tensor(), h, kOut, kIn, at(x, kIn), 1)));
        }
      }
    }
  }
}

class MatmulExperts : public testing::TestWithParam<bool> {};  // whether each slot has its own row of x

TEST_P(MatmulExperts, EachSlotMeetsItsExpert) {
  constexpr int kExperts = 7;
  constexpr int kTopK = 3;
  constexpr int kIn = 64;
  constexpr int kOut = 21;
  const auto variants = cpu_variants();
  const auto ref = make_ref_backend();
  for (const DType dtype : {DType::kF32, DType::kQ8_0}) {
    for (const int n_tokens : {1, 2, 30}) {
      const int n_slots = n_tokens * kTopK;
      const int n_rows = GetParam() ? n_slots : n_tokens;
      const RandomWeight random(dtype, {kExperts, kOut, kIn}, 5);
      auto bias = small_bias(kExperts * kOut);
      auto x = random_floats(static_cast<size_t>(n_rows * kIn), 6);
      std::vector<int32_t> experts;
      for (int slot = 0; slot < n_slots; ++slot)
        experts.push_back((slot * slot + slot / 5) % (kExperts - 1));  // one is never used
      std::vector<float> weights(static_cast<size_t>(n_slots), 1);
      const auto run = [&](Backend& backend) {
        Weight w = backend.import_weight(random.tensor());
        w.bias = bias.data();
        std::vector<float> out(static_cast<size_t>(n_slots * kOut));
        backend.matmul_experts(Tensor::matrix(out.data(), n_slots, kOut), Tensor::matrix(x.data(), n_rows, kIn), w,
                               {experts.data(), weights.data(), n_tokens, kTopK});
        return out;
      };
      const auto first = run(*variants[0].backend);
      for (const Variant& variant : variants) EXPECT_TRUE(same_bits(run(*variant.backend), first)) << variant.name;
      const auto expected = run(*ref);
      for (int slot = 0; slot < n_slots; ++slot) {
        const int row = GetParam() ? slot : slot / kTopK;
        const std::vector<float> in(x.begin() + row * kIn, x.begin() + (row + 1) * kIn);
        const auto at = [&](const std::vector<float>& v) {
          return std::vector<float>(v.begin() + slot * kOut, v.begin() + (slot + 1) * kOut);
        };
        EXPECT_TRUE(within(at(first), at(expected),
                           error_bounds(random.tensor(), experts[static_cast<size_t>(slot)], kOut, kIn, in, 1)));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, MatmulExperts, testing::Bool());

TEST(ImportWeight, RefusesWhatItCannotMultiply) {
  const auto backend = make_cpu_backend({.n_threads = 1});
  const std::vector<std::byte> bytes(4096);
  const auto tensor = [&](DType dtype, std::vector<int64_t> dims, size_t n_bytes) {
    return HostTensor{"blk.0.w", dtype, std::move(dims), std::span(bytes).first(n_bytes)};
  };
  EXPECT_THROW(backend->import_weight(tensor(DType::kI32, {4, 4}, 64)), Error);
  EXPECT_THROW(backend->import_weight(tensor(DType::kF32, {4, 4}, 60)), Error);
  EXPECT_THROW(backend->import_weight(tensor(DType::kF32, {2, 2, 2, 2}, 64)), Error);
  EXPECT_THROW(backend->import_weight(tensor(DType::kQ8_0, {2, 48}, 102)), Error);
  const Weight w = backend->import_weight(tensor(DType::kF32, {16}, 64));
  EXPECT_EQ(w.count, 1);
  EXPECT_EQ(w.n_out, 1);
  EXPECT_EQ(w.n_in, 16);
  EXPECT_EQ(w.data, bytes.data());  // used where it lies
}

}  // namespace
}  // namespace glint::cpu_test
