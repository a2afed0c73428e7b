// SPDX-License-Identifier: Apache-2.0
//
// The quantised blocks of GGUF files as packed structs, each layout told once. A row of a tensor is an array of these.
// Readers: tensor/quant_*.cpp (scalar truth), tensor/quantize*.cpp, cpu/unpack_*.cpp. Files align blocks to nothing, so
// copy a block out (load_block) or read it with unaligned loads; never dereference a pointer into a file.
//
// Common to all: little-endian; 16-bit scales are IEEE halves unless said otherwise; q is a stored integer and x the
// value it stands for; "nibble-split" means that byte i holds element i in its low four bits and element i + n in its
// high four, n being the count of bytes.
//
// Every product below is exact in f32 (an 11-bit scale times integers of at most 13 bits together), so a value is
// rounded at most once, where a minimum is subtracted or added. Order of evaluation and fused multiply-add therefore
// cannot change a result.
// Tested by tests/unit/tensor/dequantize_test.cpp.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace glint {

static_assert(std::endian::native == std::endian::little, "blocks are read as they lie in the file");

/// Copies the block at `source`, which needs no alignment.
template <class Block>
Block load_block(const void* source) {
  Block block;
  std::memcpy(&block, source, sizeof(Block));
  return block;
}

// ---- blocks of 32 with one scale ----

/// x = d (q - 8); q nibble-split.
struct BlockQ4_0 {
  static constexpr int kElements = 32;
  uint16_t d;
  uint8_t q[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

/// x = d q + m; q nibble-split.
struct BlockQ4_1 {
  static constexpr int kElements = 32;
  uint16_t d, m;
  uint8_t q[16];
};
static_assert(sizeof(BlockQ4_1) == 20);

/// x = d (q - 16); low four bits of q nibble-split, the fifth is bit `element` of the 32-bit number `high`.
struct BlockQ5_0 {
  static constexpr int kElements = 32;
  uint16_t d;
  uint8_t high[4];
  uint8_t q[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

/// x = d q + m; q as in BlockQ5_0.
struct BlockQ5_1 {
  static constexpr int kElements = 32;
  uint16_t d, m;
  uint8_t high[4];
  uint8_t q[16];
};
static_assert(sizeof(BlockQ5_1) == 24);

/// x = d q.
struct BlockQ8_0 {
  static constexpr int kElements = 32;
  uint16_t d;
  int8_t q[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

/// x = d kIq4Values[q]; q nibble-split.
struct BlockIQ4_NL {
  static constexpr int kElements = 32;
  uint16_t d;
  uint8_t q[16];
};
static_assert(sizeof(BlockIQ4_NL) == 18);

/// x = 2^(exponent - 128) kMxfp4Values[q]; q nibble-split. The table holds twice the E2M1 values, hence 128 for 127.
struct BlockMXFP4 {
  static constexpr int kElements = 32;
  uint8_t exponent;  // E8M0
  uint8_t q[16];
};
static_assert(sizeof(BlockMXFP4) == 17);

// ---- super-blocks of 256 with small integer scales: the K formats ----
// "Two-bit planes": 64 bytes hold 256 two-bit numbers; element e is in byte 32 (e / 128) + e % 32, at bit 2 (e / 32 %
// 4). "Bit planes": 32 bytes hold 256 single bits; element e is in byte e % 32, at bit e / 32. "Nibble pairs": 128
// bytes hold 256 nibbles; each 32 bytes are 64 elements, nibble-split.

/// x = d s q - dmin m for sixteen groups of 16; scales[group] has s in its low nibble, m in its high. q in two-bit
/// planes.
struct BlockQ2_K {
  static constexpr int kElements = 256;
  uint8_t scales[16];
  uint8_t q[64];
  uint16_t d, dmin;
};
static_assert(sizeof(BlockQ2_K) == 84);

/// x = d (s - 32) (q - 4) for sixteen groups of 16; q is two bits in two-bit planes and a third above them in the bit
/// planes `high`. Low four bits of s: bytes 0-7, groups 0-7 in low nibbles and 8-15 in high; high two bits: byte
/// 8 + group % 4 at bit 2 (group / 4).
struct BlockQ3_K {
  static constexpr int kElements = 256;
  uint8_t high[32];
  uint8_t q[64];
  uint8_t scales[12];
  uint16_t d;
};
static_assert(sizeof(BlockQ3_K) == 110);

/// x = d s q - dmin m for eight groups of 32; q in nibble pairs. Six-bit s and m (group_scales() below): groups 0-3
/// have s in bytes 0-3 and m in bytes 4-7, low six bits each; groups 4-7 have the low four bits of s and m in the low
/// and high nibbles of bytes 8-11, and their high two bits in the top bits of bytes 0-3 (s) and 4-7 (m).
struct BlockQ4_K {
  static constexpr int kElements = 256;
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t q[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

/// As BlockQ4_K with a fifth bit of q in the bit planes `high`.
struct BlockQ5_K {
  static constexpr int kElements = 256;
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t high[32];
  uint8_t q[128];
};
static_assert(sizeof(BlockQ5_K) == 176);

/// x = d s (q - 32) for sixteen groups of 16. Each half of 128 elements: low four bits of q in 64 bytes, nibble-split;
/// high two bits in the two-bit planes `high`.
struct BlockQ6_K {
  static constexpr int kElements = 256;
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ6_K) == 210);

/// x = d (s - 32) kIq4Values[q] for eight groups of 32; q as eight runs of 16 bytes, each nibble-split. Low four bits
/// of s: nibble `group` of scales_low; high two: bits 2 group of scales_high.
struct BlockIQ4_XS {
  static constexpr int kElements = 256;
  uint16_t d, scales_high;
  uint8_t scales_low[4];
  uint8_t q[128];
};
static_assert(sizeof(BlockIQ4_XS) == 136);

// ---- super-blocks of 256 whose magnitudes are rows of a codebook: the grid formats (tables/grids.h) ----
// A row gives eight magnitudes (IQ2, IQ1) or four (IQ3). "Sign byte": bit j set makes element j of its eight negative.
// "Sign index": seven bits; the eighth sign makes the count of minus signs even (kEvenSigns turns it into a sign byte).

/// x = d (s + 1/2) / 4 * sign * grid for eight groups of 32, each eight bytes: four row numbers of kIq2XxsGrid, then a
/// 32-bit number with four sign indices from the low end and s in its top four bits.
struct BlockIQ2_XXS {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t q[64];
};
static_assert(sizeof(BlockIQ2_XXS) == 66);

/// x = d (s + 1/2) / 4 * sign * grid; q[e / 8] has a row number of kIq2XsGrid in its low nine bits and a sign index in
/// its high seven; s is nibble e / 16 of scales.
struct BlockIQ2_XS {
  static constexpr int kElements = 256;
  uint16_t d;
  uint16_t q[32];
  uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2_XS) == 74);

/// x = d (s + 1/2) / 4 * sign * grid; row number of kIq2SGrid: q[e / 8] and two high bits, pair e / 8 of `high`;
/// sign byte signs[e / 8]; s is nibble e / 16 of scales.
struct BlockIQ2_S {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t q[32];
  uint8_t signs[32];
  uint8_t high[8];
  uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2_S) == 82);

/// x = d (s + 1/2) / 2 * sign * grid; q[e / 4] is a row number of kIq3XxsGrid; for each 32 elements a 32-bit number
/// with four sign indices and s, as in BlockIQ2_XXS.
struct BlockIQ3_XXS {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t q[64];
  uint8_t signs_and_scales[32];
};
static_assert(sizeof(BlockIQ3_XXS) == 98);

/// x = d (2 s + 1) * sign * grid; row number of kIq3SGrid: q[e / 4] and a ninth bit, bit e / 4 of `high`; sign byte
/// signs[e / 8]; s is nibble e / 32 of scales.
struct BlockIQ3_S {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t q[64];
  uint8_t high[8];
  uint8_t signs[32];
  uint8_t scales[4];
};
static_assert(sizeof(BlockIQ3_S) == 110);

/// x = d (2 s + 1) (grid + delta), delta = 1/8 or -1/8, for eight groups of 32. high[group]: four times three high bits
/// of the row numbers of kIq1Grid, then s (three bits), then the sign of delta (set: negative); low bits q[e / 8].
struct BlockIQ1_S {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t q[32];
  uint16_t high[8];
};
static_assert(sizeof(BlockIQ1_S) == 50);

/// As BlockIQ1_S with s for each 16 elements and delta for each 8. Nibble e / 8 of `high`: three high bits of the row
/// number, then the sign of delta. `scales` is four 16-bit numbers, each four times three bits of s; their top nibbles
/// together, the first lowest, are the half d.
struct BlockIQ1_M {
  static constexpr int kElements = 256;
  uint8_t q[32];
  uint8_t high[16];
  uint16_t scales[4];
};
static_assert(sizeof(BlockIQ1_M) == 56);

// ---- super-blocks of 256 ternary digits ----

/// x = d (t - 1). A byte is a fraction of 256 whose base-3 digits are five values t: digit k is the carry of
/// 3 * (byte * 3^k mod 256) into the ninth bit. q[0..31] digit k: element 32 k + i; q[32..47]: element 160 + 16 k + i;
/// rest (four digits each): element 240 + 4 k + i.
struct BlockTQ1_0 {
  static constexpr int kElements = 256;
  uint8_t q[48];
  uint8_t rest[4];
  uint16_t d;
};
static_assert(sizeof(BlockTQ1_0) == 54);

/// x = d (q - 1); q in two-bit planes.
struct BlockTQ2_0 {
  static constexpr int kElements = 256;
  uint8_t q[64];
  uint16_t d;
};
static_assert(sizeof(BlockTQ2_0) == 66);

// ---- packed scales ----

/// The six-bit scale and minimum of one group of 32 of Q4_K and Q5_K.
struct GroupScales {
  int scale, min;
};
inline GroupScales group_scales(const uint8_t (&scales)[12], int group) {
  if (group < 4) return {scales[group] & 63, scales[group + 4] & 63};
  return {(scales[group + 4] & 15) | (scales[group - 4] >> 6 << 4),
          (scales[group + 4] >> 4) | (scales[group] >> 6 << 4)};
}

/// The scale of one group of 16 of Q3_K, from -32 to 31.
inline int group_scale(const BlockQ3_K& block, int group) {
  const int low = (block.scales[group % 8] >> (4 * (group / 8))) & 15;
  const int high = (block.scales[8 + group % 4] >> (2 * (group / 4))) & 3;
  return (low | high << 4) - 32;
}

/// The scale of one group of 32 of IQ4_XS, from -32 to 31.
inline int group_scale(const BlockIQ4_XS& block, int group) {
  const int low = (block.scales_low[group / 2] >> (4 * (group % 2))) & 15;
  const int high = (block.scales_high >> (2 * group)) & 3;
  return (low | high << 4) - 32;
}

/// The half-float scale that IQ1_M spreads over the top nibbles of its scales.
inline uint16_t block_scale(const BlockIQ1_M& block) {
  return static_cast<uint16_t>((block.scales[0] >> 12) | (block.scales[1] >> 12 << 4) | (block.scales[2] >> 12 << 8) |
                               (block.scales[3] & 0xf000));
}

/// The MXFP4 scale for doubled values: 2^(exponent - 128), subnormal floats included.
inline float mxfp4_scale(uint8_t exponent) {
  const uint32_t bits = exponent < 2 ? 0x00200000u << exponent : static_cast<uint32_t>(exponent - 1) << 23;
  return std::bit_cast<float>(bits);
}

}  // namespace glint
