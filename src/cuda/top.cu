// SPDX-License-Identifier: Apache-2.0
#include "cuda/top.h"

#include <algorithm>

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

/// Blocks of a launch, if it has fewer rows: several share a row, each a part of it.
constexpr int kBlocks = 256;
constexpr int kMostParts = 32;

/// A part of a row.
struct Part {
  const float* row;
  int first, end;
};

/// The part of a key that ranks values.
__device__ __forceinline__ unsigned value_rank(float value) {
  return static_cast<unsigned>(rank_key(value, 0) >> 32);
}

/// One after the other: where too many values compete, as where most are equal.
__device__ __forceinline__ void take_one_by_one(RankKey* out, const Part& part, int k, RankKey* first_of_warp) {
  RankKey before = ~RankKey{0};
  for (int place = 0; place < k; ++place) {
    RankKey first = 0;
    for (int i = part.first + static_cast<int>(threadIdx.x); i < part.end; i += kThreads) {
      const RankKey key = rank_key(part.row[i], i);
      if (key < before) first = max(first, key);
    }
    first = warp_first(first);
    __syncthreads();
    if (threadIdx.x % 32 == 0) first_of_warp[threadIdx.x / 32] = first;
    __syncthreads();
    before = warp_first(first_of_warp[threadIdx.x % 32]);
    if (threadIdx.x == 0) out[place] = before;
  }
}

/// Grid: (parts of a row, rows): the keys of a part's k largest in order, zeros behind where it has fewer. The k-th
/// largest of what groups of threads found largest is a bound that k values reach and few others: these are listed, and
/// each counts how many of the list beat it.
__global__ void __launch_bounds__(kThreads) top_of_parts_kernel(RankKey* keys, Tensor x, int k) {
  __shared__ uint4 largest_fours[kGroups / 4];
  __shared__ RankKey listed[kMostListed];
  __shared__ unsigned bound;
  __shared__ int n_listed;
  const int thread = static_cast<int>(threadIdx.x);
  const auto width = static_cast<int64_t>(x.width);
  const Part part{x.data + static_cast<int64_t>(blockIdx.y) * x.row_stride,
                  static_cast<int>(width * blockIdx.x / gridDim.x),
                  static_cast<int>(width * (blockIdx.x + 1) / gridDim.x)};
  RankKey* out = keys + (static_cast<int64_t>(blockIdx.y) * gridDim.x + blockIdx.x) * k;
  wait_for_previous_kernel();
  let_next_kernel_start();
  unsigned mine = 0;
#pragma unroll 8
  for (int i = part.first + thread; i < part.end; i += kThreads) mine = max(mine, value_rank(part.row[i]));
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
  for (int i = part.first + thread; i < part.end; i += kThreads) {
    if (value_rank(part.row[i]) < bound) continue;
    const int at = atomicAdd(&n_listed, 1);
    if (at < kMostListed) listed[at] = rank_key(part.row[i], i);
  }
  __syncthreads();
  const int n = n_listed;
  if (n > kMostListed) return take_one_by_one(out, part, k, listed);
  for (int i = thread; i < n; i += kThreads) {
    const RankKey key = listed[i];
    int place = 0;
    for (int j = 0; j < n; ++j) place += listed[j] > key ? 1 : 0;
    if (place < k) out[place] = key;
  }
  for (int i = n + thread; i < k; i += kThreads) out[i] = 0;
}

/// One block a row: each key of a part counts those of the other parts, which are in order, that beat it. Shared
/// memory: all keys of a row, which are looked at one after another.
__global__ void __launch_bounds__(kThreads)
    merge_parts_kernel(TopEntry* out, Tensor x, const RankKey* all_keys, int n_parts, int k) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const float* row = x.data + static_cast<int64_t>(blockIdx.x) * x.row_stride;
  auto* keys = dynamic_shared<RankKey>();
  for (int i = static_cast<int>(threadIdx.x); i < n_parts * k; i += kThreads)
    keys[i] = all_keys[static_cast<int64_t>(blockIdx.x) * n_parts * k + i];
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < n_parts * k; i += kThreads) {
    const RankKey key = keys[i];
    int place = i % k;
    for (int part = 0; part < n_parts && place < k; ++part) {
      if (part == i / k) continue;
      int beaten_by = 0;
      for (int end = k; beaten_by < end;) {
        const int middle = (beaten_by + end) / 2;
        if (keys[part * k + middle] > key) {
          beaten_by = middle + 1;
        } else {
          end = middle;
        }
      }
      place += beaten_by;
    }
    if (key == 0 || place >= k) continue;
    const int index = index_of(key);
    out[static_cast<int64_t>(blockIdx.x) * k + place] = {index, row[index]};
  }
}

}  // namespace

int64_t top_integers() {
  return static_cast<int64_t>(kBlocks) * kMostTop * static_cast<int64_t>(sizeof(RankKey) / sizeof(int32_t));
}

void top(const Stream& stream, Workspace& workspace, TopEntry* out, Tensor x, int k) {
  GLINT_CHECK(x.n_heads == 1 && k >= 1 && k <= kMostTop && k <= x.width);
  auto* keys = reinterpret_cast<RankKey*>(workspace.integers(stream, top_integers()));
  for (int first = 0; first < x.n_rows; first += kBlocks) {
    const int n_rows = std::min(kBlocks, x.n_rows - first);
    const int n_parts = std::min(kBlocks / n_rows, kMostParts);
    const Tensor rows = x.rows(first, n_rows);
    launch(stream, {dim3(static_cast<unsigned>(n_parts), static_cast<unsigned>(n_rows)), dim3(kThreads)},
           top_of_parts_kernel, keys, rows, k);
    const size_t key_bytes = static_cast<size_t>(n_parts * k) * sizeof(RankKey);
    launch(stream, {dim3(static_cast<unsigned>(n_rows)), dim3(kThreads), key_bytes}, merge_parts_kernel,
           out + static_cast<int64_t>(first) * k, rows, static_cast<const RankKey*>(keys), n_parts, k);
  }
}

}  // namespace glint::cuda
