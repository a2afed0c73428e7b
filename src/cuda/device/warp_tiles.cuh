// SPDX-License-Identifier: Apache-2.0
//
// How a block of warps shares the tiles of a product with a few tokens: copies to shared memory that all start at once,
// a warp's products, and the sum over the tiles of a row. Used by matvec.cu and matvec_experts.cu.
#pragma once

#include "cuda/device/tile_product.cuh"
#include "cuda/launch.h"

namespace glint::cuda {

/// Fewest warps of a block: norms take as many.
inline constexpr int kLeastWarps = kNormThreads / 32;
/// Halves after each token in shared memory: two tokens' words then lie in different banks.
inline constexpr int kColumnPad = 32;

__device__ __forceinline__ int lane_id() {
  return static_cast<int>(threadIdx.x) % 32;
}
__device__ __forceinline__ int warp_id() {
  return static_cast<int>(threadIdx.x) / 32;
}
__device__ __forceinline__ int n_threads() {
  return static_cast<int>(blockDim.x);
}
__device__ __forceinline__ int n_warps() {
  return n_threads() / 32;
}

/// Stores four columns of a token where tile_product wants them; `at` is a multiple of four.
__device__ __forceinline__ void store_columns(__half* columns, int at, uint2 halves) {
  auto* to = reinterpret_cast<uint32_t*>(columns + at / 32 * 32 + place_of_column(at % 32));
  to[0] = halves.x;
  to[4] = halves.y;
}

/// Rows of f32 [n_rows, width] (row_stride floats apart, 16-byte aligned, width a multiple of 4) that a whole block
/// brings to shared memory as f16, each padded with zeros to n_columns. A thread's first kHeld groups of four are on
/// their way from the beginning, the rest, kMore at a time, when they are stored.
template <int kHeld, int kMore = 1>
class HeldRows {
 public:
  __device__ __forceinline__ HeldRows(const float* x, int64_t row_stride, int n_rows, int width, int n_columns)
      : x_(x), row_stride_(row_stride), n_rows_(n_rows), width_(width), n_groups_(max(1, n_columns / 4)) {
#pragma unroll
    for (int c = 0; c < kHeld; ++c) held_[c] = load(static_cast<int>(threadIdx.x) + c * n_threads());
  }
  /// Row r goes to columns + r * to_stride.
  __device__ __forceinline__ void store(__half* columns, int to_stride) const {
    int i = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int c = 0; c < kHeld; ++c, i += n_threads()) store_group(columns, to_stride, i, held_[c]);
#pragma unroll 1
    while (i < n_rows_ * n_groups_) {
      float4 more[kMore];  // all on their way before the first is stored
#pragma unroll
      for (int c = 0; c < kMore; ++c) more[c] = load(i + c * n_threads());
#pragma unroll
      for (int c = 0; c < kMore; ++c, i += n_threads()) store_group(columns, to_stride, i, more[c]);
    }
  }

 private:
  __device__ __forceinline__ float4 load(int i) const {
    const int row = i / n_groups_;
    const int at = (i - row * n_groups_) * 4;
    if (row >= n_rows_ || at >= width_) return make_float4(0, 0, 0, 0);
    return *reinterpret_cast<const float4*>(x_ + row * row_stride_ + at);
  }
  __device__ __forceinline__ void store_group(__half* columns, int to_stride, int i, float4 v) const {
    const int row = i / n_groups_;
    if (row < n_rows_) store_columns(columns + row * to_stride, (i - row * n_groups_) * 4, to_halves(v));
  }

  const float* x_;
  int64_t row_stride_;
  int n_rows_, width_, n_groups_;
  float4 held_[kHeld];
};

/// A token that exists, for this lane of a product: tokens behind the last do no harm.
__device__ __forceinline__ int lane_token(int n_tokens) {
  return min(lane_id() / 4, n_tokens - 1);
}

/// Leaves a tile's sums for the block: partial [unit][token][row].
__device__ __forceinline__ void store_partial(float* partial, int unit, int n_tokens, const float (&sum)[4]) {
  const int lane = lane_id();
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + 8 * (i / 2);
    const int token = lane % 4 * 2 + i % 2;
    if (token < n_tokens) partial[(unit * n_tokens + token) * kTileRows + row] = sum[i];
  }
}

/// Sum of the tiles of one row of tiles, in ascending order.
__device__ __forceinline__ float sum_blocks(const float* partial, int first_unit, int n_blocks, int n_tokens, int token,
                                            int row) {
  const float* at = partial + (first_unit * n_tokens + token) * kTileRows + row;
  float sum = 0;
#pragma unroll 4
  for (int b = 0; b < n_blocks; ++b) sum += at[b * n_tokens * kTileRows];
  return sum;
}

/// A warp's places for tiles in shared memory. A block has a warp for each tile, or for each kPlaces of them, where it
/// can, so that all copies are under way at once; a warp with more takes them as places become free.
template <PackedFormat kFormat, int kPlaces = 1>
struct WarpTiles {
  static constexpr int kBytes = tile_layout(kFormat).bytes();

  /// Starts the copies of the warp's first units: first (the warp's own number among n_takers that take units), first +
  /// n_takers, ....
  template <class TileOf>
  __device__ __forceinline__ static void start(uint8_t* places, int first, int n_takers, int n_units, TileOf tile_of) {
#pragma unroll
    for (int p = 0; p < kPlaces; ++p) {
      const int unit = first + p * n_takers;
      if (unit < n_units) copy_tile<kFormat>(places + p * kBytes, tile_of(unit), lane_id());
      cp_async_commit();
    }
  }
  /// Multiplies all of the warp's units; tile_of(unit) is where a unit's tile lies, column_of(unit) this lane's token
  /// at the tile's first column. PRECOND: start() with the same units.
  template <class TileOf, class ColumnOf>
  __device__ __forceinline__ static void multiply(uint8_t* places, int first, int n_takers, int n_units, int n_tokens,
                                                  float* partial, TileOf tile_of, ColumnOf column_of) {
    uint8_t* place = places;
#pragma unroll 1
    for (int unit = first; unit < n_units; unit += n_takers) {
      const __half* column = column_of(unit);
      cp_async_wait<kPlaces - 1>();
      __syncwarp();
      float sum[4];
      tile_product<kFormat>(sum, place, column, lane_id());
      store_partial(partial, unit, n_tokens, sum);
      __syncwarp();
      const int ahead = unit + kPlaces * n_takers;
      if (ahead < n_units) copy_tile<kFormat>(place, tile_of(ahead), lane_id());
      cp_async_commit();
      place = place == places + (kPlaces - 1) * kBytes ? places : place + kBytes;
    }
  }
};

inline size_t columns_bytes(int n_tokens, int n_blocks) {
  return static_cast<size_t>(n_tokens) * static_cast<size_t>(n_blocks * kTileColumns + kColumnPad) * sizeof(__half);
}
inline size_t partial_bytes(int n_units, int n_tokens) {
  return static_cast<size_t>(n_units * n_tokens * kTileRows) * sizeof(float);
}

/// A block with a warp for each unit, as far as threads and shared memory go.
inline LaunchShape block_for(const Stream& stream, dim3 grid, int n_units, int most_warps, int tile_bytes,
                             size_t other_bytes) {
  const int fitting = static_cast<int>((stream.shared_bytes - std::min(stream.shared_bytes, other_bytes)) /
                                       static_cast<size_t>(tile_bytes));
  const int warps = std::clamp(std::min(n_units, fitting), kLeastWarps, most_warps);
  return {grid, dim3(static_cast<unsigned>(warps * 32)),
          static_cast<size_t>(warps) * static_cast<size_t>(tile_bytes) + other_bytes};
}

/// Tokens of one launch: as many as shared memory has room for beside the fewest warps' tiles.
inline int fitting_tokens(const Stream& stream, int n_tokens, int n_blocks, int n_units, int tile_bytes) {
  const auto fits = [&](int t) {
    return static_cast<size_t>(kLeastWarps) * static_cast<size_t>(tile_bytes) + columns_bytes(t, n_blocks) +
               partial_bytes(n_units, t) <=
           stream.shared_bytes;
  };
  while (n_tokens > 1 && !fits(n_tokens)) --n_tokens;
  if (!fits(n_tokens)) fail("rows of {} values are too long for this GPU's shared memory", n_blocks * kTileColumns);
  return n_tokens;
}

}  // namespace glint::cuda
