// SPDX-License-Identifier: Apache-2.0
//
// The traits table of GGUF's number formats. Knows block geometry only; what the bytes mean is dequantize.cpp's.
// Tested by tests/unit/tensor/dtype_test.cpp.
#include "tensor/dtype.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace glint {

namespace {

constexpr auto kTable = std::to_array<DTypeTraits>({
    {DType::kF32, "F32", 1, 4, true},
    {DType::kF16, "F16", 1, 2, true},
    {DType::kQ4_0, "Q4_0", 32, 18, true},
    {DType::kQ4_1, "Q4_1", 32, 20, true},
    {DType::kQ5_0, "Q5_0", 32, 22, true},
    {DType::kQ5_1, "Q5_1", 32, 24, true},
    {DType::kQ8_0, "Q8_0", 32, 34, true},
    {DType::kQ2_K, "Q2_K", 256, 84, true},
    {DType::kQ3_K, "Q3_K", 256, 110, true},
    {DType::kQ4_K, "Q4_K", 256, 144, true},
    {DType::kQ5_K, "Q5_K", 256, 176, true},
    {DType::kQ6_K, "Q6_K", 256, 210, true},
    {DType::kIQ2_XXS, "IQ2_XXS", 256, 66, true},
    {DType::kIQ2_XS, "IQ2_XS", 256, 74, true},
    {DType::kIQ3_XXS, "IQ3_XXS", 256, 98, true},
    {DType::kIQ1_S, "IQ1_S", 256, 50, true},
    {DType::kIQ4_NL, "IQ4_NL", 32, 18, true},
    {DType::kIQ3_S, "IQ3_S", 256, 110, true},
    {DType::kIQ2_S, "IQ2_S", 256, 82, true},
    {DType::kIQ4_XS, "IQ4_XS", 256, 136, true},
    {DType::kI8, "I8", 1, 1, false},
    {DType::kI16, "I16", 1, 2, false},
    {DType::kI32, "I32", 1, 4, false},
    {DType::kI64, "I64", 1, 8, false},
    {DType::kF64, "F64", 1, 8, false},
    {DType::kIQ1_M, "IQ1_M", 256, 56, true},
    {DType::kBF16, "BF16", 1, 2, true},
    {DType::kTQ1_0, "TQ1_0", 256, 54, true},
    {DType::kTQ2_0, "TQ2_0", 256, 66, true},
    {DType::kMXFP4, "MXFP4", 32, 17, true},
});

constexpr size_t kIds = static_cast<size_t>(kTable.back().dtype) + 1;
constexpr uint8_t kNoRow = 255;

// Row of each id, so that traits() is one load: it is called per row of every tensor.
constexpr auto kRowOfId = [] {
  std::array<uint8_t, kIds> rows{};
  rows.fill(kNoRow);
  for (size_t row = 0; row < kTable.size(); ++row)
    rows[static_cast<size_t>(kTable[row].dtype)] = static_cast<uint8_t>(row);
  return rows;
}();

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

const DTypeTraits& traits(DType dtype) {
  const auto id = static_cast<size_t>(dtype);
  GLINT_CHECK(id < kIds && kRowOfId[id] != kNoRow);
  return kTable[kRowOfId[id]];
}

std::span<const DTypeTraits> all_dtypes() {
  return kTable;
}

std::optional<DType> dtype_from_id(uint32_t id) {
  if (id >= kIds || kRowOfId[id] == kNoRow) return std::nullopt;
  return static_cast<DType>(id);
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeTraits& row : kTable) {
    if (std::ranges::equal(row.name, name, {}, lower, lower)) return row.dtype;
  }
  return std::nullopt;
}

}  // namespace glint
