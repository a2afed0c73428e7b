// SPDX-License-Identifier: Apache-2.0
//
// The constant tables that block formats refer to: codebook rows, sign bytes and non-linear levels. Format data, not
// choices of ours. Read by tensor/quant_*.cpp and cpu/unpack_*.cpp.
// Tested by tests/unit/tensor/dequantize_test.cpp through every format that uses them.
#pragma once

#include <array>
#include <cstdint>

namespace glint::tables {

/// Eight unsigned magnitudes (8, 25 or 43) a row, element 0 in the lowest byte.
extern const std::array<uint64_t, 256> kIq2XxsGrid;
extern const std::array<uint64_t, 512> kIq2XsGrid;
extern const std::array<uint64_t, 1024> kIq2SGrid;
/// Four unsigned magnitudes a row.
extern const std::array<uint32_t, 256> kIq3XxsGrid;
extern const std::array<uint32_t, 512> kIq3SGrid;
/// Eight signed values (-1, 0 or 1) a row.
extern const std::array<uint64_t, 2048> kIq1Grid;

/// Sign byte of a seven-bit sign index: bit 7 is the parity of the others.
extern const std::array<uint8_t, 128> kEvenSigns;

/// Levels of IQ4_NL and IQ4_XS.
inline constexpr std::array<int8_t, 16> kIq4Values{-127, -104, -83, -65, -49, -35, -22, -10,
                                                   1,    13,   25,  38,  53,  69,  89,  113};
/// Twice the E2M1 values of MXFP4; the sign is bit 3, and negative zero counts as zero.
inline constexpr std::array<int8_t, 16> kMxfp4Values{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace glint::tables
