// SPDX-License-Identifier: Apache-2.0
#include "cuda/pack.h"

#include "base/check.h"
#include "cuda/device/packed.cuh"
#include "cuda/format_switch.h"
#include "cuda/launch.h"
#include "tensor/blocks.h"

namespace glint::cuda {
namespace {

constexpr int kThreads = 128;
constexpr float kOffsetUnit = 1.0f / 16384;

__device__ __forceinline__ int nibble(const uint8_t* bytes, int byte, int high) {
  return bytes[byte] >> (4 * high) & 15;
}

/// The six-bit scale (which 0) or minimum (1) of a group of Q4_K and Q5_K.
__device__ __forceinline__ int six_bits(const uint8_t* scales, int group, int which) {
  if (group < 4) return scales[group + 4 * which] & 63;
  return nibble(scales, 4 + group, which) | scales[group - 4 + 4 * which] >> 6 << 4;
}

/// The unsigned code of element e (of 256, or of a block of 32) as packed tiles hold it.
template <class BlockType>
__device__ __forceinline__ int code_of(const BlockType& block, int e) {
  if constexpr (requires { block.low; }) {  // Q6_K
    const int half = e / 128;
    return nibble(block.low, 64 * half + e % 64, e % 128 / 64) |
           (block.high[32 * half + e % 32] >> (2 * (e / 32 % 4)) & 3) << 4;
  } else if constexpr (BlockType::kElements == 256) {  // Q4_K, Q5_K
    int code = nibble(block.q, 32 * (e / 64) + e % 32, e % 64 / 32);
    if constexpr (requires { block.high; }) code |= (block.high[e % 32] >> (e / 32) & 1) << 4;
    return code;
  } else if constexpr (sizeof(block.q) == 32) {  // Q8_0
    return block.q[e] + 128;
  } else {
    int code = nibble(block.q, e % 16, e / 16);
    if constexpr (requires { block.high; }) code |= (block.high[e / 8] >> (e % 8) & 1) << 4;
    return code;
  }
}

/// (scale, offset) of a 32-element block as f16 bits.
template <class BlockType>
__device__ __forceinline__ uint32_t pair_of(const BlockType& block) {
  uint16_t offset;
  if constexpr (requires { block.m; }) {
    offset = block.m;
  } else {
    const float middle = sizeof(BlockType) == sizeof(BlockQ4_0) ? -8.0f : -16.0f;
    offset = __half_as_ushort(__float2half_rn(middle * __half2float(__ushort_as_half(block.d))));
  }
  return block.d | static_cast<uint32_t>(offset) << 16;
}

template <class BlockType>
__device__ __forceinline__ void pack_scales(const BlockType* row, int column, int n_in, uint8_t* scales,
                                            uint8_t* super) {
  if constexpr (BlockType::kElements == 256) {
    const BlockType& block = row[column / 256];
    if constexpr (requires { block.low; }) {
      for (int g = 0; g < 16; ++g) scales[g] = static_cast<uint8_t>(block.scales[g] + 128);
      *reinterpret_cast<uint32_t*>(super) = block.d;
    } else {
      const float ratio =
          __half2float(__ushort_as_half(block.dmin)) / __half2float(__ushort_as_half(block.d)) * -kOffsetUnit;
      // Beside such an offset the weights are all the same (or all zero): they are the offset alone.
      const bool flat = !(fabsf(ratio) <= 1000.0f);
      for (int g = 0; g < 8; ++g) {
        scales[2 * g] = static_cast<uint8_t>(flat ? 0 : six_bits(block.scales, g, 0));
        scales[2 * g + 1] = static_cast<uint8_t>(six_bits(block.scales, g, 1));
      }
      const uint32_t r = __half_as_ushort(__float2half_rn(flat ? -kOffsetUnit : ratio));
      *reinterpret_cast<uint32_t*>(super) = (flat ? block.dmin : block.d) | r << 16;
    }
  } else {
    for (int g = 0; g < 8; ++g) {
      const bool inside = column + 32 * g < n_in;
      const BlockType& block = row[inside ? (column + 32 * g) / 32 : 0];
      if constexpr (sizeof(block.q) == 32) {
        reinterpret_cast<uint16_t*>(scales)[g] = inside ? block.d : 0;
      } else {
        reinterpret_cast<uint32_t*>(scales)[g] = inside ? pair_of(block) : 0;
      }
    }
  }
}

/// One block a tile; thread (quarter, lane) writes that lane's bits, threads 0 to 15 the scales of a row.
template <PackedFormat kFormat, class BlockType>
__global__ void __launch_bounds__(kThreads)
    pack_kernel(PackedMatrix matrix, const BlockType* blocks, int first_row, int n_rows) {
  constexpr TileLayout kLayout = tile_layout(kFormat);
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int row_tile = first_row / kTileRows + static_cast<int>(blockIdx.y);
  const int column_block = static_cast<int>(blockIdx.x);
  uint8_t* tile = const_cast<uint8_t*>(matrix.tiles) +
                  (static_cast<int64_t>(row_tile) * matrix.n_blocks + column_block) * kLayout.bytes();
  const int64_t row_blocks = matrix.n_in / BlockType::kElements;
  const int quarter = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;

  const auto code = [&](int step, int reg, int odd) -> int {
    const int row = static_cast<int>(blockIdx.y) * kTileRows + lane / 4 + 8 * (reg % 2);
    const int column = column_block * kTileColumns + quarter * 64 + step * 16 + reg / 2 * 8 + lane % 4 * 2 + odd;
    if (row >= n_rows || column >= matrix.n_in) return kFormat == PackedFormat::kInt8 ? 128 : 0;
    return code_of(blocks[row * row_blocks + column / BlockType::kElements], column % BlockType::kElements);
  };
  uint32_t high[2] = {0, 0};
  for (int step = 0; step < 4; ++step) {
    uint32_t words[2] = {0, 0};
    for (int reg = 0; reg < 4; ++reg) {
      for (int odd = 0; odd < 2; ++odd) {
        const auto q = static_cast<uint32_t>(code(step, reg, odd));
        if constexpr (kFormat == PackedFormat::kInt8) {
          words[reg / 2] |= q << (8 * (reg % 2 * 2 + odd));
        } else {
          words[0] |= (q & 15) << (4 * (reg + 4 * odd));
          if constexpr (kLayout.high_quarter == 128) high[0] |= (q >> 4) << (4 * step + reg + 16 * odd);
          if constexpr (kLayout.high_quarter == 256)
            high[step / 2] |= (q >> 4) << (2 * (4 * (step % 2) + reg) + 16 * odd);
        }
      }
    }
    constexpr int kWords = kLayout.low_quarter / 512;
    auto* low = reinterpret_cast<uint32_t*>(tile + quarter * kLayout.low_quarter) + lane * 4 * kWords;
    for (int w = 0; w < kWords; ++w) low[step * kWords + w] = words[w];
  }
  if constexpr (kLayout.high_quarter > 0) {
    constexpr int kWords = kLayout.high_quarter / 128;
    auto* to = reinterpret_cast<uint32_t*>(tile + kLayout.high_at() + quarter * kLayout.high_quarter) + lane * kWords;
    for (int w = 0; w < kWords; ++w) to[w] = high[w];
  }
  if (threadIdx.x < kTileRows) {
    const int row = static_cast<int>(threadIdx.x);
    uint8_t* scales = tile + kLayout.scales_at() + row * kLayout.row_scales;
    uint8_t* super = tile + kLayout.super_at() + row * 4;
    const int source = static_cast<int>(blockIdx.y) * kTileRows + row;
    if (source < n_rows) {
      pack_scales(blocks + source * row_blocks, column_block * kTileColumns, matrix.n_in, scales, super);
    } else {
      for (int i = 0; i < kLayout.row_scales; ++i) scales[i] = 0;
      if constexpr (kLayout.row_super > 0) *reinterpret_cast<uint32_t*>(super) = 0;
    }
  }
}

/// As pack_kernel for 16-bit values.
template <bool kIsBf16>
__global__ void __launch_bounds__(kThreads)
    pack_halves_kernel(PackedMatrix matrix, const uint16_t* values, int first_row, int n_rows) {
  constexpr TileLayout kLayout = tile_layout(PackedFormat::kHalf);
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int row_tile = first_row / kTileRows + static_cast<int>(blockIdx.y);
  const int column_block = static_cast<int>(blockIdx.x);
  uint8_t* tile = const_cast<uint8_t*>(matrix.tiles) +
                  (static_cast<int64_t>(row_tile) * matrix.n_blocks + column_block) * kLayout.bytes();
  const int quarter = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  auto* to = reinterpret_cast<uint16_t*>(tile + quarter * kLayout.low_quarter) + lane * 32;
  for (int i = 0; i < 32; ++i) {
    const int reg = i / 2 % 4;
    const int row = static_cast<int>(blockIdx.y) * kTileRows + lane / 4 + 8 * (reg % 2);
    const int column = column_block * kTileColumns + quarter * 64 + i / 8 * 16 + reg / 2 * 8 + lane % 4 * 2 + i % 2;
    uint16_t value = 0;
    if (row < n_rows && column < matrix.n_in) {
      value = values[static_cast<int64_t>(row) * matrix.n_in + column];
      if constexpr (kIsBf16) {
        value = __half_as_ushort(__float2half_rn(__uint_as_float(static_cast<unsigned>(value) << 16)));
      }
    }
    to[i] = value;
  }
}

/// One thread a value.
template <PackedFormat kFormat>
__global__ void __launch_bounds__(256)
    embed_packed_kernel(Tensor out, const int32_t* ids, float scale, PackedMatrix table) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int column = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int token = static_cast<int>(blockIdx.y);
  if (column < out.width) {
    const int row = ids[token];
    const uint8_t* tile =
        table.tiles +
        (static_cast<int64_t>(row / kTileRows) * table.n_blocks + column / kTileColumns) * tile_layout(kFormat).bytes();
    out.data[token * out.row_stride + column] =
        unpack_one<kFormat>(tile, row % kTileRows, column % kTileColumns) * scale;
  }
}

__global__ void __launch_bounds__(256)
    embed_f32_kernel(Tensor out, const int32_t* ids, float scale, const float* table) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int column = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int token = static_cast<int>(blockIdx.y);
  if (column < out.width) {
    out.data[token * out.row_stride + column] = table[static_cast<int64_t>(ids[token]) * out.width + column] * scale;
  }
}

}  // namespace

bool packs_directly(DType dtype) {
  return packed_format(dtype) != PackedFormat::kHalf || dtype == DType::kF16 || dtype == DType::kBF16;
}

void pack(const Stream& stream, const PackedMatrix& matrix, DType dtype, const void* blocks, int first_row,
          int n_rows) {
  GLINT_CHECK(first_row % kTileRows == 0 && packs_directly(dtype) && packed_format(dtype) == matrix.format);
  const LaunchShape shape{
      dim3(static_cast<unsigned>(matrix.n_blocks), static_cast<unsigned>(blocks_for(n_rows, kTileRows))),
      dim3(kThreads)};
  const auto start = [&]<PackedFormat kFormat, class BlockType>() {
    launch(stream, shape, pack_kernel<kFormat, BlockType>, matrix, static_cast<const BlockType*>(blocks), first_row,
           n_rows);
  };
  switch (dtype) {
    case DType::kQ4_K:
      return start.operator()<PackedFormat::kInt4Super, BlockQ4_K>();
    case DType::kQ5_K:
      return start.operator()<PackedFormat::kInt5Super, BlockQ5_K>();
    case DType::kQ4_0:
      return start.operator()<PackedFormat::kInt4, BlockQ4_0>();
    case DType::kQ4_1:
      return start.operator()<PackedFormat::kInt4, BlockQ4_1>();
    case DType::kQ5_0:
      return start.operator()<PackedFormat::kInt5, BlockQ5_0>();
    case DType::kQ5_1:
      return start.operator()<PackedFormat::kInt5, BlockQ5_1>();
    case DType::kQ6_K:
      return start.operator()<PackedFormat::kInt6, BlockQ6_K>();
    case DType::kQ8_0:
      return start.operator()<PackedFormat::kInt8, BlockQ8_0>();
    default:
      break;
  }
  launch(stream, shape, dtype == DType::kBF16 ? pack_halves_kernel<true> : pack_halves_kernel<false>, matrix,
         static_cast<const uint16_t*>(blocks), first_row, n_rows);
}

void embed_packed(const Stream& stream, Tensor out, const int32_t* ids, float scale, const PackedMatrix& table) {
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(out.width, 256)), static_cast<unsigned>(out.n_rows)),
                          dim3(256)};
  with_format(table.format, [&]<PackedFormat kFormat>() {
    launch(stream, shape, embed_packed_kernel<kFormat>, out, ids, scale, table);
  });
}

void embed_f32(const Stream& stream, Tensor out, const int32_t* ids, float scale, const float* table) {
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(out.width, 256)), static_cast<unsigned>(out.n_rows)),
                          dim3(256)};
  launch(stream, shape, embed_f32_kernel, out, ids, scale, table);
}

}  // namespace glint::cuda
