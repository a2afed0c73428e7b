// SPDX-License-Identifier: Apache-2.0
//
// Attention of a tile of rows to one page of the cache: the pieces of flash_attend.cu. The page (kPageTokens positions)
// is the unit of everything: its keys and values lie in shared memory as f16, a row's softmax over it is a whole of its
// own, and a row's result is the left fold of its pages' in ascending order (fold_factors, fold_value). That order is
// the same whoever folds, so a row's bits depend neither on the rows beside it nor on how pages are shared out.
//
// Tiles in shared memory: rows of kPitch halves, their chunks of 8 permuted so that ldmatrix's eight rows lie in eight
// banks. Every product and sum that could be contracted is spelled out: kernels must agree bit for bit.
#pragma once

#include <cuda_fp16.h>

#include "cuda/device/cache.cuh"
#include "cuda/device/input.cuh"
#include "cuda/device/packed.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/reduce.cuh"

namespace glint::cuda {

/// A block: kWarps warps of kRowTiles tiles of 16 rows, for heads of kWidth values.
template <int kWidth_, int kWarps_, int kRowTiles_>
struct PageShape {
  static constexpr int kWidth = kWidth_;
  static constexpr int kRowTiles = kRowTiles_;
  static constexpr int kThreads = 32 * kWarps_;
  static constexpr int kRows = 16 * kWarps_ * kRowTiles_;
  static constexpr int kChunks = kWidth / 8;
  static constexpr int kPitch = (kWidth + 63) / 64 * 64;
  static constexpr int kTileHalves = kPageTokens * kPitch;
  static constexpr int kQ8Bytes = kWidth / 32 * 34;
  static constexpr int kRawChunks = (kQ8Bytes + 15 + 15) / 16;  // 16-byte pieces that hold them wherever they start
};

template <class Shape>
__device__ __forceinline__ __half* page_chunk(__half* tile, int row, int chunk) {
  return tile + row * Shape::kPitch + ((chunk ^ (row & 7)) * 8);
}

/// One head's keys or values in the cache.
struct HeadRows {
  const uint8_t* base;  // 16-byte aligned
  int64_t row_bytes;    // of all heads
  int first_byte;       // of this head in a row
  DType dtype;          // F16, BF16 or Q8_0
  __device__ __forceinline__ HeadRows(const void* cache, DType dtype_, int n_kv, int width, int kv)
      : base(static_cast<const uint8_t*>(cache)),
        row_bytes(cache_row_bytes(dtype_, static_cast<int64_t>(n_kv) * width)),
        first_byte(static_cast<int>(cache_row_bytes(dtype_, static_cast<int64_t>(kv) * width))),
        dtype(dtype_) {}
  /// Bytes from a multiple of 16 to the head's first in row `row` of any page.
  __device__ __forceinline__ int offset_of(int row) const {
    return static_cast<int>((row * row_bytes + first_byte) & 15);
  }
};

/// Starts the copy of a page whose first cached row is `first_row`: to `tile`, or of Q8_0 as it is to `raw`. Rows from
/// n_valid on become zeros.
template <class Shape>
__device__ __forceinline__ void start_page(const HeadRows& rows, __half* tile, uint8_t* raw, int64_t first_row,
                                           int n_valid) {
  const uint8_t* page = rows.base + first_row * rows.row_bytes;
  if (rows.dtype == DType::kQ8_0) {
    for (int i = static_cast<int>(threadIdx.x); i < kPageTokens * Shape::kRawChunks; i += Shape::kThreads) {
      const int row = i / Shape::kRawChunks;
      const int at = i % Shape::kRawChunks * 16;
      const int offset = rows.offset_of(row);
      const bool valid = row < n_valid && at < offset + Shape::kQ8Bytes;
      const uint8_t* from = page + row * rows.row_bytes + rows.first_byte - offset + at;
      cp_async_16(raw + i * 16, valid ? from : page, valid);
    }
  } else {
#pragma unroll 8
    for (int i = static_cast<int>(threadIdx.x); i < kPageTokens * Shape::kChunks; i += Shape::kThreads) {
      const int row = i / Shape::kChunks;
      const int chunk = i % Shape::kChunks;
      const bool valid = row < n_valid;
      cp_async_16(page_chunk<Shape>(tile, row, chunk),
                  page + (valid ? row * rows.row_bytes : 0) + rows.first_byte + chunk * 16, valid);
    }
  }
  cp_async_commit();
}

/// Two f16 of the two bf16 in a word.
__device__ __forceinline__ uint32_t halves_of_bf16(uint32_t pair) {
  return bits_of(
      __floats2half2_rn(to_f16_range(__uint_as_float(pair << 16)), to_f16_range(__uint_as_float(pair & 0xffff0000u))));
}

/// Waits for the page that was started last; it is f16 and all threads see it afterwards, and all have done what they
/// did before.
template <class Shape>
__device__ __forceinline__ void finish_page(const HeadRows& rows, __half* tile, const uint8_t* raw) {
  cp_async_wait<0>();
  if (rows.dtype == DType::kBF16) {  // each thread what it copied itself
    for (int i = static_cast<int>(threadIdx.x); i < kPageTokens * Shape::kChunks; i += Shape::kThreads) {
      auto* chunk = reinterpret_cast<uint4*>(page_chunk<Shape>(tile, i / Shape::kChunks, i % Shape::kChunks));
      const uint4 v = *chunk;
      *chunk = make_uint4(halves_of_bf16(v.x), halves_of_bf16(v.y), halves_of_bf16(v.z), halves_of_bf16(v.w));
    }
  }
  __syncthreads();
  if (rows.dtype != DType::kQ8_0) return;
  for (int i = static_cast<int>(threadIdx.x); i < kPageTokens * Shape::kChunks; i += Shape::kThreads) {
    const int row = i / Shape::kChunks;
    const int chunk = i % Shape::kChunks;
    const uint8_t* block = raw + row * (Shape::kRawChunks * 16) + rows.offset_of(row) + chunk / 4 * 34;
    const float d = __half2float(*reinterpret_cast<const __half*>(block));
    uint32_t words[4];
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      const auto pair = static_cast<int>(*reinterpret_cast<const uint16_t*>(block + 2 + chunk % 4 * 8 + 2 * w));
      words[w] = bits_of(__floats2half2_rn(to_f16_range(d * static_cast<float>(static_cast<int8_t>(pair & 0xff))),
                                           to_f16_range(d * static_cast<float>(static_cast<int8_t>(pair >> 8)))));
    }
    *reinterpret_cast<uint4*>(page_chunk<Shape>(tile, row, chunk)) = make_uint4(words[0], words[1], words[2], words[3]);
  }
  __syncthreads();
}

/// The running softmax of one row: its largest score (base 2) and the sum of its probabilities.
struct FoldState {
  float largest = -INFINITY;
  float sum = 0;
};

/// What the values so far and those of the next page are multiplied by.
struct FoldFactors {
  float kept;
  float added;
};

/// The factors where the largest score so far and that of the next page are these. A page without a visible key has
/// -INFINITY and changes nothing.
__device__ __forceinline__ FoldFactors fold_factors(float largest, float of_page) {
  const float now = fmaxf(largest, of_page);
  const float base = now == -INFINITY ? 0.0f : now;
  return {exp2_fast(__fadd_rn(largest, -base)), exp2_fast(__fadd_rn(of_page, -base))};
}

__device__ __forceinline__ float fold_value(float kept, float added, FoldFactors factors) {
  return __fmaf_rn(added, factors.added, __fmul_rn(kept, factors.kept));
}

/// How scores become exponents.
struct ScoreScale {
  float softcap;
  float slope;     // of the soft-cap's exponent
  float exponent;  // what a score (soft-capped: after that) is multiplied by
  __device__ __forceinline__ explicit ScoreScale(const AttendParams& params)
      : softcap(params.softcap),
        slope(params.softcap > 0 ? 2 * kLog2E * params.scale / params.softcap : 0),
        exponent(params.softcap > 0 ? kLog2E : kLog2E * params.scale) {}
  /// softcap * tanh(scale * x / softcap), off by a few units in the last place of softcap.
  __device__ __forceinline__ float capped(float x) const {
    const float power = exp2_fast(__fmul_rn(x, slope));
    return __fmul_rn(softcap, __fadd_rn(1.0f, -__fdividef(2.0f, __fadd_rn(1.0f, power))));
  }
};

/// Scores of a tile of rows and a page: lane l has, of row tile m, rows l/4 (i < 2) and l/4 + 8, keys 8t + 2(l%4) +
/// i%2.
template <class Shape>
using PageScores = float[Shape::kRowTiles][kPageTokens / 8][4];
/// Their probabilities as the tensor core takes them: A fragments of 16 keys each.
template <class Shape>
using PageProbabilities = uint32_t[Shape::kRowTiles][kPageTokens / 16][4];

/// Where a lane's part of 16 x 16 values lies in a tile, in halves: of those whose first row is a multiple of 8 and
/// whose first chunk is `chunk` (even) with this, the lane's of chunk 0.
__device__ __forceinline__ int fragment_at(int first, int chunk) {
  return (first ^ (chunk % 8 * 8)) + chunk / 8 * 64;
}

/// scores = queries x keys^T, unscaled; `row`: the warp's first.
template <class Shape>
__device__ __forceinline__ void multiply_keys(PageScores<Shape>& scores, __half* queries, __half* keys, int row) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int m = 0; m < Shape::kRowTiles; ++m) {
#pragma unroll
    for (int t = 0; t < kPageTokens / 8; ++t) scores[m][t][0] = scores[m][t][1] = scores[m][t][2] = scores[m][t][3] = 0;
  }
  const int first_query = (row + lane % 16) * Shape::kPitch + ((lane / 16 ^ lane % 8) * 8);
  const int first_key = (lane / 16 * 8 + lane % 8) * Shape::kPitch + ((lane / 8 % 2 ^ lane % 8) * 8);
#pragma unroll
  for (int step = 0; step < Shape::kWidth / 16; ++step) {
    uint32_t a[Shape::kRowTiles][4];
#pragma unroll
    for (int m = 0; m < Shape::kRowTiles; ++m)
      ldmatrix_x4(a[m], queries + fragment_at(first_query, step * 2) + m * 16 * Shape::kPitch);
#pragma unroll
    for (int pair = 0; pair < kPageTokens / 16; ++pair) {
      uint32_t b[4];
      ldmatrix_x4(b, keys + fragment_at(first_key, step * 2) + pair * 16 * Shape::kPitch);
#pragma unroll
      for (int m = 0; m < Shape::kRowTiles; ++m) {
        mma_f16(scores[m][2 * pair], a[m], b[0], b[1]);
        mma_f16(scores[m][2 * pair + 1], a[m], b[2], b[3]);
      }
    }
  }
}

template <class Shape>
__device__ __forceinline__ void cap_scores(PageScores<Shape>& scores, const ScoreScale& scale) {
#pragma unroll
  for (int m = 0; m < Shape::kRowTiles; ++m) {
#pragma unroll
    for (int t = 0; t < kPageTokens / 8; ++t) {
#pragma unroll
      for (int i = 0; i < 4; ++i) scores[m][t][i] = scale.capped(scores[m][t][i]);
    }
  }
}

/// Keys of a page that a row may see: [first, end), counted from the page's first.
struct Visible {
  int first;
  int end;
};

/// Turns the scores of one of a lane's rows (`half`: the second) into probabilities relative to their own largest, and
/// returns that and their sum. kMasked: some keys may be out of sight.
template <bool kMasked>
__device__ __forceinline__ FoldState soften_row(uint32_t (&p)[kPageTokens / 16][4], float (&scores)[kPageTokens / 8][4],
                                                int half, const ScoreScale& scale, Visible visible) {
  const int column = static_cast<int>(threadIdx.x) % 4 * 2;
  float largest = -INFINITY;
#pragma unroll
  for (int t = 0; t < kPageTokens / 8; ++t) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float& score = scores[t][2 * half + i];
      if constexpr (kMasked) {
        const int key = t * 8 + column + i;
        if (key < visible.first || key >= visible.end) score = -INFINITY;
      }
      largest = fmaxf(largest, score);
    }
  }
  largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
  largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
  largest = __fmul_rn(largest, scale.exponent);
  const float base = largest == -INFINITY ? 0.0f : largest;
  float sum = 0;
#pragma unroll
  for (int t = 0; t < kPageTokens / 8; ++t) {
    const float even = exp2_fast(__fmaf_rn(scores[t][2 * half], scale.exponent, -base));
    const float odd = exp2_fast(__fmaf_rn(scores[t][2 * half + 1], scale.exponent, -base));
    sum = __fadd_rn(__fadd_rn(sum, even), odd);
    p[t / 2][half + t % 2 * 2] = bits_of(__floats2half2_rn(even, odd));
  }
  sum = __fadd_rn(sum, __shfl_xor_sync(kAllLanes, sum, 1));
  sum = __fadd_rn(sum, __shfl_xor_sync(kAllLanes, sum, 2));
  return {largest, sum};
}

/// Calls take(m, t, four of a lane's) for the page's probabilities x values [8t, 8t + 8) and row tile m: values 8t +
/// 2(l%4) + {0, 1} of rows l/4, then of l/4 + 8.
template <class Shape, class Take>
__device__ __forceinline__ void multiply_values(const PageProbabilities<Shape>& p, __half* values, Take take) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int first_value = lane % 16 * Shape::kPitch + ((lane / 16 ^ lane % 8) * 8);
#pragma unroll
  for (int pair = 0; pair < Shape::kWidth / 16; ++pair) {
    float part[Shape::kRowTiles][2][4] = {};
#pragma unroll
    for (int s = 0; s < kPageTokens / 16; ++s) {
      uint32_t b[4];
      ldmatrix_x4_transposed(b, values + fragment_at(first_value, pair * 2) + s * 16 * Shape::kPitch);
#pragma unroll
      for (int m = 0; m < Shape::kRowTiles; ++m) {
        mma_f16(part[m][0], p[m][s], b[0], b[1]);
        mma_f16(part[m][1], p[m][s], b[2], b[3]);
      }
    }
#pragma unroll
    for (int m = 0; m < Shape::kRowTiles; ++m) {
      take(m, pair * 2, part[m][0]);
      take(m, pair * 2 + 1, part[m][1]);
    }
  }
}

}  // namespace glint::cuda
