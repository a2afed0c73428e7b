// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "cuda/expand.h"
#include "cuda/launch.h"

#ifdef GLINT_SM90A
#include "cuda/device/wgmma.cuh"

namespace glint::cuda {
namespace {

constexpr int kGroupThreads = 128;  // of a warpgroup
constexpr int kThreads = 3 * kGroupThreads;
constexpr int kGroupRows = 64;  // latents of a computing warpgroup
constexpr int kRows = 2 * kGroupRows;
constexpr int kColumns = 256;  // outputs of a block
constexpr int kDepth = 64;     // columns of latents and weights at a time
constexpr int kStages = 4;

/// 128-byte swizzle (device/wgmma.cuh).
struct Shared {
  __half latents[kStages][kRows][kDepth];
  __half weights[kStages][kColumns][kDepth];
  uint64_t full[kStages], free[kStages];
};

__device__ __forceinline__ __half* chunk_of(__half (*rows)[kDepth], int row, int chunk) {
  return rows[row] + ((chunk ^ (row & 7)) * 8);
}

/// The copying warpgroup: a lane has one chunk of a row, eight lanes a row.
__device__ __forceinline__ void copy_stages(Shared& shared, const Expansion& args, int first_row, int first_column) {
  const int chunk = static_cast<int>(threadIdx.x) % 8;
  const int first = static_cast<int>(threadIdx.x) % kGroupThreads / 8;
  const int n_steps = args.kv_rank / kDepth;
  for (int step = 0; step < n_steps; ++step) {
    const int stage = step % kStages;
    barrier_wait(&shared.free[stage], step / kStages % 2 ^ 1);
#pragma unroll 4
    for (int row = first; row < kRows; row += kGroupThreads / 8) {
      const int64_t real = min(first_row + row, args.n_rows - 1);  // rows past the end are not stored
      cp_async_16(chunk_of(shared.latents[stage], row, chunk),
                  args.latents + real * args.kv_rank + step * kDepth + chunk * 8);
    }
#pragma unroll 4
    for (int row = first; row < kColumns; row += kGroupThreads / 8) {
      cp_async_16(chunk_of(shared.weights[stage], row, chunk),
                  args.weights + static_cast<int64_t>(first_column + row) * args.kv_rank + step * kDepth + chunk * 8);
    }
    barrier_arrive_after_copies(&shared.full[stage]);
  }
}

/// A computing warpgroup's 64 latents by 256 outputs.
__device__ __forceinline__ void multiply(Shared& shared, const Expansion& args, int group, int first_row,
                                         int first_column) {
  const int thread = static_cast<int>(threadIdx.x) % kGroupThreads;
  const int lane = thread % 32;
  float sums[kColumns / 8][4];
  const int n_steps = args.kv_rank / kDepth;
#pragma unroll 1
  for (int step = 0; step < n_steps; ++step) {
    const int stage = step % kStages;
    barrier_wait(&shared.full[stage], step / kStages % 2);
    fence_for_products();
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < kDepth / 16; ++k) {
      const uint64_t a = shared_matrix(&shared.latents[stage][group * kGroupRows][k * 16], 1024);
      const uint64_t b = shared_matrix(&shared.weights[stage][0][k * 16], 1024);
      wgmma_64x256(sums, a, b, step > 0 || k > 0);
    }
    wgmma_commit();
    wgmma_wait<1>();
    if (step > 0) barrier_arrive(&shared.free[(step - 1) % kStages]);
  }
  wgmma_wait<0>();
  const bool is_key = first_column < args.d_keys;
  const int64_t stride = is_key ? args.d_keys : args.d_values;
  __half* to = is_key ? args.keys + first_column : args.values + first_column - args.d_keys;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = first_row + group * kGroupRows + thread / 32 * 16 + lane / 4 + 8 * r;
    if (row >= args.n_rows) continue;
    auto* pairs = reinterpret_cast<__half2*>(to + row * stride) + lane % 4;
#pragma unroll
    for (int c = 0; c < kColumns / 8; ++c) pairs[c * 4] = __floats2half2_rn(sums[c][2 * r], sums[c][2 * r + 1]);
  }
}

/// Grid: (tiles of outputs, tiles of latents): neighbours share latents.
__global__ void __launch_bounds__(kThreads, 1) expand_kernel(Expansion args) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared =
      *reinterpret_cast<Shared*>((reinterpret_cast<uintptr_t>(dynamic_shared<uint8_t>()) + 1023) / 1024 * 1024);
  const int first_column = static_cast<int>(blockIdx.x) * kColumns;
  const int first_row = static_cast<int>(blockIdx.y) * kRows;
  if (threadIdx.x == 0) {
    for (int s = 0; s < kStages; ++s) {
      barrier_init(&shared.full[s], kGroupThreads);
      barrier_init(&shared.free[s], 2 * kGroupThreads);
    }
  }
  __syncthreads();
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int group = static_cast<int>(threadIdx.x) / kGroupThreads;
  if (group == 2) {
    give_registers<24>();
    copy_stages(shared, args, first_row, first_column);
  } else {
    take_registers<240>();
    multiply(shared, args, group, first_row, first_column);
  }
#endif
}

}  // namespace

bool can_expand_sm90(const Stream& stream, int kv_rank, int d_keys, int d_values) {
  return stream.is_hopper && kv_rank % kDepth == 0 && d_keys % kColumns == 0 && d_values % kColumns == 0;
}

void expand_sm90(const Stream& stream, const Expansion& args) {
  GLINT_CHECK(can_expand_sm90(stream, args.kv_rank, args.d_keys, args.d_values));
  const dim3 grid(static_cast<unsigned>((args.d_keys + args.d_values) / kColumns),
                  static_cast<unsigned>(blocks_for(args.n_rows, kRows)));
  launch(stream, {grid, dim3(kThreads), sizeof(Shared) + 1024}, expand_kernel, args);
}

}  // namespace glint::cuda

#else

namespace glint::cuda {
bool can_expand_sm90(const Stream&, int, int, int) {
  return false;
}
void expand_sm90(const Stream&, const Expansion&) {
  GLINT_CHECK(false);
}
}  // namespace glint::cuda

#endif
