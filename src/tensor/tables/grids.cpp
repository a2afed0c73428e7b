// SPDX-License-Identifier: Apache-2.0
//
// Expands the committed codes of each grid (grid_codes.inc, written by tools/make_quant_tables.py) into rows of bytes,
// at compile time. A code has one level number per element, element 0 lowest.
// Tested by tests/unit/tensor/dequantize_test.cpp.
#include "tensor/tables/grids.h"

#include <bit>
#include <cstddef>

namespace glint::tables {

namespace {

#include "tensor/tables/grid_codes.inc"

// One row of `elements` bytes per code.
template <class Row, size_t kRows, size_t kLevels>
constexpr std::array<Row, kRows> expand(const std::array<uint16_t, kRows>& codes,
                                        const std::array<int8_t, kLevels>& levels) {
  constexpr unsigned kBits = std::bit_width(kLevels - 1);
  std::array<Row, kRows> rows{};
  for (size_t r = 0; r < kRows; ++r) {
    for (unsigned j = 0; j < sizeof(Row); ++j) {
      const auto level = static_cast<uint8_t>(levels[(codes[r] >> (kBits * j)) % (1u << kBits)]);
      rows[r] |= static_cast<Row>(level) << (8 * j);
    }
  }
  return rows;
}

constexpr std::array<int8_t, 3> kIq1Levels{-1, 0, 1};
constexpr std::array<int8_t, 3> kIq2Levels{8, 25, 43};
constexpr std::array<int8_t, 8> kIq3XxsLevels{4, 12, 20, 28, 36, 44, 52, 62};
constexpr std::array<int8_t, 8> kIq3SLevels{1, 3, 5, 7, 9, 11, 13, 15};

constexpr std::array<uint8_t, 128> even_signs() {
  std::array<uint8_t, 128> signs{};
  for (unsigned i = 0; i < 128; ++i) signs[i] = static_cast<uint8_t>(i | (std::popcount(i) % 2 << 7));
  return signs;
}

}  // namespace

constinit const std::array<uint64_t, 2048> kIq1Grid = expand<uint64_t>(kIq1Codes, kIq1Levels);
constinit const std::array<uint64_t, 256> kIq2XxsGrid = expand<uint64_t>(kIq2XxsCodes, kIq2Levels);
constinit const std::array<uint64_t, 512> kIq2XsGrid = expand<uint64_t>(kIq2XsCodes, kIq2Levels);
constinit const std::array<uint64_t, 1024> kIq2SGrid = expand<uint64_t>(kIq2SCodes, kIq2Levels);
constinit const std::array<uint32_t, 256> kIq3XxsGrid = expand<uint32_t>(kIq3XxsCodes, kIq3XxsLevels);
constinit const std::array<uint32_t, 512> kIq3SGrid = expand<uint32_t>(kIq3SCodes, kIq3SLevels);
constinit const std::array<uint8_t, 128> kEvenSigns = even_signs();

}  // namespace glint::tables
