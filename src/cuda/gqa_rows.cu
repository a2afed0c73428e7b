// SPDX-License-Identifier: Apache-2.0
#include "cuda/gqa_rows.h"

#include "base/check.h"
#include "cuda/device/cache.cuh"
#include "cuda/device/kv_store.cuh"
#include "cuda/device/norm.cuh"
#include "cuda/device/ptx.cuh"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kMostWidth = 256;  // of a head

struct RowArgs {
  GqaRows rows;
  const int32_t* positions;
  const int32_t* sequences;
  const int32_t* page_table;
  int max_pages;
  KvLayer cache;
  RopeParams rope;
};

/// A head by one warp, in shared memory: four columns a lane of each 128.
template <class Fn>
__device__ __forceinline__ void for_each_four(int width, Fn fn) {
  for (int at = 4 * (static_cast<int>(threadIdx.x) % 32); at < width; at += 128) fn(at);
}

/// Norms a head, its sum of squares in the order of rms_scale's: there each warp has 128 columns.
__device__ __forceinline__ void norm_head(float* head, int width, const float* weights, float eps) {
  float sum = 0;
  for (int first = 0; first < width; first += 128) {
    const int at = first + 4 * (static_cast<int>(threadIdx.x) % 32);
    const float4 v = at < width ? *reinterpret_cast<const float4*>(head + at) : make_float4(0, 0, 0, 0);
    float squares = __fmul_rn(v.x, v.x);
    squares = __fmaf_rn(v.y, v.y, squares);
    squares = __fmaf_rn(v.z, v.z, squares);
    squares = __fmaf_rn(v.w, v.w, squares);
    sum += warp_sum(squares);
  }
  const float scale = rsqrtf(sum / static_cast<float>(width) + eps);
  for_each_four(width, [&](int at) {
#pragma unroll
    for (int i = 0; i < 4; ++i) head[at + i] = __fmul_rn(__fmul_rn(head[at + i], scale), weights[at + i]);
  });
  __syncwarp();
}

__device__ __forceinline__ void load_head(float* head, const float* from, int width) {
  for_each_four(width,
                [&](int at) { *reinterpret_cast<float4*>(head + at) = *reinterpret_cast<const float4*>(from + at); });
  __syncwarp();
}

/// Caches head `h` of a row of n_kv heads.
__device__ __forceinline__ void cache_head(void* cache, DType dtype, int64_t row, int n_kv, int h, const float* head,
                                           int width) {
  auto* to = static_cast<uint8_t*>(cache) + row * cache_row_bytes(dtype, static_cast<int64_t>(n_kv) * width);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int first = 0; first < width; first += 32) {
    const float value = first + lane < width ? head[first + lane] : 0.0f;
    store_group(dtype, to, h * width + first, (h + 1) * width, value);
  }
}

/// Grid: (tokens, groups of kWarps heads); a warp a head: queries, then keys, then values.
__global__ void __launch_bounds__(kWarps * 32) finish_gqa_rows_kernel(const __grid_constant__ RowArgs args) {
  __shared__ float4 heads[kWarps][kMostWidth / 4];
  const GqaRows& rows = args.rows;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const auto token = static_cast<int>(blockIdx.x);
  const int of_token = static_cast<int>(blockIdx.y) * kWarps + warp;
  if (of_token >= rows.q.n_heads + 2 * rows.k.n_heads) return;
  const int width = rows.q.width;
  const int position = args.positions[token];
  const bool is_query = of_token < rows.q.n_heads;
  const bool is_value = of_token >= rows.q.n_heads + rows.k.n_heads;
  const int h = is_query ? of_token : (of_token - rows.q.n_heads) % rows.k.n_heads;
  const Tensor& of = is_query ? rows.q : is_value ? rows.v : rows.k;
  float* from = of.data + token * of.row_stride + h * of.head_stride;
  auto* head = reinterpret_cast<float*>(heads[warp]);
  wait_for_previous_kernel();
  let_next_kernel_start();
  load_head(head, from, width);
  if (!is_value) {
    const float* norm = is_query ? rows.q_norm : rows.k_norm;
    if (norm != nullptr) norm_head(head, width, norm, rows.eps);
    for (int pair = lane; pair < args.rope.n_dims / 2; pair += 32) rotate_pair(head, pair, position, args.rope);
    __syncwarp();
  }
  if (is_query) {
    for_each_four(width,
                  [&](int at) { *reinterpret_cast<float4*>(from + at) = *reinterpret_cast<const float4*>(head + at); });
    return;
  }
  const int64_t row = cache_row(args.page_table, args.max_pages, args.sequences[token], position);
  if (is_value) {
    cache_head(args.cache.v, args.cache.v_dtype, row, rows.v.n_heads, h, head, width);
  } else {
    cache_head(args.cache.k, args.cache.k_dtype, row, rows.k.n_heads, h, head, width);
  }
}

}  // namespace

bool gqa_rows_support(const GqaRows& rows, const KvLayer& cache) {
  const auto is_aligned = [](Tensor t) {
    return reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.row_stride % 4 == 0 && t.head_stride % 4 == 0;
  };
  const auto blocks_fit = [&](DType dtype) { return dtype != DType::kQ8_0 || rows.q.width % 32 == 0; };
  return rows.q.width % 4 == 0 && rows.q.width <= kMostWidth && is_aligned(rows.q) && is_aligned(rows.k) &&
         is_aligned(rows.v) && cache.v != nullptr && blocks_fit(cache.k_dtype) && blocks_fit(cache.v_dtype);
}

void finish_gqa_rows(const Stream& stream, const GqaRows& rows, const Batch& batch, const KvLayer& cache,
                     const RopeParams& rope_params) {
  GLINT_CHECK(gqa_rows_support(rows, cache));
  const dim3 grid(static_cast<unsigned>(rows.q.n_rows),
                  static_cast<unsigned>(blocks_for(rows.q.n_heads + 2 * rows.k.n_heads, kWarps)));
  launch(stream, {grid, dim3(kWarps * 32)}, finish_gqa_rows_kernel,
         {.rows = rows,
          .positions = batch.positions,
          .sequences = batch.sequences,
          .page_table = batch.page_table,
          .max_pages = batch.max_pages,
          .cache = cache,
          .rope = rope_params});
}

}  // namespace glint::cuda
