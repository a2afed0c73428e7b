// SPDX-License-Identifier: Apache-2.0
//
// dequantize() against the floats that the published reference computes (tests/data/quant/vectors.bin, written by
// tools/make_quant_vectors.py) to the last bit, a block of a real file, and what no bytes may do to it.
#include "tensor/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "base/check.h"
#include "tensor/blocks.h"
#include "tensor/tables/grids.h"

namespace glint {
namespace {

struct Vector {
  std::vector<unsigned char> blocks;
  std::vector<float> expected;
};

std::map<DType, Vector> read_vectors() {
  std::ifstream file(GLINT_TEST_DATA "/quant/vectors.bin", std::ios::binary);
  std::map<DType, Vector> vectors;
  uint32_t header[2];  // type id, n_blocks
  while (file.read(reinterpret_cast<char*>(header), sizeof header)) {
    const DType dtype = dtype_from_id(header[0]).value();
    Vector& v = vectors[dtype];
    v.blocks.resize(header[1] * static_cast<size_t>(traits(dtype).block_bytes));
    v.expected.resize(header[1] * static_cast<size_t>(traits(dtype).block_elements));
    file.read(reinterpret_cast<char*>(v.blocks.data()), static_cast<std::streamsize>(v.blocks.size()));
    file.read(reinterpret_cast<char*>(v.expected.data()),
              static_cast<std::streamsize>(v.expected.size() * sizeof(float)));
    EXPECT_TRUE(file.good()) << traits(dtype).name;
  }
  return vectors;
}

std::vector<DType> weight_formats() {
  std::vector<DType> formats;
  for (const DTypeTraits& t : all_dtypes())
    if (t.is_weight) formats.push_back(t.dtype);
  return formats;
}

TEST(Dequantize, EqualsReferenceToTheLastBit) {
  const std::map<DType, Vector> vectors = read_vectors();
  EXPECT_EQ(vectors.size(), weight_formats().size() - 3);  // all but the float formats
  for (const auto& [dtype, v] : vectors) {
    std::vector<float> out(v.expected.size());
    dequantize(dtype, v.blocks.data(), static_cast<int64_t>(out.size()), out.data());
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(v.expected[i]))
          << traits(dtype).name << " element " << i << ": " << out[i] << ", expected " << v.expected[i];
    }
  }
}

// Block 0 of a tensor of a published GLM-4.7-Flash file.
TEST(Dequantize, Mxfp4BlockOfARealFile) {
  const unsigned char block[17] = {0x7a, 0x29, 0xab, 0x61, 0x10, 0x21, 0x02, 0x4a, 0x15,
                                   0xca, 0x05, 0x01, 0x9b, 0x39, 0x0b, 0x0b, 0x1c};
  const float expected[32] = {-.015625f, -.046875f, .015625f, 0,         .015625f,  .03125f,   -.03125f,  .09375f,
                              -.03125f,  .09375f,   .015625f, -.046875f, -.015625f, -.046875f, -.046875f, -.0625f,
                              .03125f,   -.03125f,  .125f,    .015625f,  .03125f,   0,         .0625f,    .015625f,
                              -.0625f,   0,         0,        -.015625f, .046875f,  0,         0,         .015625f};
  float out[32];
  dequantize(DType::kMXFP4, block, 32, out);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], expected[i]) << i;
}

TEST(Dequantize, FloatFormatsKeepEveryValue) {
  const float f32[3] = {1.5f, -0.0f, 3e38f};
  const uint16_t f16[3] = {0x3e00, 0x8000, 0x7bff};
  const uint16_t bf16[3] = {0x3fc0, 0x8000, 0x7f7f};
  float out[3];
  dequantize(DType::kF32, f32, 3, out);
  EXPECT_EQ(std::memcmp(out, f32, sizeof out), 0);
  dequantize(DType::kF16, f16, 3, out);
  EXPECT_EQ(out[0], 1.5f);
  EXPECT_TRUE(out[1] == 0 && std::signbit(out[1]));
  EXPECT_EQ(out[2], 65504.f);
  dequantize(DType::kBF16, bf16, 3, out);
  EXPECT_EQ(out[0], 1.5f);
  EXPECT_TRUE(out[1] == 0 && std::signbit(out[1]));
  EXPECT_EQ(out[2], 0x1.fep127f);
}

// Rows of any bytes, infinite and NaN scales among them, from an odd address: no fault, and nothing written outside.
TEST(Dequantize, AnyBytesAreSafe) {
  std::mt19937 random(7);
  for (DType dtype : weight_formats()) {
    const DTypeTraits& t = traits(dtype);
    for (int fill : {-1, 0x00, 0xff, 0x7c, 0xfc}) {
      const int n_blocks = 40;
      std::vector<unsigned char> bytes(static_cast<size_t>(n_blocks * t.block_bytes + 1));
      for (unsigned char& b : bytes) b = static_cast<unsigned char>(fill < 0 ? random() : static_cast<unsigned>(fill));
      const auto elements = static_cast<size_t>(n_blocks * t.block_elements);
      std::vector<float> out(elements + 2, 12345.f);
      dequantize(dtype, bytes.data() + 1, static_cast<int64_t>(elements), out.data() + 1);
      EXPECT_EQ(out.front(), 12345.f) << t.name;
      EXPECT_EQ(out.back(), 12345.f) << t.name;
    }
  }
}

TEST(Dequantize, NonFiniteScalesGiveNonFiniteValues) {
  BlockQ8_0 block{};
  block.d = 0x7c00;
  for (int8_t& q : block.q) q = 1;
  block.q[0] = 0;
  float out[32];
  dequantize(DType::kQ8_0, &block, 32, out);
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_EQ(out[1], std::numeric_limits<float>::infinity());
}

TEST(Dequantize, RefusesFormatsWithoutWeightsAndPartialBlocks) {
  float out[64];
  const unsigned char bytes[256] = {};
  EXPECT_THROW(dequantize(DType::kI32, bytes, 32, out), InternalError);
  EXPECT_THROW(dequantize(DType::kQ8_0, bytes, 33, out), InternalError);
  EXPECT_THROW(dequantize(DType::kQ8_0, bytes, -32, out), InternalError);
  EXPECT_NO_THROW(dequantize(DType::kQ8_0, bytes, 0, out));
}

// FNV-1a over a table's bytes, element by element.
template <class Table>
uint64_t checksum(const Table& table) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (auto row : table) {
    for (unsigned j = 0; j < sizeof row; ++j) hash = (hash ^ ((row >> (8 * j)) & 255)) * 0x100000001b3u;
  }
  return hash;
}

// The vectors touch a part of each codebook; these sums, computed from the grids of the gguf package, cover every row.
TEST(Grids, EveryRowIsThePublishedOne) {
  EXPECT_EQ(checksum(tables::kIq1Grid), 0x6703ed863501ae2eu);
  EXPECT_EQ(checksum(tables::kIq2XxsGrid), 0xbb4ee025b5ac6e8eu);
  EXPECT_EQ(checksum(tables::kIq2XsGrid), 0xc9b1ee61e79909bdu);
  EXPECT_EQ(checksum(tables::kIq2SGrid), 0x123edd38a3b62b90u);
  EXPECT_EQ(checksum(tables::kIq3XxsGrid), 0xdfa5dc83d6a155d5u);
  EXPECT_EQ(checksum(tables::kIq3SGrid), 0xfa37020c25b44829u);
}

TEST(Blocks, SizesAgreeWithTheTraits) {
  EXPECT_EQ(traits(DType::kQ4_K).block_bytes, static_cast<int>(sizeof(BlockQ4_K)));
  EXPECT_EQ(traits(DType::kQ4_K).block_elements, BlockQ4_K::kElements);
  EXPECT_EQ(traits(DType::kMXFP4).block_bytes, static_cast<int>(sizeof(BlockMXFP4)));
  EXPECT_EQ(traits(DType::kIQ1_M).block_bytes, static_cast<int>(sizeof(BlockIQ1_M)));
  EXPECT_EQ(traits(DType::kTQ1_0).block_bytes, static_cast<int>(sizeof(BlockTQ1_0)));
}

}  // namespace
}  // namespace glint
