// SPDX-License-Identifier: Apache-2.0
#include "cuda/top.h"

#include "base/check.h"
#include "cuda/device/ptx.cuh"
#include "cuda/device/rank.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr int kGroups = 256;  // of threads
static_assert(kMostTop <= kGroups && kThreads / kGroups == 4);
constexpr int kMostListed = 2048;

/// The part of a key that ranks values.
__device__ __forceinline__ unsigned value_rank(float value) {
  return static_cast<unsigned>(rank_key(value, 0) >> 32);
}

__device__ __forceinline__ void write_entry(TopEntry* out, int place, const float* row, RankKey key) {
  const int index = index_of(key);
  out[place] = {index, row[index]};
}

/// One after the other: for rows in which too many values compete, as where most are equal.
__device__ __forceinline__ void take_one_by_one(TopEntry* out, const float* row, int width, int k,
                                                RankKey* first_of_warp) {
  RankKey before = ~RankKey{0};
  for (int place = 0; place < k; ++place) {
    RankKey first = 0;
    for (int i = static_cast<int>(threadIdx.x); i < width; i += kThreads) {
      const RankKey key = rank_key(row[i], i);
      if (key < before) first = max(first, key);
    }
    first = warp_first(first);
    __syncthreads();
    if (threadIdx.x % 32 == 0) first_of_warp[threadIdx.x / 32] = first;
    __syncthreads();
    before = warp_first(first_of_warp[threadIdx.x % 32]);
    if (threadIdx.x == 0) write_entry(out, place, row, before);
  }
}

/// One block a row. The k-th largest of what groups of threads found largest of their parts is a bound that k values
/// reach and few others: these are listed, and each counts how many of the list beat it.
__global__ void __launch_bounds__(kThreads) top_kernel(TopEntry* out, Tensor x, int k) {
  __shared__ uint4 largest_fours[kGroups / 4];
  __shared__ RankKey listed[kMostListed];
  __shared__ unsigned bound;
  __shared__ int n_listed;
  const int thread = static_cast<int>(threadIdx.x);
  wait_for_previous_kernel();
  let_next_kernel_start();
  const float* row = x.data + static_cast<int64_t>(blockIdx.x) * x.row_stride;
  out += static_cast<int64_t>(blockIdx.x) * k;
  unsigned mine = 0;
#pragma unroll 16
  for (int i = thread; i < x.width; i += kThreads) mine = max(mine, value_rank(row[i]));
  mine = max(mine, __shfl_xor_sync(kAllLanes, mine, 1));
  mine = max(mine, __shfl_xor_sync(kAllLanes, mine, 2));
  const int group = thread / (kThreads / kGroups);
  auto* largest = reinterpret_cast<unsigned*>(largest_fours);
  if (thread % (kThreads / kGroups) == 0) largest[group] = mine;
  if (thread == 0) n_listed = 0;
  __syncthreads();
  int n_before = 0;
  const auto beats = [&](unsigned other, int i) { return other > mine || (other == mine && i < group) ? 1 : 0; };
#pragma unroll 4
  for (int i = 0; i < kGroups / 4; ++i) {
    const uint4 v = largest_fours[i];
    n_before += beats(v.x, 4 * i) + beats(v.y, 4 * i + 1) + beats(v.z, 4 * i + 2) + beats(v.w, 4 * i + 3);
  }
  if (n_before == k - 1) bound = mine;
  __syncthreads();
#pragma unroll 8
  for (int i = thread; i < x.width; i += kThreads) {
    if (value_rank(row[i]) < bound) continue;
    const int at = atomicAdd(&n_listed, 1);
    if (at < kMostListed) listed[at] = rank_key(row[i], i);
  }
  __syncthreads();
  const int n = n_listed;
  if (n > kMostListed) return take_one_by_one(out, row, x.width, k, listed);
  for (int i = thread; i < n; i += kThreads) {
    const RankKey key = listed[i];
    int place = 0;
    for (int j = 0; j < n; ++j) place += listed[j] > key ? 1 : 0;
    if (place < k) write_entry(out, place, row, key);
  }
}

}  // namespace

void top(const Stream& stream, TopEntry* out, Tensor x, int k) {
  GLINT_CHECK(x.n_heads == 1 && k >= 1 && k <= kMostTop && k <= x.width);
  launch(stream, {dim3(static_cast<unsigned>(x.n_rows)), dim3(kThreads)}, top_kernel, out, x, k);
}

}  // namespace glint::cuda
