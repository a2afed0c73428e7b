// SPDX-License-Identifier: Apache-2.0
//
// Reading packed weights (packed_weight.h) into tensor-core operands: a tile's bits and scales go to registers with
// wide loads, then each step of 16 columns is unpacked to f16 with integer and half arithmetic. Array indices are
// constants once loops are unrolled: everything stays in registers.
//
// K formats: the code q of a weight, put as it is into the low bits of an f16, is the subnormal q 2^-24, so one masking
// instruction makes two numbers (in odd registers 16 q 2^-24; their rows' scales are smaller by that). One fused
// multiply-add with a scale and an offset that are integers times a power of two makes the operand, s q + m r in units
// of 2^-14, rounded once; the row's d is multiplied in f32 with the sum over a tile. The other formats: q is written
// into the mantissa of 1024, 1024 is taken off, and scale and offset are f16. Either way a weight is off by at most
// 2^-11 of itself and of its group's offset. Tested by tests/unit/backend (every format against ref).
#pragma once

#include "cuda/device/ptx.cuh"
#include "cuda/packed_weight.h"

namespace glint::cuda {

__device__ __forceinline__ uint32_t bits_of(__half2 h) {
  return *reinterpret_cast<uint32_t*>(&h);
}
__device__ __forceinline__ __half2 half2_of(uint32_t bits) {
  return *reinterpret_cast<__half2*>(&bits);
}
__device__ __forceinline__ uint32_t word_of(const uint4& v, int i) {
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/// Where a tile is read from: global memory, each byte once; or shared memory, where it was copied.
struct FromGlobal {
  __device__ __forceinline__ static uint4 load_16(const uint8_t* p) { return load_once_16(p); }
  __device__ __forceinline__ static uint2 load_8(const uint8_t* p) { return load_once_8(p); }
  __device__ __forceinline__ static uint32_t load_4(const uint8_t* p) { return load_once_4(p); }
};
struct FromShared {
  __device__ __forceinline__ static uint4 load_16(const uint8_t* p) { return *reinterpret_cast<const uint4*>(p); }
  __device__ __forceinline__ static uint2 load_8(const uint8_t* p) { return *reinterpret_cast<const uint2*>(p); }
  __device__ __forceinline__ static uint32_t load_4(const uint8_t* p) { return *reinterpret_cast<const uint32_t*>(p); }
};

/// K formats: a tile's rows have a factor d of their own.
template <PackedFormat kFormat>
inline constexpr bool kHasRowFactor = tile_layout(kFormat).row_super > 0;

/// What a lane's two rows (lane / 4 and that + 8) have in common over a tile.
template <PackedFormat kFormat>
struct RowFactors {
  static constexpr TileLayout kLayout = tile_layout(kFormat);
  uint32_t super[2];

  template <class From>
  __device__ __forceinline__ void load(const uint8_t* tile, int lane) {
    if constexpr (kHasRowFactor<kFormat>) {
#pragma unroll
      for (int i = 0; i < 2; ++i) super[i] = From::load_4(tile + kLayout.super_at() + (lane / 4 + 8 * i) * 4);
    }
  }
  /// What (s, m) is multiplied by: 2^10, in odd registers 2^6; and r.
  __device__ __forceinline__ __half2 of_pair(int i) const {
    return half2_of(and_or(super[i], 0xffff0000u, i == 0 ? 0x6400u : 0x5400u));
  }
  /// Brings a tile's sums to their true size: registers 0 and 1 are of the first row, 2 and 3 of the second.
  __device__ __forceinline__ void scale(float (&sum)[4]) const {
    if constexpr (kHasRowFactor<kFormat>) {
      constexpr float kUnit = kFormat == PackedFormat::kInt6 ? 65536.0f : 16384.0f;
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] = __fmul_rn(sum[i], __low2float(half2_of(super[i / 2])) * kUnit);
    }
  }
};

/// A lane's part of a quarter (64 columns): its 32 weights and the scales of its two rows.
template <PackedFormat kFormat>
struct Quarter {
  static constexpr TileLayout kLayout = tile_layout(kFormat);
  static constexpr int kLowLoads = kLayout.low_quarter / 512;
  static constexpr int kScaleWords = kLayout.row_scales / 16;  // of a row and quarter
  uint4 low[kLowLoads];
  uint2 high;
  uint32_t scales[2][kScaleWords > 0 ? kScaleWords : 1];

  template <class From>
  __device__ __forceinline__ void load(const uint8_t* tile, int quarter, int lane) {
    load_bits<From>(tile, quarter, lane);
    load_scales<From>(tile, quarter, lane);
  }
  template <class From>
  __device__ __forceinline__ void load_bits(const uint8_t* tile, int quarter, int lane) {
    const uint8_t* at = tile + quarter * kLayout.low_quarter + lane * (16 * kLowLoads);
#pragma unroll
    for (int i = 0; i < kLowLoads; ++i) low[i] = From::load_16(at + 16 * i);
    if constexpr (kLayout.high_quarter == 128) {
      high.x = From::load_4(tile + kLayout.high_at() + quarter * 128 + lane * 4);
    } else if constexpr (kLayout.high_quarter == 256) {
      high = From::load_8(tile + kLayout.high_at() + quarter * 256 + lane * 8);
    }
  }
  template <class From>
  __device__ __forceinline__ void load_scales(const uint8_t* tile, int quarter, int lane) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane / 4 + 8 * i;
#pragma unroll
      for (int w = 0; w < kScaleWords; ++w) {
        scales[i][w] =
            From::load_4(tile + kLayout.scales_at() + row * kLayout.row_scales + (quarter * kScaleWords + w) * 4);
      }
    }
  }

  /// (scale, offset) of row i in half `half` (32 columns) of the quarter, for formats that have both.
  __device__ __forceinline__ __half2 pair(const RowFactors<kFormat>& factors, int i, int half) const {
    if constexpr (kScaleWords == 2) {
      return half2_of(scales[i][half]);
    } else {
      const uint32_t bytes = __byte_perm(scales[i][0], 0x64646464u, half == 0 ? 0x4140u : 0x4342u);
      return __hmul2(__hsub2(half2_of(bytes), half2_of(0x64006400u)), factors.of_pair(i));
    }
  }
  /// s of row i in step `step` (16 columns) (kInt6), twice.
  __device__ __forceinline__ __half2 scale_of_step(int i, int step) const {
    const uint32_t selector = 0x4040u + 0x0101u * static_cast<uint32_t>(step);
    return __hsub2(half2_of(__byte_perm(scales[i][0], 0x64646464u, selector)), half2_of(0x64806480u));
  }
  /// Scale of row i in half `half` of the quarter (kInt8), twice.
  __device__ __forceinline__ __half2 scale_of_half(int i, int half) const {
    const __half2 two = half2_of(scales[i][0]);
    return half == 0 ? __low2half2(two) : __high2half2(two);
  }
};

/// The scales of a lane's two rows over a whole tile: fewer and wider loads than a quarter's at a time.
template <PackedFormat kFormat>
struct TileScales {
  static constexpr TileLayout kLayout = tile_layout(kFormat);
  static constexpr int kLoads = kLayout.row_scales / 16;
  uint4 scales[2][kLoads > 0 ? kLoads : 1];
  RowFactors<kFormat> factors;

  __device__ __forceinline__ void load(const uint8_t* tile, int lane) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane / 4 + 8 * i;
#pragma unroll
      for (int j = 0; j < kLoads; ++j) {
        scales[i][j] = load_once_16(tile + kLayout.scales_at() + row * kLayout.row_scales + 16 * j);
      }
    }
    factors.template load<FromGlobal>(tile, lane);
  }
  /// Hands a quarter its own.
  __device__ __forceinline__ void give(Quarter<kFormat>& to, int quarter) const {
    constexpr int kWords = Quarter<kFormat>::kScaleWords;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int w = 0; w < kWords; ++w) {
        const int word = quarter * kWords + w;
        to.scales[i][w] = word_of(scales[i][word / 4], word % 4);
      }
    }
  }
};

/// Two codes of register r of a step, each in 16 bits: q (r even) or 16 q (r odd). `high`: bits above the low four, in
/// place.
__device__ __forceinline__ uint32_t codes(uint32_t word, uint32_t high, int r) {
  return and_or(r >= 2 ? word >> 8 : word, r % 2 == 0 ? 0x000f000fu : 0x00f000f0u, high);
}
/// Such codes as f16 integers q.
__device__ __forceinline__ __half2 integers(uint32_t word, uint32_t high, int r) {
  const __half2 shifted = half2_of(codes(word, 0x64006400u | high, r));
  if (r % 2 == 0) return __hsub2(shifted, half2_of(0x64006400u));
  return __hfma2(shifted, half2_of(0x2c002c00u), half2_of(0xd400d400u));  // / 16 - 64
}

__device__ __forceinline__ uint32_t shift(uint32_t bits, int left) {
  return left >= 0 ? bits << left : bits >> -left;
}

/// The bits of register r of a step above the low four, where codes() wants them.
template <PackedFormat kFormat>
__device__ __forceinline__ uint32_t high_bits(const Quarter<kFormat>& quarter, int step, int r) {
  constexpr int kBytes = Quarter<kFormat>::kLayout.high_quarter;
  if constexpr (kBytes == 128) {
    const int p = 4 * step + r;
    return r % 2 == 0 ? shift(quarter.high.x, 4 - p) & 0x00100010u : shift(quarter.high.x, 8 - p) & 0x01000100u;
  } else if constexpr (kBytes == 256) {
    const int p = 2 * (4 * (step % 2) + r);
    const uint32_t source = step < 2 ? quarter.high.x : quarter.high.y;
    return r % 2 == 0 ? shift(source, 4 - p) & 0x00300030u : shift(source, 8 - p) & 0x03000300u;
  }
  return 0;
}

/// The A operand of step `step`.
template <PackedFormat kFormat>
__device__ __forceinline__ void unpack_step(const Quarter<kFormat>& quarter, const RowFactors<kFormat>& factors,
                                            int step, uint32_t (&a)[4]) {
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    if constexpr (kFormat == PackedFormat::kHalf) {
      a[r] = word_of(quarter.low[step], r);
    } else if constexpr (kFormat == PackedFormat::kInt8) {
      const uint32_t word = word_of(quarter.low[step / 2], 2 * (step % 2) + r / 2);
      const uint32_t biased = __byte_perm(word, 0x64646464u, r % 2 == 0 ? 0x4140u : 0x4342u);
      const __half2 q = __hsub2(half2_of(biased), half2_of(0x64806480u));
      a[r] = bits_of(__hmul2(q, quarter.scale_of_half(r % 2, step / 2)));
    } else {
      const uint32_t word = word_of(quarter.low[0], step);
      const uint32_t high = high_bits(quarter, step, r);
      if constexpr (kFormat == PackedFormat::kInt6) {  // s (q - 32) in units of 2^-16
        const __half2 s = quarter.scale_of_step(r % 2, step);
        const __half2 scale = __hmul2(s, half2_of(r % 2 == 0 ? 0x5c005c00u : 0x4c004c00u));                 // 2^8, 2^4
        a[r] = bits_of(__hfma2(half2_of(codes(word, high, r)), scale, __hmul2(s, half2_of(0x90009000u))));  // -2^-11
      } else {
        const __half2 pair = quarter.pair(factors, r % 2, step / 2);
        const __half2 q = kHasRowFactor<kFormat> ? half2_of(codes(word, high, r)) : integers(word, high, r);
        a[r] = bits_of(__hfma2(q, __low2half2(pair), __high2half2(pair)));
      }
    }
  }
}

/// Where the weight of row `row` (< 16) and column `column` (< 256) lies.
struct TilePlace {
  int quarter, lane, step, reg, odd;
  __device__ __forceinline__ TilePlace(int row, int column)
      : quarter(column / 64),
        lane(row % 8 * 4 + column % 8 / 2),
        step(column % 64 / 16),
        reg(row / 8 + 2 * (column % 16 / 8)),
        odd(column % 2) {}
};

/// One weight in f32, rounded once: for tables whose rows are looked up.
template <PackedFormat kFormat>
__device__ __forceinline__ float unpack_one(const uint8_t* tile, int row, int column) {
  constexpr TileLayout kLayout = tile_layout(kFormat);
  const TilePlace at(row, column);
  const uint8_t* low = tile + at.quarter * kLayout.low_quarter + at.lane * (kLayout.low_quarter / 32);
  const auto half_at = [](const uint8_t* p) { return __half2float(*reinterpret_cast<const __half*>(p)); };
  if constexpr (kFormat == PackedFormat::kHalf) {
    return half_at(low + at.step * 16 + at.reg * 4 + at.odd * 2);
  } else {
    const uint8_t* scales = tile + kLayout.scales_at() + row * kLayout.row_scales;
    if constexpr (kFormat == PackedFormat::kInt8) {
      return half_at(scales + column / 32 * 2) * static_cast<float>(low[at.step * 8 + at.reg * 2 + at.odd] - 128);
    } else {
      const uint32_t word = reinterpret_cast<const uint32_t*>(low)[at.step];
      int q = static_cast<int>(word >> (4 * (at.reg + 4 * at.odd)) & 15);
      const uint8_t* high =
          tile + kLayout.high_at() + at.quarter * kLayout.high_quarter + at.lane * (kLayout.high_quarter / 32);
      const uint8_t* super = tile + kLayout.super_at() + row * 4;
      if constexpr (kFormat == PackedFormat::kInt6) {
        const uint32_t bits = reinterpret_cast<const uint32_t*>(high)[at.step / 2];
        q |= static_cast<int>(bits >> (2 * (4 * (at.step % 2) + at.reg) + 16 * at.odd) & 3) << 4;
        return half_at(super) * static_cast<float>(scales[column / 16] - 128) * static_cast<float>(q - 32);
      } else {
        if constexpr (kLayout.high_quarter == 128) {
          q |= static_cast<int>(*reinterpret_cast<const uint32_t*>(high) >> (4 * at.step + at.reg + 16 * at.odd) & 1)
               << 4;
        }
        const int group = column / 32;
        if constexpr (kHasRowFactor<kFormat>) {
          const float offset = __fmul_rn(half_at(super + 2) * 16384.0f, static_cast<float>(scales[2 * group + 1]));
          return half_at(super) * (static_cast<float>(scales[2 * group] * q) + offset);
        } else {
          return __fmul_rn(half_at(scales + 4 * group), static_cast<float>(q)) + half_at(scales + 4 * group + 2);
        }
      }
    }
  }
}

}  // namespace glint::cuda
