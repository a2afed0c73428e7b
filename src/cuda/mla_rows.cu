// SPDX-License-Identifier: Apache-2.0
#include "cuda/mla_rows.h"

#include "cuda/device/mla_rows.cuh"
#include "cuda/device/packed.cuh"
#include "cuda/format_switch.h"
#include "cuda/kv_rows.h"
#include "cuda/launch.h"

namespace glint::cuda {
namespace {

/// Grid: (tokens, heads + 1).
__global__ void __launch_bounds__(kNormThreads) finish_mla_rows_kernel(MlaRowArgs args) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  finish_mla_row(args, blockIdx.x, static_cast<int>(blockIdx.y));
}

/// Grid: (tokens, heads); dynamic shared memory: one head.
__global__ void __launch_bounds__(128)
    rotate_queries_kernel(__half* q_half, Tensor q, int d_nope, const int32_t* positions, RopeParams params) {
  auto* head_values = dynamic_shared<float>();
  wait_for_previous_kernel();
  let_next_kernel_start();
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
  wait_for_previous_kernel();
  let_next_kernel_start();
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

/// Grid: (rows of w / 256, columns of w, heads).
template <PackedFormat kFormat>
__global__ void __launch_bounds__(256) unpack_heads_kernel(__half* out, PackedMatrix w, bool transposed) {
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int row = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int column = static_cast<int>(blockIdx.y);
  const int64_t head = blockIdx.z;
  if (row < w.n_out) {
    const int64_t tile = (head * w.n_row_tiles + row / kTileRows) * w.n_blocks + column / kTileColumns;
    const float value =
        unpack_one<kFormat>(w.tiles + tile * tile_layout(kFormat).bytes(), row % kTileRows, column % kTileColumns);
    const int64_t at = transposed ? (head * w.n_in + column) * w.n_out + row : (head * w.n_out + row) * w.n_in + column;
    out[at] = __float2half_rn(value);
  }
}

}  // namespace

MlaRowArgs mla_row_args(const MlaRows& rows, const MlaShape& shape, const float* kv_norm, const Batch& batch,
                        const KvLayer& cache, const RopeParams& rope_params) {
  return {.rows = rows,
          .shape = shape,
          .kv_norm = kv_norm,
          .batch = {batch.positions, batch.sequences, batch.page_table, batch.max_pages},
          .cache = cache.k_dtype == DType::kF16 ? cache : KvLayer{},
          .rope = rope_params};
}

void finish_mla_rows(const Stream& stream, const MlaRows& rows, const MlaShape& shape, const float* kv_norm,
                     const Batch& batch, const KvLayer& cache, const RopeParams& rope_params) {
  const LaunchShape launch_shape{
      dim3(static_cast<unsigned>(rows.latent.n_rows), static_cast<unsigned>(shape.n_heads + 1)), dim3(kNormThreads)};
  launch(stream, launch_shape, finish_mla_rows_kernel, mla_row_args(rows, shape, kv_norm, batch, cache, rope_params));
  if (cache.k_dtype != DType::kF16) kv_store(stream, cache, rows.latent, {}, batch);
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

void unpack_heads(const Stream& stream, __half* out, const Weight& w, bool transposed) {
  const PackedMatrix matrix(w);
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks_for(matrix.n_out, 256)), static_cast<unsigned>(matrix.n_in),
                               static_cast<unsigned>(w.count)),
                          dim3(256)};
  with_format(matrix.format, [&]<PackedFormat kFormat>() {
    launch(stream, shape, unpack_heads_kernel<kFormat>, out, matrix, transposed);
  });
}

}  // namespace glint::cuda
