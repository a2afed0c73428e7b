// SPDX-License-Identifier: Apache-2.0
#include "cuda/mla_decode.h"

#include <algorithm>

#include "base/check.h"
#include "cuda/device/cache.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/device/reduce.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kMostSplits = 128;
constexpr int kRowsAtOnce = 8;
constexpr int kMostHeads = 24;
constexpr int kHeadTiles = kMostHeads / 8;
constexpr int kWidth = 576;   // of a cached row
constexpr int kValues = 512;  // of it, the values
constexpr int kChunks = kWidth / 8;
constexpr float kLog2E = 1.4426950408889634f;

/// Positions of one split of a context of n: whole pages, at most kMostSplits splits.
__device__ __forceinline__ int split_length(int n) {
  return (n + kPageTokens * kMostSplits - 1) / (kPageTokens * kMostSplits) * kPageTokens;
}

/// Chunk (8 values) of a row of a tile in shared memory; permuted so that eight rows' lie in eight banks.
__device__ __forceinline__ __half* tile_chunk(__half* tile, int row, int chunk) {
  return tile + row * kWidth + ((chunk ^ (row & 7)) * 8);
}

struct DecodeArgs {
  Tensor q;
  const __half* cache;
  const int32_t* positions;
  const int32_t* sequences;
  const int32_t* page_table;
  int max_pages;
  int n_heads;
  float scale;     // times log2(e)
  float* partial;  // [row, split, head, kValues]
  float2* state;   // [row, split, head] (largest score, sum), base 2
};

/// What a block of the split kernel has in shared memory.
template <int kTile, int kStages>
struct DecodeShared {
  __half tiles[kStages][kTile * kWidth];
  __half q[kMostHeads * kWidth];
  float scores[2][kMostHeads][kTile + 2];
  __half p[kMostHeads][kTile + 8];
  float shrink[kMostHeads];
  float largest[kMostHeads];
  float sum[kMostHeads];
};

/// Starts the copy of `kTile` rows from `position` on; rows from `end` on become zeros.
template <int kTile>
__device__ __forceinline__ void copy_tile(__half* tile, const DecodeArgs& args, int sequence, int position, int end) {
  const int64_t first = cache_row(args.page_table, args.max_pages, sequence, position);
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kChunks; i += kThreads) {
    const int row = i / kChunks;
    const bool valid = position + row < end;
    cp_async_16(tile_chunk(tile, row, i % kChunks), args.cache + (first + (valid ? row : 0)) * kWidth + i % kChunks * 8,
                valid);
  }
}

/// Scores of a tile: warp w takes 16 rows and one of two halves of the width.
template <int kTile, int kStages>
__device__ __forceinline__ void score_tile(DecodeShared<kTile, kStages>& shared, __half* tile) {
  constexpr int kRowTiles = kTile / 16;
  constexpr int kParts = 2;
  static_assert(kRowTiles * kParts <= kWarps);
  constexpr int kSteps = kWidth / 16 / kParts;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  if (warp >= kRowTiles * kParts) return;
  const int row_tile = warp % kRowTiles;
  const int part = warp / kRowTiles;
  // Two chains of sums, so that one step need not wait for the one before.
  float sums[2][kHeadTiles][4] = {};
#pragma unroll 2
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
      score[i] = row < n_valid ? (shared.scores[0][h][row] + shared.scores[1][h][row]) * scale : -INFINITY;
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
    if (head < args.n_heads) {
      v = *reinterpret_cast<const float4*>(args.q.data + row * args.q.row_stride + head * args.q.head_stride + at);
    }
    auto* to = reinterpret_cast<__half2*>(tile_chunk(q, head, at / 8) + at % 8);
    to[0] = __floats2half2_rn(v.x, v.y);
    to[1] = __floats2half2_rn(v.z, v.w);
  }
}

/// Grid: (splits, rows).
template <int kTile, int kStages>
__global__ void __launch_bounds__(kThreads, 2) mla_split_kernel(DecodeArgs args) {
  auto& shared = *dynamic_shared<DecodeShared<kTile, kStages>>();
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int row = static_cast<int>(blockIdx.y);
  const int split = static_cast<int>(blockIdx.x);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int n = args.positions[row] + 1;
  const int sequence = args.sequences[row];
  const int length = split_length(n);
  const int first = split * length;
  if (first >= n) return;
  const int end = min(n, first + length);
  const int n_tiles = (end - first + kTile - 1) / kTile;

#pragma unroll
  for (int s = 0; s < kStages; ++s) {
    if (s < n_tiles) copy_tile<kTile>(shared.tiles[s], args, sequence, first + s * kTile, end);
    cp_async_commit();
  }
  load_queries(shared.q, args, row);
  for (int h = static_cast<int>(threadIdx.x); h < kMostHeads; h += kThreads) {
    shared.largest[h] = -INFINITY;
    shared.sum[h] = 0;
  }
  float out[4][kHeadTiles][4] = {};
  for (int t = 0; t < n_tiles; ++t) {
    __half* tile = shared.tiles[t % kStages];
    cp_async_wait<kStages - 1>();
    __syncthreads();
    score_tile(shared, tile);
    __syncthreads();
    soften_tile(shared, end - first - t * kTile, args.scale);
    __syncthreads();
    add_values(out, shared, tile);
    __syncthreads();
    if (t + kStages < n_tiles) copy_tile<kTile>(tile, args, sequence, first + (t + kStages) * kTile, end);
    cp_async_commit();
  }
  const int64_t at = (static_cast<int64_t>(row) * kMostSplits + split) * args.n_heads;
#pragma unroll
  for (int m = 0; m < 4; ++m) {
#pragma unroll
    for (int h = 0; h < kHeadTiles; ++h) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int head = h * 8 + lane % 4 * 2 + i % 2;
        const int value = (warp * 4 + m) * 16 + lane / 4 + 8 * (i / 2);
        if (head < args.n_heads) args.partial[(at + head) * kValues + value] = out[m][h][i];
      }
    }
  }
  for (int h = static_cast<int>(threadIdx.x); h < args.n_heads; h += kThreads) {
    args.state[at + h] = make_float2(shared.largest[h], shared.sum[h]);
  }
}

constexpr int kCombineGroups = 4;  // each takes every fourth split

/// Grid: (heads, rows). A thread has four values and every fourth split; the groups' sums are added in order.
__global__ void __launch_bounds__(128 * kCombineGroups) mla_combine_kernel(Tensor out, DecodeArgs args) {
  __shared__ float weights[kMostSplits];
  __shared__ float totals[kMostSplits];
  __shared__ float4 sums[kCombineGroups][128];
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int thread = static_cast<int>(threadIdx.x);
  const int head = static_cast<int>(blockIdx.x);
  const int row = static_cast<int>(blockIdx.y);
  const int n = args.positions[row] + 1;
  const int length = split_length(n);
  const int n_splits = (n + length - 1) / length;
  const int64_t first = static_cast<int64_t>(row) * kMostSplits * args.n_heads + head;
  for (int s = thread; s < n_splits; s += 128 * kCombineGroups) {
    const float2 state = args.state[first + static_cast<int64_t>(s) * args.n_heads];
    weights[s] = state.x;
    totals[s] = state.y;
  }
  __syncthreads();
  float largest = -INFINITY;
  for (int s = 0; s < n_splits; ++s) largest = fmaxf(largest, weights[s]);
  float total = 0;
  for (int s = 0; s < n_splits; ++s) total = __fmaf_rn(exp2f(weights[s] - largest), totals[s], total);
  const int group = thread / 128;
  float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 8
  for (int s = group; s < n_splits; s += kCombineGroups) {
    const float weight = exp2f(weights[s] - largest);
    const float4 part = reinterpret_cast<const float4*>(
        args.partial + (first + static_cast<int64_t>(s) * args.n_heads) * kValues)[thread % 128];
    sum.x = __fmaf_rn(weight, part.x, sum.x);
    sum.y = __fmaf_rn(weight, part.y, sum.y);
    sum.z = __fmaf_rn(weight, part.z, sum.z);
    sum.w = __fmaf_rn(weight, part.w, sum.w);
  }
  sums[group][thread % 128] = sum;
  __syncthreads();
  if (group == 0) {
    for (int g = 1; g < kCombineGroups; ++g) {
      const float4 other = sums[g][thread];
      sum.x += other.x;
      sum.y += other.y;
      sum.z += other.z;
      sum.w += other.w;
    }
    auto* to = reinterpret_cast<float4*>(out.data + row * out.row_stride + head * out.head_stride) + thread;
    *to = make_float4(sum.x / total, sum.y / total, sum.z / total, sum.w / total);
  }
}

}  // namespace

bool mla_decode_supports(const KvLayer& layer, Tensor q, Tensor out) {
  const auto is_aligned = [](Tensor t) {
    return reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.row_stride % 4 == 0 && t.head_stride % 4 == 0;
  };
  return layer.v == nullptr && layer.k_dtype == DType::kF16 && layer.n_kv == 1 && layer.d_k == kWidth &&
         layer.d_v == kValues && q.n_heads <= kMostHeads && is_aligned(q) && is_aligned(out);
}

int64_t mla_decode_floats(int n_heads, int d_v) {
  return static_cast<int64_t>(kRowsAtOnce) * kMostSplits * n_heads * (d_v + 2);
}

void mla_decode(const Stream& stream, Workspace& workspace, Tensor out, Tensor q, const KvLayer& layer,
                const Batch& batch, float scale) {
  const int n_heads = q.n_heads;
  float* memory = workspace.floats(stream, mla_decode_floats(n_heads, kValues));
  for (int first = 0; first < q.n_rows; first += kRowsAtOnce) {
    const int n_rows = std::min(kRowsAtOnce, q.n_rows - first);
    const DecodeArgs args{.q = q.rows(first, n_rows),
                          .cache = static_cast<const __half*>(layer.k),
                          .positions = batch.positions + first,
                          .sequences = batch.sequences + first,
                          .page_table = batch.page_table,
                          .max_pages = batch.max_pages,
                          .n_heads = n_heads,
                          .scale = scale * kLog2E,
                          .partial = memory,
                          .state = reinterpret_cast<float2*>(memory + static_cast<int64_t>(kRowsAtOnce) * kMostSplits *
                                                                          n_heads * kValues)};
    const dim3 grid(kMostSplits, static_cast<unsigned>(n_rows));
    if (stream.shared_bytes >= sizeof(DecodeShared<32, 2>)) {
      launch(stream, {grid, dim3(kThreads), sizeof(DecodeShared<32, 2>)}, mla_split_kernel<32, 2>, args);
    } else {
      launch(stream, {grid, dim3(kThreads), sizeof(DecodeShared<32, 1>)}, mla_split_kernel<32, 1>, args);
    }
    launch(stream, {dim3(static_cast<unsigned>(n_heads), static_cast<unsigned>(n_rows)), dim3(128 * kCombineGroups)},
           mla_combine_kernel, out.rows(first, n_rows), args);
  }
}

}  // namespace glint::cuda
