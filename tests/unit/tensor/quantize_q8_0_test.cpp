// SPDX-License-Identifier: Apache-2.0
//
// Rounding to Q8_0 blocks, byte for byte.
#include "tensor/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "tensor/dequantize.h"

namespace glint {
namespace {

struct Block {
  float scale;
  std::vector<int> values;
};

std::vector<Block> quantized(const std::vector<float>& x) {
  std::vector<uint8_t> bytes(x.size() / 32 * 34 + 1);
  uint8_t* unaligned = bytes.data() + 1;
  quantize_q8_0(x.data(), static_cast<int64_t>(x.size()), unaligned);
  std::vector<Block> blocks;
  for (size_t b = 0; b < x.size() / 32; ++b) {
    uint16_t bits;
    std::memcpy(&bits, unaligned + 34 * b, 2);
    Block block{f16_to_f32(bits), {}};
    for (size_t i = 0; i < 32; ++i) block.values.push_back(static_cast<int8_t>(unaligned[34 * b + 2 + i]));
    blocks.push_back(block);
  }
  return blocks;
}

std::vector<float> block_of(std::vector<float> first) {
  first.resize(32);
  return first;
}

TEST(QuantizeQ8_0, TheLargestBecomes127AndHalvesGoAwayFromZero) {
  const Block block = quantized(block_of({-254, 1, -1, 0.99f, 2.98f, 3, 253}))[0];
  EXPECT_EQ(block.scale, 2);
  EXPECT_EQ((std::vector<int>{block.values.begin(), block.values.begin() + 8}),
            (std::vector<int>{-127, 1, -1, 0, 1, 2, 127, 0}));
}

TEST(QuantizeQ8_0, ZerosHaveScaleZero) {
  const Block block = quantized(block_of({}))[0];
  EXPECT_EQ(block.scale, 0);
  EXPECT_THAT(block.values, testing::Each(0));
}

/// The reciprocal is that of the f32 scale, not of the f16 one that is stored, which is smaller by 6e-5 and would make
/// the second value 100.503.
TEST(QuantizeQ8_0, ValuesComeFromTheUnroundedScale) {
  const float largest = 1.0f;
  const float scale = largest / 127;
  ASSERT_NE(f16_to_f32(f32_to_f16(scale)), scale);
  const Block block = quantized(block_of({largest, 100.497f / 127, 100.503f / 127}))[0];
  EXPECT_EQ(block.scale, f16_to_f32(f32_to_f16(scale)));
  EXPECT_EQ((std::vector<int>{block.values.begin(), block.values.begin() + 3}), (std::vector<int>{127, 100, 101}));
}

TEST(QuantizeQ8_0, BlocksAreIndependent) {
  std::vector<float> x(96);
  x[0] = 127;
  x[40] = -1270;
  x[41] = 10;
  const auto blocks = quantized(x);
  EXPECT_EQ(blocks[0].scale, 1);
  EXPECT_EQ(blocks[1].scale, 10);
  EXPECT_EQ(blocks[1].values[8], -127);
  EXPECT_EQ(blocks[1].values[9], 1);
  EXPECT_EQ(blocks[2].scale, 0);
}

TEST(QuantizeQ8_0, WhatIsReadBackIsWithinHalfAStep) {
  std::vector<float> x;
  for (int i = 0; i < 320; ++i)
    x.push_back(std::sin(static_cast<float>(i * i)) * std::exp2(static_cast<float>(i / 32 - 5)));
  std::vector<uint8_t> bytes(x.size() / 32 * 34);
  quantize_q8_0(x.data(), static_cast<int64_t>(x.size()), bytes.data());
  std::vector<float> back(x.size());
  dequantize(DType::kQ8_0, bytes.data(), static_cast<int64_t>(x.size()), back.data());
  for (size_t i = 0; i < x.size(); ++i) {
    float largest = 0;
    for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) largest = std::max(largest, std::fabs(x[j]));
    // Half a step, and the f16 rounding of the scale (2^-11) on up to the largest value.
    EXPECT_LE(std::fabs(back[i] - x[i]), largest * (0.5f / 127 * 1.0001f + 0x1p-11f)) << i;
  }
}

/// Nothing undefined, whatever comes in: activations of a broken model end up here.
TEST(QuantizeQ8_0, NotNumbersDoNoHarm) {
  for (const float bad : {NAN, INFINITY, -INFINITY, 3e38f, 1e-45f}) {
    const Block block = quantized(block_of({bad, 1, -1}))[0];
    for (int v : block.values) EXPECT_TRUE(v >= -127 && v <= 127);
  }
}

}  // namespace
}  // namespace glint
