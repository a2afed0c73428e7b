// SPDX-License-Identifier: Apache-2.0
//
// Random tensor data: the same bytes for any threads and ranges, values of the wanted size in every format.
#include "gguf/synth/random_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"

namespace glint::gguf {
namespace {

std::vector<std::byte> make(RandomWeights weights, std::vector<size_t> cuts = {}) {
  const Writer::Fill fill = random_weights(weights);
  std::vector<std::byte> bytes(weights.n_bytes);
  cuts.push_back(bytes.size());
  size_t begin = 0;
  for (size_t end : cuts) {
    fill(begin, std::span(bytes).subspan(begin, end - begin));
    begin = end;
  }
  return bytes;
}

RandomWeights weights_of(DType dtype, int64_t blocks) {
  return {.dtype = dtype, .n_bytes = static_cast<uint64_t>(blocks * traits(dtype).block_bytes), .deviation = 0.02f};
}

TEST(RandomWeights, ThreadsAndRangesChangeNoByte) {
  for (const DTypeTraits& format : all_dtypes()) {
    if (!format.is_weight) continue;
    RandomWeights weights = weights_of(format.dtype, 400000 / format.block_bytes);
    const auto expected = make(weights);
    weights.threads = 3;
    EXPECT_EQ(make(weights), expected) << format.name;
    EXPECT_EQ(make(weights, {1, 65536, 65537, 200001, 399000}), expected) << format.name;
    weights.seed = 1;
    EXPECT_NE(make(weights), expected) << format.name;
  }
}

TEST(RandomWeights, FloatsHaveTheMeanAndDeviationAskedFor) {
  constexpr int64_t kCount = 100000;
  RandomWeights weights = weights_of(DType::kF32, kCount);
  weights.mean = 0.5f;
  const auto bytes = make(weights);
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    float value = 0;
    std::memcpy(&value, &bytes[static_cast<size_t>(i) * 4], 4);
    sum += value;
    squares += (value - 0.5) * (value - 0.5);
  }
  // Standard errors: 0.02 / sqrt(n) = 6e-5 of the mean, 0.02 / sqrt(2n) = 4.5e-5 of the deviation; six of them allowed.
  EXPECT_NEAR(sum / kCount, 0.5, 4e-4);
  EXPECT_NEAR(std::sqrt(squares / kCount), 0.02, 3e-4);
}

TEST(RandomWeights, AConstantIsExact) {
  RandomWeights weights = weights_of(DType::kF32, 100);
  weights.deviation = 0;
  weights.mean = 1;
  const auto bytes = make(weights);
  for (size_t i = 0; i < bytes.size(); i += 4) {
    float value = 0;
    std::memcpy(&value, &bytes[i], 4);
    EXPECT_EQ(value, 1.0f);
  }
}

}  // namespace
}  // namespace glint::gguf
