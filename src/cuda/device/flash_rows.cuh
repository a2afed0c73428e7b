// SPDX-License-Identifier: Apache-2.0
//
// Which query rows and heads the blocks of flash_attend.cu have, and which pages these see.
#pragma once

#include "cuda/device/page_attention.cuh"

namespace glint::cuda {

/// What was found in each page of each row's context; only those that the row sees are written.
struct PageResults {
  float* values = nullptr;      // [n_rows, n_pages, n_heads, d_head], not divided by the sum
  FoldState* states = nullptr;  // [n_rows, n_pages, n_heads]
  int n_pages = 0;
  int n_heads = 0;
  __device__ __forceinline__ int64_t at(int row, int page, int head) const {
    return (static_cast<int64_t>(row) * n_pages + page) * n_heads + head;
  }
};

struct FlashArgs {
  Tensor out;
  Tensor q;
  KvLayer layer;
  AttendParams params;
  const int32_t* positions;
  const int32_t* sequences;
  const int32_t* page_table;
  int max_pages;
  int n_step;        // rows of the step: as many of a sequence's last positions may be of the kernel before
  int n_group;       // query heads of a key/value head
  int n_tile_heads;  // of these in a tile of rows
  int n_tile_rows;   // query rows of it at most, of one sequence
  bool shares_tile;  // values take the keys' place
  PageResults results;
};

/// Pages that rows at positions [first_position, last_position] see: [first, end).
struct PageRange {
  int first;
  int end;
  __device__ __forceinline__ PageRange(int first_position, int last_position, int window)
      : first(window > 0 ? max(0, first_position - window + 1) / kPageTokens : 0),
        end(last_position / kPageTokens + 1) {}
};

/// The query rows and heads of a block: packed row r is query row r / n_tile_heads, head r % n_tile_heads.
struct RowTile {
  int kv, first_head, n_heads, first_row, n_rows;
  /// The tile-th of tiles that are full, but for the last.
  static __device__ __forceinline__ RowTile full(const FlashArgs& args, int head_tile, int tile) {
    const int first_row = tile * args.n_tile_rows;
    return RowTile(args, head_tile, first_row, min(args.n_tile_rows, args.q.n_rows - first_row));
  }
  /// The rows from `row` on that are of one sequence, where no row before it takes it along: n_rows is 0 then.
  static __device__ __forceinline__ RowTile of_one_sequence(const FlashArgs& args, int head_tile, int row) {
    const int sequence = args.sequences[row];
    const int end = min((row / args.n_tile_rows + 1) * args.n_tile_rows, args.q.n_rows);
    int n_rows = row % args.n_tile_rows == 0 || args.sequences[row - 1] != sequence ? 1 : 0;
    while (n_rows > 0 && row + n_rows < end && args.sequences[row + n_rows] == sequence) ++n_rows;
    return RowTile(args, head_tile, row, n_rows);
  }

 private:
  __device__ __forceinline__ RowTile(const FlashArgs& args, int head_tile, int first_row_, int n_rows_)
      : first_row(first_row_), n_rows(n_rows_) {
    const int n_head_tiles = (args.n_group + args.n_tile_heads - 1) / args.n_tile_heads;
    const int in_group = head_tile % n_head_tiles * args.n_tile_heads;
    kv = head_tile / n_head_tiles;
    first_head = kv * args.n_group + in_group;
    n_heads = min(args.n_tile_heads, args.n_group - in_group);
  }
};

/// Where a packed row comes from; those that do not exist are like the tile's last.
struct PackedRow {
  int row, head;
  bool exists;
  __device__ __forceinline__ PackedRow(const FlashArgs& args, const RowTile& tile, int packed) {
    const int in_tile = packed / args.n_tile_heads;
    const int in_heads = packed % args.n_tile_heads;
    exists = in_tile < tile.n_rows && in_heads < tile.n_heads;
    row = tile.first_row + min(in_tile, tile.n_rows - 1);
    head = tile.first_head + min(in_heads, tile.n_heads - 1);
  }
};

/// Queries as f16; zeros where there are none.
template <class Shape>
__device__ __forceinline__ void load_queries(__half* to, const FlashArgs& args, const RowTile& tile) {
  for (int i = static_cast<int>(threadIdx.x); i < Shape::kRows * Shape::kChunks; i += Shape::kThreads) {
    const PackedRow packed(args, tile, i / Shape::kChunks);
    float v[8] = {};
    if (packed.exists) {
      const float* from = args.q.data + packed.row * args.q.row_stride + packed.head * args.q.head_stride;
#pragma unroll
      for (int c = 0; c < 8; ++c) v[c] = from[i % Shape::kChunks * 8 + c];
    }
    const uint2 low = to_halves(make_float4(v[0], v[1], v[2], v[3]));
    const uint2 high = to_halves(make_float4(v[4], v[5], v[6], v[7]));
    *reinterpret_cast<uint4*>(page_chunk<Shape>(to, i / Shape::kChunks, i % Shape::kChunks)) =
        make_uint4(low.x, low.y, high.x, high.y);
  }
}

/// The largest score and the sum before a row's first page: a sink's, or nothing's.
__device__ __forceinline__ FoldState first_state(const AttendParams& params, int head) {
  if (params.sinks == nullptr) return {};
  return {__fmul_rn(params.sinks[head], kLog2E), 1.0f};
}

/// A warp's part of a tile of rows. Of each tile of 16, a lane has rows lane / 4 and lane / 4 + 8.
template <class Shape>
struct WarpRows {
  static constexpr int kLaneRows = 2 * Shape::kRowTiles;
  int first = static_cast<int>(threadIdx.x) / 32 * (16 * Shape::kRowTiles);
  int first_position, last_position;
  int positions[kLaneRows];

  __device__ __forceinline__ WarpRows(const FlashArgs& args, const RowTile& tile) {
    first_position = args.positions[PackedRow(args, tile, first).row];
    last_position = args.positions[PackedRow(args, tile, first + 16 * Shape::kRowTiles - 1).row];
#pragma unroll
    for (int r = 0; r < kLaneRows; ++r) positions[r] = args.positions[PackedRow(args, tile, packed(r)).row];
  }
  /// Of the tile, of a lane's row r.
  __device__ __forceinline__ int packed(int r) const {
    return first + r / 2 * 16 + r % 2 * 8 + static_cast<int>(threadIdx.x) % 32 / 4;
  }
  __device__ __forceinline__ bool sees(int page, int window) const {
    return page * kPageTokens <= last_position &&
           (window == 0 || (page + 1) * kPageTokens > first_position - window + 1);
  }
  __device__ __forceinline__ bool sees_all(int page, int window) const {
    return (page + 1) * kPageTokens - 1 <= first_position &&
           (window == 0 || page * kPageTokens > last_position - window);
  }
  /// Probabilities in a page.
  template <bool kMasked>
  __device__ __forceinline__ void soften(PageProbabilities<Shape>& p, PageScores<Shape>& scores,
                                         FoldState (&states)[kLaneRows], const ScoreScale& scale, int page,
                                         int window) const {
#pragma unroll
    for (int r = 0; r < kLaneRows; ++r) {
      const int end = positions[r] + 1 - page * kPageTokens;
      states[r] = soften_row<kMasked>(p[r / 2], scores[r / 2], r % 2, scale, {window > 0 ? end - window : 0, end});
    }
  }
};

}  // namespace glint::cuda
