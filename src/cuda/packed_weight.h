// SPDX-License-Identifier: Apache-2.0
//
// How a weight matrix lies in GPU memory: the order in which mma.m16n8k16 wants its A operand, so that one 16-byte load
// a lane brings the weights of several multiplications and nothing is shuffled. The bits a weight takes stay those of
// the file (scales of the K formats grow from 6 to 8 bits: Q4_K 4.5 -> 4.625 bits a weight).
//
// A matrix [n_out, n_in] is cut into tiles of 16 rows x 256 columns, row of tiles after row of tiles, padded with
// zeros. A tile is:   low bits | high bits | scales of row 0 .. scales of row 15 | (d, r) of row 0 .. 15
// Low bits:
// four quarters of 64 columns; in a quarter, for each lane, for each of four steps of 16 columns, its 8 weights. Lane l
// has rows l/4 (registers 0 and 2) and l/4 + 8 (1 and 3), columns 2(l%4) + {0, 1} (0 and 1) and those + 8 (2 and 3).
//   4 bits: one word a step; register r in nibbles r (even column) and r + 4 (odd column)
//   8 bits: two words a step, value + 128, in the order of registers
//   16 bits: four words a step: the registers
// High bits, of a quarter and lane:
//   5-bit formats: one word; step j, register r: bit 4j + r (even column) and 4j + r + 16 (odd)
//   6-bit format: two words, for two steps each; two bits at 2p and 2p + 16, p = 4(j%2) + r
// Scales of a row:
//   kInt4Super, kInt5Super (Q4_K, Q5_K): 8 pairs of bytes (s, m), and (d, r = -2^-14 dmin / d) as two f16:
//                                                                               w = d (s q + 2^14 r m) = d s q - dmin m
//   kInt4, kInt5 (Q4_0, Q4_1, Q5_0, Q5_1): 8 pairs of f16 (d, m):                             w = d q + m
//   kInt6 (Q6_K): 16 bytes s + 128, and (d, 0) as two f16:                                    w = d s (q - 32)
//   kInt8 (Q8_0): 8 f16 d:                                                                    w = d q
//   kHalf (F16; BF16 and the rarer formats, rounded to f16): none
// F32 matrices are not packed: they stay rows of f32.
// Written by pack.cu; read by device/packed.cuh. Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include <cstdint>

#include "backend/params.h"

namespace glint::cuda {

enum class PackedFormat { kInt4Super, kInt5Super, kInt4, kInt5, kInt6, kInt8, kHalf };

inline constexpr int kTileRows = 16;
inline constexpr int kTileColumns = 256;

/// Sizes of the parts of a tile, in bytes.
struct TileLayout {
  int low_quarter;   // a quarter of the low bits
  int high_quarter;  // a quarter of the high bits
  int row_scales;    // scales of one row
  int row_super;     // (d, r) of one row
  constexpr int high_at() const { return 4 * low_quarter; }
  constexpr int scales_at() const { return high_at() + 4 * high_quarter; }
  constexpr int super_at() const { return scales_at() + kTileRows * row_scales; }
  constexpr int bytes() const { return super_at() + kTileRows * row_super; }
};

constexpr TileLayout tile_layout(PackedFormat format) {
  switch (format) {
    case PackedFormat::kInt4Super:
      return {512, 0, 16, 4};
    case PackedFormat::kInt5Super:
      return {512, 128, 16, 4};
    case PackedFormat::kInt4:
      return {512, 0, 32, 0};
    case PackedFormat::kInt5:
      return {512, 128, 32, 0};
    case PackedFormat::kInt6:
      return {512, 256, 16, 4};
    case PackedFormat::kInt8:
      return {1024, 0, 16, 0};
    case PackedFormat::kHalf:
      break;
  }
  return {2048, 0, 0, 0};
}

/// What a file's format becomes. PRECOND: not kF32.
constexpr PackedFormat packed_format(DType dtype) {
  switch (dtype) {
    case DType::kQ4_K:
      return PackedFormat::kInt4Super;
    case DType::kQ5_K:
      return PackedFormat::kInt5Super;
    case DType::kQ4_0:
    case DType::kQ4_1:
      return PackedFormat::kInt4;
    case DType::kQ5_0:
    case DType::kQ5_1:
      return PackedFormat::kInt5;
    case DType::kQ6_K:
      return PackedFormat::kInt6;
    case DType::kQ8_0:
      return PackedFormat::kInt8;
    default:
      return PackedFormat::kHalf;
  }
}

/// `count` stacked packed matrices.
struct PackedMatrix {
  const uint8_t* tiles = nullptr;
  PackedFormat format = PackedFormat::kHalf;
  int n_out = 0;
  int n_in = 0;
  int n_row_tiles = 0;
  int n_blocks = 0;  // tiles side by side

  PackedMatrix() = default;
  PackedMatrix(const void* data, DType dtype, int n_out_, int n_in_)
      : tiles(static_cast<const uint8_t*>(data)),
        format(packed_format(dtype)),
        n_out(n_out_),
        n_in(n_in_),
        n_row_tiles((n_out_ + kTileRows - 1) / kTileRows),
        n_blocks((n_in_ + kTileColumns - 1) / kTileColumns) {}
  explicit PackedMatrix(const Weight& w) : PackedMatrix(w.data, w.dtype, w.n_out, w.n_in) {}
  /// Bytes of one of the stacked matrices.
  int64_t bytes() const { return static_cast<int64_t>(n_row_tiles) * n_blocks * tile_layout(format).bytes(); }
};

constexpr bool same_shape(const PackedMatrix& a, const PackedMatrix& b) {
  return a.format == b.format && a.n_out == b.n_out && a.n_in == b.n_in;
}

}  // namespace glint::cuda
