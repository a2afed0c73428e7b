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

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / 32;
constexpr int kMostHeads = 24;
constexpr int kHeadTiles = kMostHeads / 8;
constexpr int kWidth = 576;  // of a cached row
constexpr int kValues = kSplitValues;
constexpr int kChunks = kWidth / 8;
constexpr int kValueTiles = kValues / 16 / kWarps;  // of a warp
constexpr int kStagedPitch = kValues + 8;           // halves: four heads' values lie in different banks
/// Blocks of a row up to which they take runs: so few have several splits each even of short contexts, and what they
/// leave in memory costs more than to add it up.
constexpr int kMostBlocksOfRuns = 4;

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

/// Sixteens of a tile's rows whose scores a warp makes: two where they leave warps enough, since queries are then read
/// half as often.
constexpr int score_row_tiles(int tile) {
  return tile >= 64 ? 2 : 1;
}
/// Into how many parts of whole steps of 16 columns the warps that share rows cut the width of their scores.
constexpr int score_parts(int tile) {
  int parts = kWarps / (tile / 16 / score_row_tiles(tile));
  while (kWidth / 16 % parts != 0) --parts;
  return parts;
}

/// What a block of the split kernel has in shared memory.
template <int kTile, int kStages>
struct DecodeShared {
  static constexpr int kParts = score_parts(kTile);
  __half tiles[kStages][kTile * kWidth];
  __half q[kMostHeads * kWidth];
  union {
    float scores[kParts][kMostHeads][kTile + 2];
    __half staged[kMostHeads * kStagedPitch];  // values on their way to memory, when the scores have been used
  };
  __half p[kMostHeads][kTile + 8];
  float shrink[kMostHeads];
  float largest[kMostHeads];
  float sum[kMostHeads];
  Running running[kMostHeads];  // of a run of splits, with the split that ends
  float inverse[kMostHeads];    // 1 / sum of the split that ends
};

/// Starts the copy of `kTile` rows from `position` on, which is cached row `first`; rows from `end` on become zeros,
/// and those of positions [first_new, end) are left out.
template <int kTile>
__device__ __forceinline__ void copy_tile(__half* tile, const DecodeArgs& args, int64_t first, int position,
                                          int first_new, int end) {
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

/// Scores of a tile: a warp takes some rows and a part of the width.
template <int kTile, int kStages>
__device__ __forceinline__ void score_tile(DecodeShared<kTile, kStages>& shared, __half* tile) {
  constexpr int kRowTiles = score_row_tiles(kTile);
  constexpr int kSharers = kTile / 16 / kRowTiles;
  constexpr int kParts = DecodeShared<kTile, kStages>::kParts;
  constexpr int kSteps = kWidth / 16 / kParts;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int first_row = warp % kSharers * kRowTiles * 16;
  const int part = warp / kSharers;
  if (part >= kParts) return;
  float sums[kRowTiles][kHeadTiles][4] = {};
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const int chunk = (part * kSteps + s) * 2;
    uint32_t b[4];
    ldmatrix_x4(b, tile_chunk(shared.q, lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2));
    uint32_t c[2];
    ldmatrix_x2(c, tile_chunk(shared.q, 16 + lane % 8, chunk + lane / 8 % 2));
#pragma unroll
    for (int r = 0; r < kRowTiles; ++r) {
      uint32_t a[4];
      ldmatrix_x4(a, tile_chunk(tile, first_row + r * 16 + lane / 8 % 2 * 8 + lane % 8, chunk + lane / 16));
      mma_f16(sums[r][0], a, b[0], b[1]);
      mma_f16(sums[r][1], a, b[2], b[3]);
      mma_f16(sums[r][2], a, c[0], c[1]);
    }
  }
#pragma unroll
  for (int r = 0; r < kRowTiles; ++r) {
#pragma unroll
    for (int h = 0; h < kHeadTiles; ++h) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        shared.scores[part][h * 8 + lane % 4 * 2 + i % 2][first_row + r * 16 + lane / 4 + 8 * (i / 2)] = sums[r][h][i];
    }
  }
}

/// The running softmax over a tile's scores; half a warp takes a head. Where a split ends that is one of a run, the
/// run's softmax takes it up.
template <int kTile, int kStages>
__device__ __forceinline__ void soften_tile(DecodeShared<kTile, kStages>& shared, int n_valid, float scale,
                                            bool ends_split_of_run) {
  static_assert(kThreads / 16 >= kMostHeads);
  constexpr int kRows = kTile / 16;  // of a lane
  const int lane = static_cast<int>(threadIdx.x) % 16;
  const int h = static_cast<int>(threadIdx.x) / 16;
  if (h >= kMostHeads) return;
  const float before = shared.largest[h];
  const float sum_before = shared.sum[h];
  float largest = before;
  float score[kRows];
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int row = lane + 16 * i;
    float sum = 0;
#pragma unroll
    for (int p = 0; p < DecodeShared<kTile, kStages>::kParts; ++p) sum += shared.scores[p][h][row];
    score[i] = row < n_valid ? sum * scale : -INFINITY;
    largest = fmaxf(largest, score[i]);
  }
#pragma unroll
  for (int other = 8; other > 0; other /= 2) largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, other));
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const float p = exp2f(score[i] - largest);
    shared.p[h][lane + 16 * i] = __float2half_rn(p);
    sum += p;
  }
#pragma unroll
  for (int other = 8; other > 0; other /= 2) sum += __shfl_xor_sync(kAllLanes, sum, other);
  if (lane == 0) {
    const float shrink = exp2f(before - largest);
    sum = __fmaf_rn(sum_before, shrink, sum);
    shared.shrink[h] = shrink;
    shared.largest[h] = largest;
    shared.sum[h] = sum;
    if (ends_split_of_run) {
      shared.inverse[h] = 1.0f / sum;
      shared.running[h].add(make_float2(largest, sum));
    }
  }
}

/// A warp's share of a split's values: of all heads, kValueTiles times 16 values.
using ValueSums = float[kValueTiles][kHeadTiles][4];

/// out = out * shrink + values^T p.
template <int kTile, int kStages>
__device__ __forceinline__ void add_values(ValueSums& out, DecodeShared<kTile, kStages>& shared, __half* tile) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int h = 0; h < kHeadTiles; ++h) {
    const float even = shared.shrink[h * 8 + lane % 4 * 2];
    const float odd = shared.shrink[h * 8 + lane % 4 * 2 + 1];
#pragma unroll
    for (int m = 0; m < kValueTiles; ++m) {
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
    for (int m = 0; m < kValueTiles; ++m) {
      uint32_t a[4];
      ldmatrix_x4_transposed(
          a, tile_chunk(tile, step * 16 + lane / 16 * 8 + lane % 8, (warp * kValueTiles + m) * 2 + lane / 8 % 2));
#pragma unroll
      for (int h = 0; h < kHeadTiles; ++h) mma_f16(out[m][h], a, b[h][0], b[h][1]);
    }
  }
}

/// Queries in f16; heads that do not exist are zeros. All are asked for before the first is stored.
__device__ __forceinline__ void load_queries(__half* q, const DecodeArgs& args, int row) {
  constexpr int kGroups = kMostHeads * kWidth / 4;
  constexpr int kOfThread = (kGroups + kThreads - 1) / kThreads;
  float4 values[kOfThread];
#pragma unroll
  for (int c = 0; c < kOfThread; ++c) {
    const int group = static_cast<int>(threadIdx.x) + c * kThreads;
    const int head = group / (kWidth / 4);
    values[c] = make_float4(0, 0, 0, 0);
    if (head < args.splits.n_heads) {
      values[c] = *reinterpret_cast<const float4*>(args.q.data + row * args.q.row_stride + head * args.q.head_stride +
                                                   group % (kWidth / 4) * 4);
    }
  }
#pragma unroll
  for (int c = 0; c < kOfThread; ++c) {
    const int group = static_cast<int>(threadIdx.x) + c * kThreads;
    if (group >= kGroups) break;
    const int at = group % (kWidth / 4) * 4;
    auto* to = reinterpret_cast<__half2*>(tile_chunk(q, group / (kWidth / 4), at / 8) + at % 8);
    to[0] = __floats2half2_rn(values[c].x, values[c].y);
    to[1] = __floats2half2_rn(values[c].z, values[c].w);
  }
}

/// Adds the values of a split that has ended to those of its run.
template <int kTile, int kStages>
__device__ __forceinline__ void add_split_to_run(ValueSums& run, const DecodeShared<kTile, kStages>& shared,
                                                 const ValueSums& out) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int h = 0; h < kHeadTiles; ++h) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      const int head = h * 8 + lane % 4 * 2 + odd;
      const float inverse = shared.inverse[head];
      const float keep = shared.running[head].keep;
      const float share = shared.running[head].share;
#pragma unroll
      for (int m = 0; m < kValueTiles; ++m) {
#pragma unroll
        for (int i = odd; i < 4; i += 2) {
          const float value = __half2float(__float2half_rn(__fmul_rn(out[m][h][i], inverse)));
          run[m][h][i] = add_to_run(run[m][h][i], keep, share, value);
        }
      }
    }
  }
}

/// Leaves the values and states of a split, or of a run, in memory, by way of shared memory: a lane's values lie eight
/// heads apart. state(head): (largest score, sum).
template <int kTile, int kStages, class State>
__device__ __forceinline__ void store_values(const MlaSplits& splits, DecodeShared<kTile, kStages>& shared,
                                             const ValueSums& out, int row, int place, State state) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int h = 0; h < kHeadTiles; ++h) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      const int head = h * 8 + lane % 4 * 2 + odd;
      const float inverse = 1.0f / state(head).y;
#pragma unroll
      for (int m = 0; m < kValueTiles; ++m) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          shared.staged[head * kStagedPitch + (warp * kValueTiles + m) * 16 + lane / 4 + 8 * i] =
              __float2half_rn(__fmul_rn(out[m][h][odd + 2 * i], inverse));
        }
      }
    }
  }
  __syncthreads();
  auto* to = reinterpret_cast<uint4*>(splits.values_of(row, place));
  for (int i = static_cast<int>(threadIdx.x); i < splits.n_heads * kValues / 8; i += kThreads) {
    const int head = i / (kValues / 8);
    to[i] = reinterpret_cast<const uint4*>(shared.staged)[head * kStagedPitch / 8 + i % (kValues / 8)];
  }
  for (int h = static_cast<int>(threadIdx.x); h < splits.n_heads; h += kThreads)
    splits.states_of(row, place)[h] = state(h);
}

/// The tiles that a block takes one after the other: those of every so manieth run.
template <int kTile>
struct TileWalk {
  int n, length, run, split, first, end;
  __device__ __forceinline__ TileWalk(int n_, int run_, int block)
      : n(n_), length(split_length(n_)), run(run_), split(block * run_) {
    start_split();
  }
  __device__ __forceinline__ bool done() const { return first >= n; }
  __device__ __forceinline__ bool is_last_of_split() const { return first + kTile >= end; }
  __device__ __forceinline__ bool is_last_of_run() const {
    return is_last_of_split() && ((split + 1) % run == 0 || end == n);
  }
  __device__ __forceinline__ void advance(int n_blocks) {
    first += kTile;
    if (first < end) return;
    ++split;
    if (split % run == 0) split += (n_blocks - 1) * run;
    start_split();
  }

 private:
  __device__ __forceinline__ void start_split() {
    first = split * length;
    end = min(n, first + length);
  }
};

__device__ __forceinline__ void clear(ValueSums& sums) {
#pragma unroll
  for (int m = 0; m < kValueTiles; ++m) {
#pragma unroll
    for (int h = 0; h < kHeadTiles; ++h) sums[m][h][0] = sums[m][h][1] = sums[m][h][2] = sums[m][h][3] = 0;
  }
}

/// Grid: (blocks of a row, rows).
template <int kTile, int kStages>
__global__ void __launch_bounds__(kThreads, 1) mla_split_kernel(DecodeArgs args) {
  auto& shared = *dynamic_shared<DecodeShared<kTile, kStages>>();
  const MlaSplits& splits = args.splits;
  const int row = static_cast<int>(blockIdx.y);
  const int thread = static_cast<int>(threadIdx.x);
  const auto n_blocks = static_cast<int>(gridDim.x);
  // Positions and pages were there before the kernel before this one, and so was all of the cache but the step's rows.
  const int n = splits.positions[row] + 1;
  const int sequence = args.sequences[row];
  const int first_new = n - args.n_batch;
  const auto cached_row = [&](const TileWalk<kTile>& at) {
    return at.done() ? 0 : cache_row(args.page_table, args.max_pages, sequence, at.first);
  };
  const int n_together = splits.in_runs ? kRunSplits : 1;  // splits that leave one result
  TileWalk<kTile> ahead(n, n_together, static_cast<int>(blockIdx.x));
  TileWalk<kTile> now = ahead;
  if (now.done()) return;
  TileWalk<kTile> filled = ahead;
#pragma unroll
  for (int s = 0; s < kStages; ++s) {
    if (!ahead.done()) {
      copy_tile<kTile>(shared.tiles[s], args, cached_row(ahead), ahead.first, first_new, ahead.end);
      ahead.advance(n_blocks);
    }
    cp_async_commit();
  }
  wait_for_previous_kernel();
  let_next_kernel_start();
  load_queries(shared.q, args, row);
  for (int s = 0; s < kStages && !filled.done(); ++s, filled.advance(n_blocks))
    copy_new_rows<kTile>(shared.tiles[s], args, sequence, filled.first, first_new, filled.end);
  ValueSums out;
  ValueSums run;
  bool begins_split = true;
  bool begins_run = true;
  for (int t = 0; !now.done(); ++t) {
    const int64_t row_ahead = cached_row(ahead);  // on its way until the copy starts
    __half* tile = shared.tiles[t % kStages];
    cp_async_wait<kStages - 1>();
    __syncthreads();
    if (begins_split) {
      if (thread < kMostHeads) {
        shared.largest[thread] = -INFINITY;
        shared.sum[thread] = 0;
      }
      clear(out);
    }
    if (begins_run) {
      if (thread < kMostHeads) shared.running[thread] = Running();
      clear(run);
    }
    score_tile(shared, tile);
    __syncthreads();
    begins_split = now.is_last_of_split();
    soften_tile(shared, now.end - now.first, args.scale, begins_split && splits.in_runs);
    __syncthreads();
    add_values(out, shared, tile);
    __syncthreads();
    if (!ahead.done()) {
      copy_tile<kTile>(tile, args, row_ahead, ahead.first, n, ahead.end);
      ahead.advance(n_blocks);
    }
    cp_async_commit();
    begins_run = now.is_last_of_run();
    if (begins_split && !splits.in_runs) {
      store_values(splits, shared, out, row, now.split,
                   [&](int head) { return make_float2(shared.largest[head], shared.sum[head]); });
    } else if (begins_split) {
      add_split_to_run(run, shared, out);
      if (begins_run) {
        store_values(splits, shared, run, row, now.split / kRunSplits,
                     [&](int head) { return make_float2(shared.running[head].largest, shared.running[head].sum); });
      }
    }
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
  const int n_parts = blocks_for(q.n_rows, workspace.attention_rows() * kRunSplits);
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
  const int most_rows = workspace.attention_rows();  // without runs
  GLINT_CHECK(n_rows > 0 && n_rows <= most_rows * kRunSplits);
  float* memory = workspace.floats(stream, mla_decode_floats(most_rows, q.n_heads, kValues));
  auto* states = reinterpret_cast<float2*>(memory);
  // A block a multiprocessor: more would wait, and each has to fetch its queries.
  const int n_blocks = std::clamp(stream.n_multiprocessors / n_rows, 1, kMostSplits);
  const MlaSplits splits{
      .values = reinterpret_cast<__half*>(states + static_cast<int64_t>(most_rows) * kMostSplits * q.n_heads),
      .states = states,
      .positions = batch.positions + first_row,
      .n_rows = n_rows,
      .n_heads = q.n_heads,
      .in_runs = n_blocks <= kMostBlocksOfRuns || n_rows > most_rows};
  const DecodeArgs args{.q = q.rows(first_row, n_rows),
                        .cache = static_cast<const __half*>(layer.k),
                        .sequences = batch.sequences + first_row,
                        .page_table = batch.page_table,
                        .max_pages = batch.max_pages,
                        .n_batch = q.n_rows,
                        .scale = scale * kLog2E,
                        .splits = splits};
  const dim3 grid(static_cast<unsigned>(n_blocks), static_cast<unsigned>(n_rows));
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
