// SPDX-License-Identifier: Apache-2.0
//
// Every unpack function gives the bits of tensor/dequantize.h: random blocks, and blocks of arbitrary bits (as far as
// they are numbers).
#include "cpu/unpack.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/dequantize.h"
#include "tests/unit/cpu/cpu_test_support.h"

namespace glint::cpu_test {
namespace {

class Unpack : public testing::TestWithParam<DType> {};

TEST_P(Unpack, RandomWeightsHaveTheScalarBits) {
  const int64_t n = 37 * static_cast<int64_t>(traits(GetParam()).block_elements);
  const RandomWeight weight(GetParam(), {n}, 3);
  // From an odd address, with a guard behind.
  std::vector<std::byte> shifted(weight.tensor().bytes.size() + 1);
  std::copy(weight.tensor().bytes.begin(), weight.tensor().bytes.end(), shifted.begin() + 1);
  std::vector<float> expected(static_cast<size_t>(n));
  dequantize(GetParam(), weight.tensor().bytes.data(), n, expected.data());
  for (const CpuLevel level : {CpuLevel::kScalar, cpu_level()}) {
    std::vector<float> got(static_cast<size_t>(n) + 8, -7);
    unpack_function(GetParam(), level)(shifted.data() + 1, n, got.data());
    for (size_t i = got.size() - 8; i < got.size(); ++i) EXPECT_EQ(got[i], -7);
    got.resize(static_cast<size_t>(n));
    EXPECT_TRUE(same_bits(got, expected));
  }
}

TEST_P(Unpack, ArbitraryBitsHaveTheScalarBits) {
  const int64_t n = 400 * static_cast<int64_t>(traits(GetParam()).block_elements);
  std::mt19937 random(5);
  std::vector<std::byte> bytes(static_cast<size_t>(row_bytes(GetParam(), n)));
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  std::vector<float> expected(static_cast<size_t>(n));
  std::vector<float> got(static_cast<size_t>(n));
  dequantize(GetParam(), bytes.data(), n, expected.data());
  unpack_function(GetParam(), cpu_level())(bytes.data(), n, got.data());
  for (size_t i = 0; i < got.size(); ++i) {  // a NaN's payload is nobody's business
    if (std::isnan(expected[i]) && std::isnan(got[i])) got[i] = expected[i] = 0;
  }
  EXPECT_TRUE(same_bits(got, expected));
}

std::vector<DType> weight_dtypes() {
  std::vector<DType> dtypes;
  for (const DTypeTraits& t : all_dtypes()) {
    if (t.is_weight) dtypes.push_back(t.dtype);
  }
  return dtypes;
}

INSTANTIATE_TEST_SUITE_P(AllFormats, Unpack, testing::ValuesIn(weight_dtypes()),
                         [](const auto& tested) { return std::string(traits(tested.param).name); });

TEST(Unpack, ShortRowsOfFloats) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (int64_t n = 0; n < 20; ++n) {
      const RandomWeight weight(dtype, {20}, 3);
      std::vector<float> expected(20, -7);
      std::vector<float> got(20, -7);
      dequantize(dtype, weight.tensor().bytes.data(), n, expected.data());
      unpack_function(dtype, cpu_level())(weight.tensor().bytes.data(), n, got.data());
      EXPECT_TRUE(same_bits(got, expected)) << n;
    }
  }
}

}  // namespace
}  // namespace glint::cpu_test
