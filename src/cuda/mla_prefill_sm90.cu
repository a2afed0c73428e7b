// SPDX-License-Identifier: Apache-2.0
//
// Rows of a prompt attend to expanded tiles: warpgroup products, and a thread that only copies.
#include "base/check.h"
#include "cuda/launch.h"
#include "cuda/mla_prompt_sm90.h"

#ifdef GLINT_SM90A
#include "cuda/device/packed.cuh"
#include "cuda/device/reduce.cuh"
#include "cuda/device/wgmma.cuh"

namespace glint::cuda {
namespace {

using Shape = PromptShape;
constexpr int kThreads = 3 * kGroupThreads;
constexpr int kGroupRows = 64;
constexpr int kRows = 2 * kGroupRows;
constexpr int kKeys = Shape::kTileKeys;
constexpr int kWidth = 256;  // of queries, keys and values
constexpr int kStages = 2;
constexpr int kPanels = kWidth / 64;  // of 64 columns
constexpr int kSteps = kKeys / 16;

/// Tiles as wgmma wants them: panels of 64 columns, 128-byte swizzle.
struct Shared {
  __half queries[2][kPanels][kGroupRows][64];
  __half keys[kStages][kPanels][kKeys][64];
  __half values[kStages][kPanels][kKeys][64];
  uint64_t keys_full[kStages], keys_free[kStages];
  uint64_t values_full[kStages], values_free[kStages];
};

template <int kRowsOfPanel>
__device__ __forceinline__ __half* chunk_of(__half (*panels)[kRowsOfPanel][64], int row, int chunk) {
  return panels[chunk / 8][row] + ((chunk % 8 ^ (row & 7)) * 8);
}

/// The copying thread.
__device__ __forceinline__ void copy_tiles(Shared& shared, const PromptTiles& tiles, int head, int n_tiles) {
  constexpr uint32_t kPanelBytes = Shape::kPanel * sizeof(__half);
  const __half* keys = tiles.keys + static_cast<int64_t>(head) * tiles.n_tiles * Shape::kKeyPanels * Shape::kPanel;
  const __half* values =
      tiles.values + static_cast<int64_t>(head) * tiles.n_tiles * Shape::kValuePanels * Shape::kPanel;
  for (int t = 0; t < n_tiles; ++t) {
    const int stage = t % kStages;
    const int parity = t / kStages % 2 ^ 1;
    barrier_wait(&shared.keys_free[stage], parity);
    barrier_expect(&shared.keys_full[stage], kPanels * kPanelBytes);
    bulk_copy(shared.keys[stage][0], keys + static_cast<int64_t>(t) * Shape::kKeyPanels * Shape::kPanel,
              Shape::kKeyPanels * kPanelBytes, &shared.keys_full[stage]);
    bulk_copy(shared.keys[stage][Shape::kKeyPanels], tiles.tails + static_cast<int64_t>(t) * Shape::kPanel, kPanelBytes,
              &shared.keys_full[stage]);
    barrier_wait(&shared.values_free[stage], parity);
    barrier_expect(&shared.values_full[stage], kPanels * kPanelBytes);
    bulk_copy(shared.values[stage][0], values + static_cast<int64_t>(t) * Shape::kValuePanels * Shape::kPanel,
              kPanels * kPanelBytes, &shared.values_full[stage]);
  }
}

/// What a thread of a computing warpgroup keeps: rows lane / 4 and that + 8 of its warp's 16.
struct RowState {
  float out[kWidth / 8][4];
  float largest[2];
  float sum[2];
};

__device__ __forceinline__ void start_scores(float (&scores)[kKeys / 8][4], Shared& shared, int group, int stage) {
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < kWidth / 16; ++step) {
    const uint64_t a = shared_matrix(&shared.queries[group][step / 4][0][step % 4 * 16], 1024);
    const uint64_t b = shared_matrix(&shared.keys[stage][step / 4][0][step % 4 * 16], 1024);
    wgmma_64x80(scores, a, b, step > 0);
  }
  wgmma_commit();
}

__device__ __forceinline__ void start_values(RowState& state, const uint32_t (&p)[kSteps][4], Shared& shared,
                                             int stage) {
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    wgmma_64x256(state.out, p[step],
                 shared_matrix(&shared.values[stage][0][step * 16][0], 1024, sizeof(shared.values[stage][0])));
  }
  wgmma_commit();
}

/// Turns a tile's scores into probabilities of the running softmax; keys behind a row's own position get none.
template <bool kMasked>
__device__ __forceinline__ void soften(float (&scores)[kKeys / 8][4], RowState& state, float (&shrink)[2],
                                       int first_key, int first_position, int lane, float scale) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int position = first_position + lane / 4 + 8 * r;
    float largest = state.largest[r];
#pragma unroll
    for (int t = 0; t < kKeys / 8; ++t) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[t][2 * r + i];
        if (kMasked && first_key + t * 8 + lane % 4 * 2 + i > position) score = -INFINITY;
        largest = fmaxf(largest, score);
      }
    }
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
    // Key 0 is behind no row, so the largest is a number from the first tile on.
    const float base = largest * scale;
    shrink[r] = exp2f((state.largest[r] - largest) * scale);  // exactly 1 where nothing changes
    state.largest[r] = largest;
    float sum = 0;
#pragma unroll
    for (int t = 0; t < kKeys / 8; ++t) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[t][2 * r + i];
        score = exp2f(__fmaf_rn(score, scale, -base));
        sum += score;
      }
    }
    state.sum[r] = __fmaf_rn(state.sum[r], shrink[r], sum);
  }
}

__device__ __forceinline__ void pack(uint32_t (&p)[kSteps][4], const float (&scores)[kKeys / 8][4]) {
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float(&from)[4] = scores[2 * step + i / 2];
      p[step][i] = bits_of(__floats2half2_rn(from[i % 2 * 2], from[i % 2 * 2 + 1]));
    }
  }
}

/// A computing warpgroup's 64 rows: the scores of one tile are under way together with the values of the one before.
__device__ __forceinline__ void attend_rows(Shared& shared, const PromptAttention& args, int group, int first_row,
                                            int n_rows, int head, int n_tiles) {
  const int thread = static_cast<int>(threadIdx.x) % kGroupThreads;
  const int lane = thread % 32;
  const int warp = thread / 32;
  for (int piece = thread; piece < kGroupRows * kWidth / 8; piece += kGroupThreads) {
    const int row = piece / (kWidth / 8);
    const int64_t real = first_row + min(group * kGroupRows + row, n_rows - 1);
    cp_async_16(chunk_of(shared.queries[group], row, piece % (kWidth / 8)),
                args.q + (real * args.n_heads + head) * kWidth + piece % (kWidth / 8) * 8);
  }
  cp_async_commit();
  cp_async_wait<0>();
  fence_for_products();
  sync_some(1 + group, kGroupThreads);

  RowState state;
#pragma unroll
  for (int c = 0; c < kWidth / 8; ++c) {
#pragma unroll
    for (int i = 0; i < 4; ++i) state.out[c][i] = 0;
  }
  state.largest[0] = state.largest[1] = -INFINITY;
  state.sum[0] = state.sum[1] = 0;
  const int first_position = args.n_past + first_row + group * kGroupRows + warp * 16;
  const float scale = args.scale * kLog2E;
  const auto soften_tile = [&](float(&scores)[kKeys / 8][4], float(&shrink)[2], int t) {
    if ((t + 1) * kKeys > args.n_past + first_row + group * kGroupRows) {
      soften<true>(scores, state, shrink, t * kKeys, first_position, lane, scale);
    } else {
      soften<false>(scores, state, shrink, t * kKeys, first_position, lane, scale);
    }
  };
  float scores[kKeys / 8][4];
  float shrink[2];
  uint32_t p[kSteps][4];
  barrier_wait(&shared.keys_full[0], 0);
  start_scores(scores, shared, group, 0);
  wgmma_wait<0>();
  barrier_arrive(&shared.keys_free[0]);
  soften_tile(scores, shrink, 0);
  pack(p, scores);
#pragma unroll 1
  for (int t = 1; t < n_tiles; ++t) {
    const int stage = t % kStages;
    const int before = (t - 1) % kStages;
    barrier_wait(&shared.keys_full[stage], t / kStages % 2);
    start_scores(scores, shared, group, stage);
    barrier_wait(&shared.values_full[before], (t - 1) / kStages % 2);
    start_values(state, p, shared, before);
    wgmma_wait<1>();
    barrier_arrive(&shared.keys_free[stage]);
    soften_tile(scores, shrink, t);
    wgmma_wait<0>();
    barrier_arrive(&shared.values_free[before]);
    // Most tiles hold no new largest score.
    if (__any_sync(kAllLanes, shrink[0] != 1 || shrink[1] != 1)) {
#pragma unroll
      for (int c = 0; c < kWidth / 8; ++c) {
#pragma unroll
        for (int i = 0; i < 4; ++i) state.out[c][i] *= shrink[i / 2];
      }
    }
    pack(p, scores);
  }
  const int last = n_tiles - 1;
  barrier_wait(&shared.values_full[last % kStages], last / kStages % 2);
  start_values(state, p, shared, last % kStages);
  wgmma_wait<0>();
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float sum = state.sum[r];
    sum += __shfl_xor_sync(kAllLanes, sum, 1);
    sum += __shfl_xor_sync(kAllLanes, sum, 2);
    const int row = group * kGroupRows + warp * 16 + lane / 4 + 8 * r;
    if (row >= n_rows) continue;
    const float inverse = 1.0f / sum;
    auto* to =
        reinterpret_cast<__half2*>(args.out + (static_cast<int64_t>(first_row + row) * args.n_heads + head) * kWidth);
#pragma unroll
    for (int c = 0; c < kWidth / 8; ++c) {
      to[c * 4 + lane % 4] = __floats2half2_rn(state.out[c][2 * r] * inverse, state.out[c][2 * r + 1] * inverse);
    }
  }
}

/// Which rows a block takes. Blocks of equal length that come last would leave most multiprocessors idle: those behind
/// `n_whole` take half a tile, with one computing warpgroup.
struct BlockRows {
  int head, first, n, n_groups;
  /// Heads one after the other, so that their keys stay in L2; of each the longest rows first.
  __device__ __forceinline__ BlockRows(const PromptAttention& args, int n_whole, int block) {
    const int n_row_tiles = (args.n_rows + kRows - 1) / kRows;
    const bool whole = block < n_whole;
    const int item = whole ? block : n_whole + (block - n_whole) / 2;
    head = item / n_row_tiles;
    first = (n_row_tiles - 1 - item % n_row_tiles) * kRows + (whole ? 0 : (block - n_whole) % 2 * kGroupRows);
    n_groups = whole ? 2 : 1;
    n = min(n_groups * kGroupRows, args.n_rows - first);
  }
};

/// Grid: n_whole tiles of rows and halves of the others.
__global__ void __launch_bounds__(kThreads, 1)
    attend_prompt_kernel(PromptAttention args, PromptTiles tiles, int n_whole) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = *swizzled_shared<Shared>();
  const BlockRows rows(args, n_whole, static_cast<int>(blockIdx.x));
  if (rows.n <= 0) return;
  const int n_keys = args.n_past + rows.first + rows.n;  // behind the last row there is nothing to see
  const int n_tiles = (n_keys + kKeys - 1) / kKeys;
  if (threadIdx.x == 0) {
    for (int s = 0; s < kStages; ++s) {
      barrier_init(&shared.keys_full[s], 1);
      barrier_init(&shared.values_full[s], 1);
      barrier_init(&shared.keys_free[s], rows.n_groups * kGroupThreads);
      barrier_init(&shared.values_free[s], rows.n_groups * kGroupThreads);
    }
    fence_for_products();
  }
  __syncthreads();
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int group = static_cast<int>(threadIdx.x) / kGroupThreads;
  if (group == 2) {
    give_registers<24>();
    if (threadIdx.x % kGroupThreads == 0) copy_tiles(shared, tiles, rows.head, n_tiles);
  } else {
    take_registers<240>();
    if (group < rows.n_groups) attend_rows(shared, args, group, rows.first, rows.n, rows.head, n_tiles);
  }
#endif
}

}  // namespace

void attend_prompt(const Stream& stream, const PromptAttention& args, const PromptTiles& tiles) {
  const int n_tiles = blocks_for(args.n_rows, kRows) * args.n_heads;
  const int n_last = n_tiles % stream.n_multiprocessors;  // of the last round
  const int n_whole = 2 * n_last <= stream.n_multiprocessors ? n_tiles - n_last : n_tiles;
  const dim3 grid(static_cast<unsigned>(n_whole + 2 * (n_tiles - n_whole)));
  launch(stream, {grid, dim3(kThreads), swizzled_bytes<Shared>()}, attend_prompt_kernel, args, tiles, n_whole);
}

}  // namespace glint::cuda

#else

namespace glint::cuda {
void attend_prompt(const Stream&, const PromptAttention&, const PromptTiles&) {
  GLINT_CHECK(false);
}
}  // namespace glint::cuda

#endif
