// SPDX-License-Identifier: Apache-2.0
//
// Cutting one tensor into several weights, on numbers small enough to write down.
#include "model/row_slice.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/check.h"
#include "tensor/dequantize.h"
#include "tensor/quantize.h"

namespace glint {
namespace {

HostTensor matrix_of(const std::vector<float>& values, int64_t rows, int64_t width) {
  return {"joint", DType::kF32, {rows, width}, std::as_bytes(std::span(values))};
}

std::vector<float> floats(const std::vector<std::byte>& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Two heads of three rows of two.
const std::vector<float> kValues = {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16};

TEST(RowSlice, AViewIsTheSameMemory) {
  const HostTensor whole = matrix_of(kValues, 6, 2);
  const HostTensor part = view_rows(whole, {.first = 2, .count = 3});
  EXPECT_EQ(part.dims, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(part.bytes.data(), whole.bytes.data() + 4 * sizeof(float));
  EXPECT_EQ(part.bytes.size(), 6 * sizeof(float));
  EXPECT_EQ(view_rows(whole, {}).dims, whole.dims);
  EXPECT_THROW(view_rows(whole, {.first = 4, .count = 3}), InternalError);
}

TEST(RowSlice, RowsOfEveryHead) {
  const HostTensor whole = matrix_of(kValues, 6, 2);
  const RowSlice slice{.first = 1, .count = 2, .n_heads = 2};
  EXPECT_EQ(sliced_shape(whole, slice).dims, (std::vector<int64_t>{2, 2, 2}));
  EXPECT_EQ(floats(copy_rows(whole, slice)), (std::vector<float>{3, 4, 5, 6, 13, 14, 15, 16}));
  EXPECT_THROW(sliced_shape(whole, {.first = 2, .count = 2, .n_heads = 2}), InternalError);
}

TEST(RowSlice, TransposedHeads) {
  const HostTensor whole = matrix_of(kValues, 6, 2);
  const RowSlice slice{.first = 0, .count = 2, .n_heads = 2, .transposed = true};
  EXPECT_EQ(sliced_shape(whole, slice).dims, (std::vector<int64_t>{2, 2, 2}));
  EXPECT_EQ(floats(copy_rows(whole, slice)), (std::vector<float>{1, 3, 2, 4, 11, 13, 12, 14}));
}

TEST(RowSlice, TransposingKeepsHalvesAndUnpacksBlocks) {
  const std::vector<uint16_t> halves = {1, 2, 3, 4, 5, 6};
  const HostTensor half{"joint", DType::kF16, {3, 2}, std::as_bytes(std::span(halves))};
  const std::vector<std::byte> turned = copy_rows(half, {.first = 0, .count = 3, .transposed = true});
  std::vector<uint16_t> got(turned.size() / 2);
  std::memcpy(got.data(), turned.data(), turned.size());
  EXPECT_EQ(got, (std::vector<uint16_t>{1, 3, 5, 2, 4, 6}));

  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.01f * static_cast<float>(i * i);
  std::vector<std::byte> blocks(static_cast<size_t>(row_bytes(DType::kQ8_0, 64)));
  quantize_q8_0(values.data(), 64, blocks.data());
  dequantize(DType::kQ8_0, blocks.data(), 64, values.data());
  const HostTensor packed{"joint", DType::kQ8_0, {2, 32}, blocks};
  const RowSlice slice{.first = 0, .count = 2, .transposed = true};
  EXPECT_EQ(sliced_shape(packed, slice).dtype, DType::kF32);
  const std::vector<float> unpacked = floats(copy_rows(packed, slice));
  for (size_t r = 0; r < 32; ++r) {
    EXPECT_EQ(unpacked[2 * r], values[r]);
    EXPECT_EQ(unpacked[2 * r + 1], values[32 + r]);
  }
}

}  // namespace
}  // namespace glint
