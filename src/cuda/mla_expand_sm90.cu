// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "cuda/launch.h"
#include "cuda/mla_prompt_sm90.h"

#ifdef GLINT_SM90A
#include "cuda/device/cache.cuh"
#include "cuda/device/packed.cuh"
#include "cuda/device/reduce.cuh"
#include "cuda/device/wgmma.cuh"

namespace glint::cuda {
namespace {

using Shape = PromptShape;
constexpr int kThreads = 3 * kGroupThreads;
constexpr int kGroupRows = 64;  // latents of a computing warpgroup
constexpr int kRows = 2 * kGroupRows;
constexpr int kDepth = 64;  // columns of latents and weights at a time
constexpr int kSteps = Shape::kKvRank / kDepth;
constexpr int kStages = 3;
constexpr int kCacheRow = Shape::kKvRank + Shape::kRope;

/// 128-byte swizzle (device/wgmma.cuh).
struct Shared {
  __half latents[kSteps][kRows][kDepth];
  __half weights[kStages][Shape::kColumns][kDepth];
  uint64_t latents_full, latents_free;
  uint64_t full[kStages], free[kStages];
};

/// A block's share: units are (tile of latents, tile of outputs), the latter fastest, so that latents stay in shared
/// memory while weights stream through it from L2.
struct Units {
  int first, end, n_columns;
  __device__ __forceinline__ Units(int n_rows, int n_heads) {
    n_columns = n_heads * (Shape::kNope + Shape::kValue) / Shape::kColumns;
    const int64_t n = static_cast<int64_t>((n_rows + kRows - 1) / kRows) * n_columns;
    first = static_cast<int>(n * blockIdx.x / gridDim.x);
    end = static_cast<int>(n * (blockIdx.x + 1) / gridDim.x);
  }
};

/// Row `position` of the cache; null behind the last.
__device__ __forceinline__ const __half* cached(const LatentExpansion& args, int position) {
  return position < args.n ? args.cache + cache_row(args.pages, 0, 0, position) * kCacheRow : nullptr;
}

__device__ __forceinline__ int64_t chunk_at(int row, int chunk) {
  return row * Shape::kPanelColumns + ((chunk ^ (row & 7)) * 8);
}

/// Latents of a tile to shared memory: four threads a row. With `tails`, the rotated tails go to their tiles.
__device__ __forceinline__ void copy_latents(Shared& shared, const LatentExpansion& args, const PromptTiles& out,
                                             int first_row, int thread, bool tails) {
#pragma unroll 1
  for (int row = thread / 4; row < kRows; row += kGroupThreads / 4) {
    const __half* from = cached(args, first_row + row);
    const bool valid = from != nullptr;
    if (!valid) from = args.cache;
#pragma unroll
    for (int i = 0; i < kSteps * 2; ++i) {
      const int chunk = i * 4 + thread % 4;
      cp_async_16(&shared.latents[chunk / 8][0][0] + chunk_at(row, chunk % 8), from + chunk * 8, valid);
    }
    const int tile = (first_row + row) / Shape::kTileKeys;
    if (!tails || tile >= out.n_tiles) continue;
    __half* panel = out.tails + static_cast<int64_t>(tile) * Shape::kPanel;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int chunk = i * 4 + thread % 4;
      const uint4 halves = valid ? *reinterpret_cast<const uint4*>(from + Shape::kKvRank + chunk * 8) : uint4{};
      *reinterpret_cast<uint4*>(panel + chunk_at((first_row + row) % Shape::kTileKeys, chunk)) = halves;
    }
  }
}

/// The copying warpgroup: all threads copy latents, one asks for the weights.
__device__ __forceinline__ void copy_units(Shared& shared, const LatentExpansion& args, const PromptTiles& out,
                                           const Units& units) {
  const int thread = static_cast<int>(threadIdx.x) % kGroupThreads;
  constexpr int kStageHalves = Shape::kColumns * kDepth;
  int n_steps = 0;
  int n_tiles = 0;
  for (int unit = units.first; unit < units.end; ++unit) {
    const int column = unit % units.n_columns;
    if (unit == units.first || column == 0) {
      barrier_wait(&shared.latents_free, n_tiles++ % 2 ^ 1);
      copy_latents(shared, args, out, unit / units.n_columns * kRows, thread, column == 0);
      barrier_arrive_after_copies(&shared.latents_full);
    }
    if (thread != 0) continue;
    for (int step = 0; step < kSteps; ++step, ++n_steps) {
      const int stage = n_steps % kStages;
      barrier_wait(&shared.free[stage], n_steps / kStages % 2 ^ 1);
      barrier_expect(&shared.full[stage], kStageHalves * sizeof(__half));
      bulk_copy(shared.weights[stage], args.weights + (static_cast<int64_t>(column) * kSteps + step) * kStageHalves,
                kStageHalves * sizeof(__half), &shared.full[stage]);
    }
  }
}

/// Four lanes' words of four tiles of eight columns become each lane's whole tile: lane c's is tile c.
__device__ __forceinline__ uint4 gather_tile(const uint32_t (&w)[4], int lane) {
  const bool odd = lane % 2 != 0;
  const bool high = lane % 4 >= 2;
  const uint32_t first = __shfl_xor_sync(kAllLanes, odd ? w[0] : w[1], 1);
  const uint32_t second = __shfl_xor_sync(kAllLanes, odd ? w[2] : w[3], 1);
  const uint2 low_tile = odd ? make_uint2(first, w[1]) : make_uint2(w[0], first);
  const uint2 high_tile = odd ? make_uint2(second, w[3]) : make_uint2(w[2], second);
  const uint2 send = high ? low_tile : high_tile;
  const uint2 got = make_uint2(__shfl_xor_sync(kAllLanes, send.x, 2), __shfl_xor_sync(kAllLanes, send.y, 2));
  return high ? make_uint4(got.x, got.y, high_tile.x, high_tile.y) : make_uint4(low_tile.x, low_tile.y, got.x, got.y);
}

/// Where eight outputs from `column` of a position go.
__device__ __forceinline__ __half* place_of(const PromptTiles& out, int n_heads, int tile, int row, int column) {
  const int d_keys = n_heads * Shape::kNope;
  const bool is_key = column < d_keys;
  const int at = is_key ? column : column - d_keys;
  const int width = is_key ? Shape::kNope : Shape::kValue;
  const int head = at / width;
  const int within = at - head * width;
  const int64_t panel = (static_cast<int64_t>(head) * out.n_tiles + tile) * (width / Shape::kPanelColumns) +
                        within / Shape::kPanelColumns;
  return (is_key ? out.keys : out.values) + panel * Shape::kPanel + chunk_at(row, within % Shape::kPanelColumns / 8);
}

__device__ __forceinline__ void store_unit(const PromptTiles& out, int n_heads, const float (&sums)[32][4],
                                           int first_row, int first_column, int lane) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int position = first_row + lane / 4 + 8 * r;
    const int tile = position / Shape::kTileKeys;
    const int row = position % Shape::kTileKeys;
#pragma unroll
    for (int j = 0; j < Shape::kColumns / 32; ++j) {
      uint32_t words[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        words[i] = bits_of(__floats2half2_rn(sums[4 * j + i][2 * r], sums[4 * j + i][2 * r + 1]));
      }
      const uint4 halves = gather_tile(words, lane);
      if (tile >= out.n_tiles) continue;
      *reinterpret_cast<uint4*>(place_of(out, n_heads, tile, row, first_column + (4 * j + lane % 4) * 8)) = halves;
    }
  }
}

/// A computing warpgroup's 64 latents by 256 outputs, unit after unit.
__device__ __forceinline__ void multiply_units(Shared& shared, const LatentExpansion& args, const PromptTiles& out,
                                               const Units& units, int group) {
  const int thread = static_cast<int>(threadIdx.x) % kGroupThreads;
  float sums[Shape::kColumns / 8][4];
  int n_steps = 0;
  int n_tiles = 0;
#pragma unroll 1
  for (int unit = units.first; unit < units.end; ++unit) {
    const int column = unit % units.n_columns;
    if (unit == units.first || column == 0) {
      barrier_wait(&shared.latents_full, n_tiles++ % 2);
      fence_for_products();
    }
#pragma unroll 1
    for (int step = 0; step < kSteps; ++step, ++n_steps) {
      const int stage = n_steps % kStages;
      barrier_wait(&shared.full[stage], n_steps / kStages % 2);
      wgmma_fence();
#pragma unroll
      for (int k = 0; k < kDepth / 16; ++k) {
        const uint64_t a = shared_matrix(&shared.latents[step][group * kGroupRows][k * 16], 1024);
        const uint64_t b = shared_matrix(&shared.weights[stage][0][k * 16], 1024);
        wgmma_64x256(sums, a, b, step > 0 || k > 0);
      }
      wgmma_commit();
      wgmma_wait<1>();
      if (step > 0) barrier_arrive(&shared.free[(n_steps - 1) % kStages]);
    }
    wgmma_wait<0>();
    barrier_arrive(&shared.free[(n_steps - 1) % kStages]);
    if (column + 1 == units.n_columns) barrier_arrive(&shared.latents_free);
    store_unit(out, args.n_heads, sums, unit / units.n_columns * kRows + group * kGroupRows + thread / 32 * 16,
               column * Shape::kColumns, thread % 32);
  }
}

/// One block a multiprocessor.
__global__ void __launch_bounds__(kThreads, 1) expand_kernel(PromptTiles out, LatentExpansion args) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = *swizzled_shared<Shared>();
  if (threadIdx.x == 0) {
    barrier_init(&shared.latents_full, kGroupThreads);
    barrier_init(&shared.latents_free, 2 * kGroupThreads);
    for (int s = 0; s < kStages; ++s) {
      barrier_init(&shared.full[s], 1);
      barrier_init(&shared.free[s], 2 * kGroupThreads);
    }
    fence_for_products();
  }
  __syncthreads();
  wait_for_previous_kernel();
  let_next_kernel_start();
  const Units units(out.n_tiles * Shape::kTileKeys, args.n_heads);
  const int group = static_cast<int>(threadIdx.x) / kGroupThreads;
  if (group == 2) {
    give_registers<32>();
    copy_units(shared, args, out, units);
  } else {
    take_registers<232>();
    multiply_units(shared, args, out, units, group);
  }
#endif
}

/// One thread a chunk of eight halves.
__global__ void __launch_bounds__(256) tile_expansion_kernel(__half* tiles, const __half* rows) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int row = static_cast<int>(blockIdx.x) * (256 * 8 / Shape::kKvRank) + static_cast<int>(threadIdx.x) / 64;
  const int chunk = static_cast<int>(threadIdx.x) % 64;
  const int64_t panel = static_cast<int64_t>(row / Shape::kColumns) * kSteps + chunk / 8;
  *reinterpret_cast<uint4*>(tiles + panel * Shape::kColumns * kDepth + chunk_at(row % Shape::kColumns, chunk % 8)) =
      *reinterpret_cast<const uint4*>(rows + static_cast<int64_t>(row) * Shape::kKvRank + chunk * 8);
}

}  // namespace

bool prompt_sm90_supports(const Stream& stream, int n_heads, int kv_rank, int d_nope, int d_rope, int d_v) {
  return stream.is_hopper && kv_rank == Shape::kKvRank && d_nope == Shape::kNope && d_rope == Shape::kRope &&
         d_v == Shape::kValue && n_heads * d_nope % Shape::kColumns == 0;
}

void tile_expansion(const Stream& stream, __half* tiles, const __half* rows, int n_heads) {
  const int n_rows = n_heads * (Shape::kNope + Shape::kValue);
  launch(stream, {dim3(static_cast<unsigned>(n_rows * Shape::kKvRank / (256 * 8))), dim3(256)}, tile_expansion_kernel,
         tiles, rows);
}

void expand_latents(const Stream& stream, const PromptTiles& out, const LatentExpansion& args) {
  launch(stream, {dim3(static_cast<unsigned>(stream.n_multiprocessors)), dim3(kThreads), swizzled_bytes<Shared>()},
         expand_kernel, out, args);
}

}  // namespace glint::cuda

#else

namespace glint::cuda {
bool prompt_sm90_supports(const Stream&, int, int, int, int, int) {
  return false;
}
void tile_expansion(const Stream&, __half*, const __half*, int) {
  GLINT_CHECK(false);
}
void expand_latents(const Stream&, const PromptTiles&, const LatentExpansion&) {
  GLINT_CHECK(false);
}
}  // namespace glint::cuda

#endif

namespace glint::cuda {

namespace {
int64_t tile_count(int64_t n) {
  return (n + PromptShape::kTileKeys - 1) / PromptShape::kTileKeys;
}
}  // namespace

int64_t PromptTiles::halves(int64_t n, int n_heads) {
  return tile_count(n) * PromptShape::kPanel *
         (1 + static_cast<int64_t>(n_heads) * (PromptShape::kKeyPanels + PromptShape::kValuePanels));
}

PromptTiles::PromptTiles(__half* memory, int n, int n_heads) : n_tiles(static_cast<int>(tile_count(n))) {
  const int64_t panels = static_cast<int64_t>(n_tiles) * PromptShape::kPanel;
  keys = memory;
  values = keys + panels * n_heads * PromptShape::kKeyPanels;
  tails = values + panels * n_heads * PromptShape::kValuePanels;
}

}  // namespace glint::cuda
