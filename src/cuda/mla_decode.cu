// SPDX-License-Identifier: Apache-2.0
#include "cuda/mla_decode.h"

#include <algorithm>

#include "base/check.h"
#include "cuda/device/cache.cuh"
#include "cuda/device/input.cuh"
#include "cuda/device/mla_splits.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/reduce.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kMostHeads = 24;
constexpr int kHeadTiles = kMostHeads / 8;
constexpr int kWidth = 576;  // of a cached row
constexpr int kValues = kSplitValues;
constexpr int kChunks = kWidth / 8;
constexpr float kLog2E = 1.4426950408889634f;

/// Chunk (8 values) of a row of a tile in shared memory; permuted so that eight rows' lie in eight banks.
__device__ __forceinline__ __half* tile_chunk(__half* tile, int row, int chunk) {
  return tile + row * kWidth + ((chunk ^ (row & 7)) * 8);
}

struct DecodeArgs {
  Tensor q;
  const __half* cache;
  const int32_t* sequences;
  const int32_t* page_table;
  int max_pages;
  int n_batch;  // rows of the step: as many of the last positions may be of rows that the kernel before writes
  float scale;  // times log2(e)
  MlaSplits splits;
};

/// What a block of the split kernel has in shared memory.
template <int kTile, int kStages>
struct DecodeShared {
  __half tiles[kStages][kTile * kWidth];
  __half q[kMostHeads * kWidth];
  float scores[kWarps / (kTile / 16)][kMostHeads][kTile + 2];
  __half p[kMostHeads][kTile + 8];
  float shrink[kMostHeads];
  float largest[kMostHeads];
  float sum[kMostHeads];
};

/// Starts the copy of `kTile` rows from `position` on; rows from `end` on become zeros, and those of positions
/// [first_new, end) are left out.
template <int kTile>
__device__ __forceinline__ void copy_tile(__half* tile, const DecodeArgs& args, int sequence, int position,
                                          int first_new, int end) {
  const int64_t first = cache_row(args.page_table, args.max_pages, sequence, position);
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kChunks; i += kThreads) {
    const int row = i / kChunks;
    const bool valid = position + row < end;
    if (valid && position + row >= first_new) continue;
    cp_async_16(tile_chunk(tile, row, i % kChunks), args.cache + (first + (valid ? row : 0)) * kWidth + i % kChunks * 8,
                valid);
  }
}

/// Copies the rows that copy_tile left out.
template <int kTile>
__device__ __forceinline__ void copy_new_rows(__half* tile, const DecodeArgs& args, int sequence, int position,
                                              int first_new, int end) {
  const int from = max(first_new - position, 0);
  const int n_rows = min(end - position, kTile) - from;
  for (int i = static_cast<int>(threadIdx.x); i < n_rows * kChunks; i += kThreads) {
    const int row = from + i / kChunks;
    const int64_t at = cache_row(args.page_table, args.max_pages, sequence, position + row);
    *reinterpret_cast<uint4*>(tile_chunk(tile, row, i % kChunks)) =
        *reinterpret_cast<const uint4*>(args.cache + at * kWidth + i % kChunks * 8);
  }
}

/// Scores of a tile: a warp takes 16 rows and a part of the width.
template <int kTile, int kStages>
__device__ __forceinline__ void score_tile(DecodeShared<kTile, kStages>& shared, __half* tile) {
  constexpr int kRowTiles = kTile / 16;
  constexpr int kParts = kWarps / kRowTiles;
  constexpr int kSteps = kWidth / 16 / kParts;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int row_tile = warp % kRowTiles;
  const int part = warp / kRowTiles;
  // Two chains of sums, so that one step need not wait for the one before.
  float sums[2][kHeadTiles][4] = {};
#pragma unroll 6
  for (int s = 0; s < kSteps; ++s) {
    const int chunk = (part * kSteps + s) * 2;
    auto& sum = sums[s % 2];
    uint32_t a[4];
    ldmatrix_x4(a, tile_chunk(tile, row_tile * 16 + lane / 8 % 2 * 8 + lane % 8, chunk + lane / 16));
    uint32_t b[4];
    ldmatrix_x4(b, tile_chunk(shared.q, lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2));
    uint32_t c[2];
    ldmatrix_x2(c, tile_chunk(shared.q, 16 + lane % 8, chunk + lane / 8 % 2));
    mma_f16(sum[0], a, b[0], b[1]);
    mma_f16(sum[1], a, b[2], b[3]);
    mma_f16(sum[2], a, c[0], c[1]);
  }
#pragma unroll
  for (int h = 0; h < kHeadTiles; ++h) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      shared.scores[part][h * 8 + lane % 4 * 2 + i % 2][row_tile * 16 + lane / 4 + 8 * (i / 2)] =
          sums[0][h][i] + sums[1][h][i];
    }
  }
}

/// The running softmax over a tile's scores; a warp takes three heads.
template <int kTile, int kStages>
__device__ __forceinline__ void soften_tile(DecodeShared<kTile, kStages>& shared, int n_valid, float scale) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int part = 0; part < kMostHeads / kWarps; ++part) {
    const int h = static_cast<int>(threadIdx.x) / 32 + part * kWarps;
    float score[kTile / 32];
    float largest = shared.largest[h];
    const float before = largest;
#pragma unroll
    for (int i = 0; i < kTile / 32; ++i) {
      const int row = lane + 32 * i;
      float sum = 0;
#pragma unroll
      for (int p = 0; p < kWarps / (kTile / 16); ++p) sum += shared.scores[p][h][row];
      score[i] = row < n_valid ? sum * scale : -INFINITY;
      largest = fmaxf(largest, score[i]);
    }
    largest = warp_max(largest);
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kTile / 32; ++i) {
      const float p = exp2f(score[i] - largest);
      shared.p[h][lane + 32 * i] = __float2half_rn(p);
      sum += p;
    }
    sum = warp_sum(sum);
    __syncwarp();  // all lanes have read largest[h]
    if (lane == 0) {
      const float shrink = exp2f(before - largest);
      shared.shrink[h] = shrink;
      shared.largest[h] = largest;
      shared.sum[h] = __fmaf_rn(shared.sum[h], shrink, sum);
    }
  }
}

/// out = out * shrink + values^T p; a warp takes 64 of the values.
template <int kTile, int kStages>
__device__ __forceinline__ void add_values(float (&out)[4][kHeadTiles][4], DecodeShared<kTile, kStages>& shared,
                                           __half* tile) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int h = 0; h < kHeadTiles; ++h) {
    const float even = shared.shrink[h * 8 + lane % 4 * 2];
    const float odd = shared.shrink[h * 8 + lane % 4 * 2 + 1];
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      out[m][h][0] *= even;
      out[m][h][1] *= odd;
      out[m][h][2] *= even;
      out[m][h][3] *= odd;
    }
  }
#pragma unroll
  for (int step = 0; step < kTile / 16; ++step) {
    uint32_t b[kHeadTiles][2];
#pragma unroll
    for (int h = 0; h < kHeadTiles; ++h) {
      const auto* p = reinterpret_cast<const uint32_t*>(&shared.p[h * 8 + lane / 4][step * 16]);
      b[h][0] = p[lane % 4];
      b[h][1] = p[lane % 4 + 4];
    }
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      uint32_t a[4];
      ldmatrix_x4_transposed(a,
                             tile_chunk(tile, step * 16 + lane / 16 * 8 + lane % 8, (warp * 4 + m) * 2 + lane / 8 % 2));
#pragma unroll
      for (int h = 0; h < kHeadTiles; ++h) mma_f16(out[m][h], a, b[h][0], b[h][1]);
    }
  }
}

/// Queries in f16; heads that do not exist are zeros.
__device__ __forceinline__ void load_queries(__half* q, const DecodeArgs& args, int row) {
  constexpr int kGroups = kMostHeads * kWidth / 4;
#pragma unroll
  for (int c = 0; c < (kGroups + kThreads - 1) / kThreads; ++c) {
    const int group = static_cast<int>(threadIdx.x) + c * kThreads;
    const int head = group / (kWidth / 4);
    const int at = group % (kWidth / 4) * 4;
    if (group >= kGroups) break;
    float4 v = make_float4(0, 0, 0, 0);
    if (head < args.splits.n_heads) {
      v = *reinterpret_cast<const float4*>(args.q.data + row * args.q.row_stride + head * args.q.head_stride + at);
    }
    auto* to = reinterpret_cast<__half2*>(tile_chunk(q, head, at / 8) + at % 8);
    to[0] = __floats2half2_rn(v.x, v.y);
    to[1] = __floats2half2_rn(v.z, v.w);
  }
}

/// Leaves one split's values and states in memory, by way of shared memory (`staged`, a tile's): a lane's values lie
/// eight heads apart.
template <int kTile, int kStages>
__device__ __forceinline__ void store_split(const MlaSplits& splits, DecodeShared<kTile, kStages>& shared,
                                            __half* staged, const float (&out)[4][kHeadTiles][4], int row, int split) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int h = 0; h < kHeadTiles; ++h) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      const int head = h * 8 + lane % 4 * 2 + odd;
      const float inverse = 1.0f / shared.sum[head];
#pragma unroll
      for (int m = 0; m < 4; ++m) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          staged[head * kValues + (warp * 4 + m) * 16 + lane / 4 + 8 * i] =
              __float2half_rn(out[m][h][odd + 2 * i] * inverse);
        }
      }
    }
  }
  __syncthreads();
  auto* to = reinterpret_cast<uint4*>(splits.values_of(row, split));
  for (int i = static_cast<int>(threadIdx.x); i < splits.n_heads * kValues / 8; i += kThreads)
    to[i] = reinterpret_cast<const uint4*>(staged)[i];
  for (int h = static_cast<int>(threadIdx.x); h < splits.n_heads; h += kThreads)
    splits.states_of(row, split)[h] = make_float2(shared.largest[h], shared.sum[h]);
}

/// The tiles that a block takes one after the other: those of every so manieth split.
template <int kTile>
struct TileWalk {
  int n, length, split, first, end;
  __device__ __forceinline__ TileWalk(int n_, int first_split) : n(n_), length(split_length(n_)), split(first_split) {
    start_split();
  }
  __device__ __forceinline__ bool done() const { return first >= n; }
  __device__ __forceinline__ bool is_last_of_split() const { return first + kTile >= end; }
  __device__ __forceinline__ void advance(int n_blocks) {
    first += kTile;
    if (first < end) return;
    split += n_blocks;
    start_split();
  }

 private:
  __device__ __forceinline__ void start_split() {
    first = split * length;
    end = min(n, first + length);
  }
};

/// Grid: (blocks of a row, rows).
template <int kTile, int kStages>
__global__ void __launch_bounds__(kThreads, 1) mla_split_kernel(DecodeArgs args) {
  auto& shared = *dynamic_shared<DecodeShared<kTile, kStages>>();
  const MlaSplits& splits = args.splits;
  const int row = static_cast<int>(blockIdx.y);
  const auto n_blocks = static_cast<int>(gridDim.x);
  // Positions and pages were there before the kernel before this one, and so was all of the cache but the step's rows.
  const int n = splits.positions[row] + 1;
  const int sequence = args.sequences[row];
  const int first_new = n - args.n_batch;
  TileWalk<kTile> ahead(n, static_cast<int>(blockIdx.x));
  TileWalk<kTile> now = ahead;
  if (now.done()) return;
  TileWalk<kTile> filled = ahead;
#pragma unroll
  for (int s = 0; s < kStages; ++s) {
    if (!ahead.done()) {
      copy_tile<kTile>(shared.tiles[s], args, sequence, ahead.first, first_new, ahead.end);
      ahead.advance(n_blocks);
    }
    cp_async_commit();
  }
  wait_for_previous_kernel();
  let_next_kernel_start();
  for (int s = 0; s < kStages && !filled.done(); ++s, filled.advance(n_blocks))
    copy_new_rows<kTile>(shared.tiles[s], args, sequence, filled.first, first_new, filled.end);
  load_queries(shared.q, args, row);
  float out[4][kHeadTiles][4];
  bool is_first = true;
  for (int t = 0; !now.done(); ++t) {
    if (is_first) {
      for (int h = static_cast<int>(threadIdx.x); h < kMostHeads; h += kThreads) {
        shared.largest[h] = -INFINITY;
        shared.sum[h] = 0;
      }
#pragma unroll
      for (int m = 0; m < 4; ++m) {
#pragma unroll
        for (int h = 0; h < kHeadTiles; ++h) out[m][h][0] = out[m][h][1] = out[m][h][2] = out[m][h][3] = 0;
      }
    }
    __half* tile = shared.tiles[t % kStages];
    cp_async_wait<kStages - 1>();
    __syncthreads();
    score_tile(shared, tile);
    __syncthreads();
    soften_tile(shared, now.end - now.first, args.scale);
    __syncthreads();
    add_values(out, shared, tile);
    __syncthreads();
    is_first = now.is_last_of_split();
    if (is_first) {
      store_split(splits, shared, tile, out, row, now.split);
      __syncthreads();  // what lay there is read
    }
    if (!ahead.done()) {
      copy_tile<kTile>(tile, args, sequence, ahead.first, n, ahead.end);
      ahead.advance(n_blocks);
    }
    cp_async_commit();
    now.advance(n_blocks);
  }
}

/// Grid: (heads, rows). To f32, or to halves [row, head, values].
template <bool kHalves>
__global__ void __launch_bounds__(kFoldThreads) mla_combine_kernel(Tensor out, __half* halves, MlaSplits splits) {
  __shared__ FoldMemory memory;
  const int head = static_cast<int>(blockIdx.x);
  const int row = static_cast<int>(blockIdx.y);
  const int n_splits = count_splits(splits, row);
  wait_for_previous_kernel();
  let_next_kernel_start();
  fold_splits(memory, splits, row, n_splits, head, [&](int at, float4 v) {
    if constexpr (kHalves) {
      const int64_t first = (static_cast<int64_t>(row) * splits.n_heads + head) * kSplitValues;
      *reinterpret_cast<uint2*>(halves + first + at) = to_halves(v);
    } else {
      *reinterpret_cast<float4*>(out.data + row * out.row_stride + head * out.head_stride + at) = v;
    }
  });
}

/// Calls fn(splits, first row) for all rows, as evenly as the workspace allows.
template <class Fn>
void for_each_splits(const Stream& stream, Workspace& workspace, Tensor q, const KvLayer& layer, const Batch& batch,
                     float scale, Fn fn) {
  const int n_parts = blocks_for(q.n_rows, workspace.attention_rows());
  const int n_rows = blocks_for(q.n_rows, n_parts);
  for (int first = 0; first < q.n_rows; first += n_rows)
    fn(mla_split(stream, workspace, q, layer, batch, scale, first, std::min(n_rows, q.n_rows - first)), first);
}

LaunchShape combine_shape(const MlaSplits& splits) {
  return {dim3(static_cast<unsigned>(splits.n_heads), static_cast<unsigned>(splits.n_rows)), dim3(kFoldThreads)};
}

}  // namespace

bool mla_decode_supports(const KvLayer& layer, Tensor q, Tensor out) {
  const auto is_aligned = [](Tensor t) {
    return reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.row_stride % 4 == 0 && t.head_stride % 4 == 0;
  };
  return layer.v == nullptr && layer.k_dtype == DType::kF16 && layer.n_kv == 1 && layer.d_k == kWidth &&
         layer.d_v == kValues && q.n_heads <= kMostHeads && is_aligned(q) && is_aligned(out);
}

int64_t mla_decode_floats(int n_rows, int n_heads, int d_v) {
  return static_cast<int64_t>(n_rows) * kMostSplits * n_heads * (d_v / 2 + 2);
}

MlaSplits mla_split(const Stream& stream, Workspace& workspace, Tensor q, const KvLayer& layer, const Batch& batch,
                    float scale, int first_row, int n_rows) {
  const int most_rows = workspace.attention_rows();
  GLINT_CHECK(n_rows > 0 && n_rows <= most_rows);
  float* memory = workspace.floats(stream, mla_decode_floats(most_rows, q.n_heads, kValues));
  auto* states = reinterpret_cast<float2*>(memory);
  const MlaSplits splits{
      .values = reinterpret_cast<__half*>(states + static_cast<int64_t>(most_rows) * kMostSplits * q.n_heads),
      .states = states,
      .positions = batch.positions + first_row,
      .n_rows = n_rows,
      .n_heads = q.n_heads};
  const DecodeArgs args{.q = q.rows(first_row, n_rows),
                        .cache = static_cast<const __half*>(layer.k),
                        .sequences = batch.sequences + first_row,
                        .page_table = batch.page_table,
                        .max_pages = batch.max_pages,
                        .n_batch = q.n_rows,
                        .scale = scale * kLog2E,
                        .splits = splits};
  // A block a multiprocessor: more would wait, and each has to fetch its queries.
  const dim3 grid(static_cast<unsigned>(std::clamp(stream.n_multiprocessors / n_rows, 1, kMostSplits)),
                  static_cast<unsigned>(n_rows));
  if (stream.shared_bytes >= sizeof(DecodeShared<64, 2>)) {
    launch(stream, {grid, dim3(kThreads), sizeof(DecodeShared<64, 2>)}, mla_split_kernel<64, 2>, args);
  } else {
    launch(stream, {grid, dim3(kThreads), sizeof(DecodeShared<32, 1>)}, mla_split_kernel<32, 1>, args);
  }
  return splits;
}

void mla_decode(const Stream& stream, Workspace& workspace, Tensor out, Tensor q, const KvLayer& layer,
                const Batch& batch, float scale) {
  for_each_splits(stream, workspace, q, layer, batch, scale, [&](const MlaSplits& splits, int first) {
    launch(stream, combine_shape(splits), mla_combine_kernel<false>, out.rows(first, splits.n_rows), nullptr, splits);
  });
}

void mla_decode(const Stream& stream, Workspace& workspace, __half* out, Tensor q, const KvLayer& layer,
                const Batch& batch, float scale) {
  const int64_t d_row = static_cast<int64_t>(q.n_heads) * kSplitValues;
  for_each_splits(stream, workspace, q, layer, batch, scale, [&](const MlaSplits& splits, int first) {
    launch(stream, combine_shape(splits), mla_combine_kernel<true>, Tensor{}, out + first * d_row, splits);
  });
}

}  // namespace glint::cuda
