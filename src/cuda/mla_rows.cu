// SPDX-License-Identifier: Apache-2.0
#include "cuda/mla_rows.h"

#include "cuda/device/cache.cuh"
#include "cuda/device/norm.cuh"
#include "cuda/device/packed.cuh"
#include "cuda/format_switch.h"
#include "cuda/kv_rows.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

/// The part of a Batch that kernels take.
struct CacheBatch {
  const int32_t* positions;
  const int32_t* sequences;
  const int32_t* page_table;
  int max_pages;
};

/// Grid: (tokens, heads + 1). The last block of a token does its latent row, and caches it where `cache` is given.
__global__ void __launch_bounds__(kNormThreads)
    finish_mla_rows_kernel(MlaRows rows, MlaShape shape, const float* kv_norm, CacheBatch batch, KvLayer cache,
                           RopeParams params) {
  __shared__ float scratch[kNormThreads / 32];
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int64_t token = blockIdx.x;
  const int head = static_cast<int>(blockIdx.y);
  const int position = batch.positions[token];
  const int thread = static_cast<int>(threadIdx.x);
  if (head == shape.n_heads) {
    float* latent = rows.latent.data + token * rows.latent.row_stride;
    const BlockRow row(latent, shape.kv_rank);
    const float scale = rms_scale(row, shape.kv_rank, shape.eps, scratch);
    row.for_each([&](int at, float4 v) {
      const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) latent[at + i] = values[i] * scale * kv_norm[at + i];  // kv_rank is a multiple of 64
    });
    if (thread < params.n_dims / 2) rotate_pair(latent + shape.kv_rank, thread, position, params);
    if (cache.k != nullptr) {
      __syncthreads();
      const int64_t at = cache_row(batch.page_table, batch.max_pages, batch.sequences[token], position);
      auto* to = static_cast<__half2*>(cache.k) + at * (cache.d_k / 2);
      for (int i = thread; i < cache.d_k / 2; i += kNormThreads) to[i] = __floats2half2_rn(latent[2 * i], latent[2 * i + 1]);
    }
  } else {
    const float* from = rows.q.data + token * rows.q.row_stride + head * rows.q.head_stride + shape.d_nope;
    float* to =
        rows.q_latent.data + token * rows.q_latent.row_stride + head * rows.q_latent.head_stride + shape.kv_rank;
    for (int i = thread; i < shape.d_rope; i += kNormThreads) to[i] = from[i];
    __syncthreads();
    if (thread < params.n_dims / 2) rotate_pair(to, thread, position, params);
  }
}

/// Grid: (tokens, heads); dynamic shared memory: one head.
__global__ void __launch_bounds__(128)
    rotate_queries_kernel(__half* q_half, Tensor q, int d_nope, const int32_t* positions, RopeParams params) {
  auto* head_values = dynamic_shared<float>();
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int64_t token = blockIdx.x;
  const int head = static_cast<int>(blockIdx.y);
  const float* from = q.data + token * q.row_stride + head * q.head_stride;
  for (int i = static_cast<int>(threadIdx.x); i < q.width; i += 128) head_values[i] = from[i];
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < params.n_dims / 2; i += 128) {
    rotate_pair(head_values + d_nope, i, positions[token], params);
  }
  __syncthreads();
  __half* to = q_half + (token * q.n_heads + head) * q.width;
  for (int i = static_cast<int>(threadIdx.x); i < q.width; i += 128) to[i] = __float2half_rn(head_values[i]);
}

/// One block a row of the cache.
__global__ void __launch_bounds__(128) gather_latents_kernel(__half* latent, __half* tail, const __half* cache,
                                                             int d_row, const int32_t* pages, int kv_rank) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int64_t position = blockIdx.x;
  const int64_t row = static_cast<int64_t>(pages[position / kPageTokens]) * kPageTokens + position % kPageTokens;
  const __half* from = cache + row * d_row;
  for (int i = static_cast<int>(threadIdx.x); i < d_row; i += 128) {
    if (i < kv_rank) {
      latent[position * kv_rank + i] = from[i];
    } else {
      tail[position * (d_row - kv_rank) + i - kv_rank] = from[i];
    }
  }
}

/// Grid: (columns of out / 256, rows of out, heads).
template <PackedFormat kFormat>
__global__ void __launch_bounds__(256) transpose_heads_kernel(__half* out, PackedMatrix k_b) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int r = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);  // row of k_b
  const int d = static_cast<int>(blockIdx.y);
  const int head = static_cast<int>(blockIdx.z);
  if (r < k_b.n_out) {
    const int64_t tile =
        (static_cast<int64_t>(head) * k_b.n_row_tiles + r / kTileRows) * k_b.n_blocks + d / kTileColumns;
    const float value =
        unpack_one<kFormat>(k_b.tiles + tile * tile_layout(kFormat).bytes(), r % kTileRows, d % kTileColumns);
    out[(static_cast<int64_t>(head) * k_b.n_in + d) * k_b.n_out + r] = __float2half_rn(value);
  }
}

}  // namespace

void finish_mla_rows(const Stream& stream, const MlaRows& rows, const MlaShape& shape, const float* kv_norm, const Batch& batch,
                     const KvLayer& cache, const RopeParams& rope_params) {
  const LaunchShape launch_shape{dim3(static_cast<unsigned>(rows.latent.n_rows), static_cast<unsigned>(shape.n_heads + 1)),
                                 dim3(kNormThreads)};
  const bool direct = cache.k_dtype == DType::kF16;
  launch(stream, launch_shape, finish_mla_rows_kernel, rows, shape, kv_norm,
         {batch.positions, batch.sequences, batch.page_table, batch.max_pages}, direct ? cache : KvLayer{}, rope_params);
  if (!direct) kv_store(stream, cache, rows.latent, {}, batch);
}

void rotate_queries(const Stream& stream, __half* q_half, Tensor q, int d_nope, const int32_t* positions,
                    const RopeParams& rope_params) {
  const LaunchShape shape{dim3(static_cast<unsigned>(q.n_rows), static_cast<unsigned>(q.n_heads)), dim3(128),
                          static_cast<size_t>(q.width) * sizeof(float)};
  launch(stream, shape, rotate_queries_kernel, q_half, q, d_nope, positions, rope_params);
}

void gather_latents(const Stream& stream, __half* latent, __half* tail, const KvLayer& cache, const Batch& batch,
                    int sequence, int n, int kv_rank) {
  launch(stream, {dim3(static_cast<unsigned>(n)), dim3(128)}, gather_latents_kernel, latent, tail,
         static_cast<const __half*>(cache.k), cache.d_k,
         batch.page_table + static_cast<int64_t>(sequence) * batch.max_pages, kv_rank);
}

void transpose_heads(const Stream& stream, __half* out, const Weight& k_b) {
  const PackedMatrix matrix(k_b);
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(matrix.n_out, 256)), static_cast<unsigned>(matrix.n_in),
                               static_cast<unsigned>(k_b.count)),
                          dim3(256)};
  with_format(matrix.format,
              [&]<PackedFormat kFormat>() { launch(stream, shape, transpose_heads_kernel<kFormat>, out, matrix); });
}

}  // namespace glint::cuda
