// SPDX-License-Identifier: Apache-2.0
#include "cuda/mla_prefill.h"

#include "cuda/device/packed.cuh"
#include "cuda/device/reduce.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRows = 128;  // query rows of a block: 16 a warp
constexpr int kKeys = 32;   // keys of a tile
constexpr int kNope = 192;
constexpr int kRope = 64;
constexpr int kWidth = 256;  // of queries, keys and values
constexpr int kChunks = kWidth / 8;
constexpr int kTileHalves = kKeys * kWidth;

/// Chunk (8 values) of a row in shared memory; permuted so that eight rows' lie in eight banks.
__device__ __forceinline__ __half* chunk_of(__half* rows, int row, int chunk) {
  return rows + row * kWidth + ((chunk ^ (row & 7)) * 8);
}

/// Starts the copies of keys and values [first, first + kKeys) of one head; zeros past the end.
__device__ __forceinline__ void copy_keys(__half* keys, __half* values, const MlaPrefill& args, int head, int first,
                                          int n_keys) {
#pragma unroll
  for (int i = 0; i < kKeys * kChunks / kThreads; ++i) {
    const int piece = static_cast<int>(threadIdx.x) + i * kThreads;
    const int row = piece / kChunks;
    const int chunk = piece % kChunks;
    const bool valid = first + row < n_keys;
    const int64_t position = valid ? first + row : 0;
    const __half* key = chunk < kNope / 8 ? args.k_nope + (position * args.n_heads + head) * kNope + chunk * 8
                                          : args.k_rope + position * kRope + (chunk - kNope / 8) * 8;
    cp_async_16(chunk_of(keys, row, chunk), key, valid);
    cp_async_16(chunk_of(values, row, chunk), args.v + (position * args.n_heads + head) * kWidth + chunk * 8, valid);
  }
}

/// What a lane keeps of its two rows (lane / 4 and that + 8 of its warp's 16).
struct RowState {
  float out[kChunks][4];  // values 8 c + 2(lane%4) + {0, 1} of both rows
  float largest[2];
  float sum[2];
};

/// scores = queries x keys^T, unscaled.
__device__ __forceinline__ void multiply_keys(float (&scores)[kKeys / 8][4], __half* queries, __half* keys, int warp,
                                              int lane) {
#pragma unroll
  for (int step = 0; step < kWidth / 16; ++step) {
    uint32_t a[4];
    ldmatrix_x4(a, chunk_of(queries, warp * 16 + lane / 8 % 2 * 8 + lane % 8, step * 2 + lane / 16));
#pragma unroll
    for (int pair = 0; pair < kKeys / 16; ++pair) {
      uint32_t b[4];
      ldmatrix_x4(b, chunk_of(keys, pair * 16 + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
      mma_f16(scores[2 * pair], a, b[0], b[1]);
      mma_f16(scores[2 * pair + 1], a, b[2], b[3]);
    }
  }
}

/// Turns a tile's scores into probabilities of the running softmax; keys behind a row's own position get none.
__device__ __forceinline__ void soften(float (&scores)[kKeys / 8][4], RowState& state, int first_key,
                                       int first_position, int lane, float scale) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int position = first_position + lane / 4 + 8 * r;
    float largest = state.largest[r];
#pragma unroll
    for (int t = 0; t < kKeys / 8; ++t) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[t][2 * r + i];
        score = first_key + t * 8 + lane % 4 * 2 + i <= position ? score * scale : -INFINITY;
        largest = fmaxf(largest, score);
      }
    }
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
    // A row before all keys of the tile, with none behind it: only rows past the last, which are not stored.
    const float base = largest == -INFINITY ? 0.0f : largest;
    const float shrink = exp2f(state.largest[r] - base);
    state.largest[r] = largest;
    float sum = 0;
#pragma unroll
    for (int t = 0; t < kKeys / 8; ++t) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        scores[t][2 * r + i] = exp2f(scores[t][2 * r + i] - base);
        sum += scores[t][2 * r + i];
      }
    }
    state.sum[r] = __fmaf_rn(state.sum[r], shrink, sum);
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      state.out[c][2 * r] *= shrink;
      state.out[c][2 * r + 1] *= shrink;
    }
  }
}

/// out += probabilities x values.
__device__ __forceinline__ void add_values(RowState& state, const float (&p)[kKeys / 8][4], __half* values, int lane) {
#pragma unroll
  for (int step = 0; step < kKeys / 16; ++step) {
    uint32_t a[4];
    a[0] = bits_of(__floats2half2_rn(p[2 * step][0], p[2 * step][1]));
    a[1] = bits_of(__floats2half2_rn(p[2 * step][2], p[2 * step][3]));
    a[2] = bits_of(__floats2half2_rn(p[2 * step + 1][0], p[2 * step + 1][1]));
    a[3] = bits_of(__floats2half2_rn(p[2 * step + 1][2], p[2 * step + 1][3]));
#pragma unroll
    for (int pair = 0; pair < kChunks / 2; ++pair) {
      uint32_t b[4];
      ldmatrix_x4_transposed(b, chunk_of(values, step * 16 + lane / 8 % 2 * 8 + lane % 8, pair * 2 + lane / 16));
      mma_f16(state.out[2 * pair], a, b[0], b[1]);
      mma_f16(state.out[2 * pair + 1], a, b[2], b[3]);
    }
  }
}

/// Grid: (tiles of rows, heads); the longest rows first. Shared memory: queries, then kStages of keys and values.
template <int kStages>
__global__ void __launch_bounds__(kThreads, 1) mla_prefill_kernel(MlaPrefill args) {
  auto* queries = dynamic_shared<__half>();
  __half* tiles = queries + kRows * kWidth;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int head = static_cast<int>(blockIdx.y);
  const int first_row = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kRows;
  const int n_rows = min(kRows, args.n_rows - first_row);
  const int n_keys = args.n_past + first_row + n_rows;  // behind the last row there is nothing to see
  const int n_tiles = (n_keys + kKeys - 1) / kKeys;
  wait_for_previous_kernel();
  let_next_kernel_start();
  for (int piece = static_cast<int>(threadIdx.x); piece < kRows * kChunks; piece += kThreads) {
    const int row = piece / kChunks;
    const int64_t real = first_row + min(row, n_rows - 1);
    cp_async_16(chunk_of(queries, row, piece % kChunks),
                args.q + (real * args.n_heads + head) * kWidth + piece % kChunks * 8);
  }
  RowState state;
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
#pragma unroll
    for (int i = 0; i < 4; ++i) state.out[c][i] = 0;
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    state.largest[r] = -INFINITY;
    state.sum[r] = 0;
  }
#pragma unroll
  for (int s = 0; s < kStages; ++s) {
    if (s < n_tiles)
      copy_keys(tiles + 2 * s * kTileHalves, tiles + (2 * s + 1) * kTileHalves, args, head, s * kKeys, n_keys);
    cp_async_commit();
  }
  const int first_position = args.n_past + first_row + warp * 16;
  for (int t = 0; t < n_tiles; ++t) {
    __half* keys = tiles + t % kStages * 2 * kTileHalves;
    __half* values = keys + kTileHalves;
    cp_async_wait<kStages - 1>();
    __syncthreads();
    // A warp whose rows all lie before this tile has nothing to do in it.
    if (t * kKeys <= first_position + 15) {
      float scores[kKeys / 8][4] = {};
      multiply_keys(scores, queries, keys, warp, lane);
      soften(scores, state, t * kKeys, first_position, lane, args.scale * kLog2E);
      add_values(state, scores, values, lane);
    }
    __syncthreads();
    if (t + kStages < n_tiles) copy_keys(keys, values, args, head, (t + kStages) * kKeys, n_keys);
    cp_async_commit();
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float sum = state.sum[r];
    sum += __shfl_xor_sync(kAllLanes, sum, 1);
    sum += __shfl_xor_sync(kAllLanes, sum, 2);
    const int row = warp * 16 + lane / 4 + 8 * r;
    if (row >= n_rows) continue;
    const float inverse = 1.0f / sum;
    auto* to =
        reinterpret_cast<__half2*>(args.out + (static_cast<int64_t>(first_row + row) * args.n_heads + head) * kWidth);
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      to[c * 4 + lane % 4] = __floats2half2_rn(state.out[c][2 * r] * inverse, state.out[c][2 * r + 1] * inverse);
    }
  }
}

constexpr size_t shared_bytes(int stages) {
  return (kRows * kWidth + 2 * stages * kTileHalves) * sizeof(__half);
}

}  // namespace

bool mla_prefill_supports(int d_nope, int d_rope, int d_v) {
  return d_nope == kNope && d_rope == kRope && d_v == kWidth;
}

void mla_prefill(const Stream& stream, const MlaPrefill& args) {
  const dim3 grid(static_cast<unsigned>(blocks_for(args.n_rows, kRows)), static_cast<unsigned>(args.n_heads));
  if (stream.shared_bytes >= shared_bytes(2)) {
    launch(stream, {grid, dim3(kThreads), shared_bytes(2)}, mla_prefill_kernel<2>, args);
  } else {
    launch(stream, {grid, dim3(kThreads), shared_bytes(1)}, mla_prefill_kernel<1>, args);
  }
}

}  // namespace glint::cuda
