// SPDX-License-Identifier: Apache-2.0
//
// The traits table: ids, names and block geometry of every GGUF number format.
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/check.h"

namespace glint {
namespace {

TEST(DType, TableIsAscendingAndEachIdFindsItsRow) {
  int previous = -1;
  for (const DTypeTraits& row : all_dtypes()) {
    const int id = static_cast<int>(row.dtype);
    EXPECT_GT(id, previous);
    previous = id;
    EXPECT_EQ(&traits(row.dtype), &row);
    EXPECT_EQ(dtype_from_id(static_cast<uint32_t>(id)), row.dtype);
  }
  EXPECT_EQ(all_dtypes().size(), 30u);
}

TEST(DType, RemovedReservedAndUnknownIdsAreNothing) {
  for (uint32_t id : {4u, 5u, 9u, 15u, 31u, 32u, 33u, 36u, 37u, 38u, 40u, 255u, 256u, 0xffffffffu}) {
    EXPECT_EQ(dtype_from_id(id), std::nullopt) << id;
  }
}

TEST(DType, AValueOutsideTheEnumIsABrokenInvariant) {
  EXPECT_THROW(traits(static_cast<DType>(4)), InternalError);
  EXPECT_THROW(traits(static_cast<DType>(200)), InternalError);
}

TEST(DType, NamesAreFoundInAnyCase) {
  EXPECT_EQ(dtype_from_name("q4_k"), DType::kQ4_K);
  EXPECT_EQ(dtype_from_name("Q4_K"), DType::kQ4_K);
  EXPECT_EQ(dtype_from_name("mxfp4"), DType::kMXFP4);
  EXPECT_EQ(dtype_from_name("q4"), std::nullopt);
  EXPECT_EQ(dtype_from_name(""), std::nullopt);
  EXPECT_EQ(dtype_from_name("q4_k "), std::nullopt);
}

TEST(DType, BlockBytesFollowFromTheFieldsOfABlock) {
  // Sums of the published block layouts: scales, then high bits, then low bits.
  const std::map<std::string, int> bytes = {{"Q4_0", 2 + 16},
                                            {"Q4_1", 2 + 2 + 16},
                                            {"Q5_0", 2 + 4 + 16},
                                            {"Q5_1", 2 + 2 + 4 + 16},
                                            {"Q8_0", 2 + 32},
                                            {"Q2_K", 16 + 64 + 4},
                                            {"Q3_K", 32 + 64 + 12 + 2},
                                            {"Q4_K", 4 + 12 + 128},
                                            {"Q5_K", 4 + 12 + 32 + 128},
                                            {"Q6_K", 128 + 64 + 16 + 2},
                                            {"IQ2_XXS", 2 + 64},
                                            {"IQ2_XS", 2 + 64 + 8},
                                            {"IQ2_S", 2 + 64 + 8 + 8},
                                            {"IQ3_XXS", 2 + 96},
                                            {"IQ3_S", 2 + 64 + 8 + 32 + 4},
                                            {"IQ1_S", 2 + 32 + 16},
                                            {"IQ1_M", 32 + 16 + 8},
                                            {"IQ4_NL", 2 + 16},
                                            {"IQ4_XS", 2 + 2 + 4 + 128},
                                            {"TQ1_0", 48 + 4 + 2},
                                            {"TQ2_0", 64 + 2},
                                            {"MXFP4", 1 + 16}};
  for (const auto& [name, size] : bytes) {
    const auto dtype = dtype_from_name(name);
    ASSERT_TRUE(dtype) << name;
    EXPECT_EQ(traits(*dtype).block_bytes, size) << name;
    EXPECT_TRUE(traits(*dtype).is_weight) << name;
    EXPECT_EQ(traits(*dtype).block_elements, name.find("_K") != std::string::npos || name.substr(0, 2) == "TQ" ||
                                                     (name.substr(0, 2) == "IQ" && name != "IQ4_NL")
                                                 ? 256
                                                 : 32)
        << name;
  }
}

TEST(DType, RowBytes) {
  EXPECT_EQ(row_bytes(DType::kF32, 7), 28);
  EXPECT_EQ(row_bytes(DType::kQ4_K, 2048), 8 * 144);
  EXPECT_EQ(row_bytes(DType::kQ8_0, 192), 6 * 34);
  EXPECT_EQ(row_bytes(DType::kQ8_0, 0), 0);
}

TEST(DType, IntegersAndDoublesAreNoWeights) {
  for (DType dtype : {DType::kI8, DType::kI16, DType::kI32, DType::kI64, DType::kF64})
    EXPECT_FALSE(traits(dtype).is_weight);
}

}  // namespace
}  // namespace glint
