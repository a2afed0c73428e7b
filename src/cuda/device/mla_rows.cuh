// SPDX-License-Identifier: Apache-2.0
//
// What happens to a token's query heads and latent row between MLA's products, by one block. See mla_rows.h.
#pragma once

#include <cuda_fp16.h>

#include "cuda/device/cache.cuh"
#include "cuda/device/input.cuh"
#include "cuda/mla_rows.h"

namespace glint::cuda {

/// A block of at least kNormThreads threads. head < n_heads: the tail of that query head; head = n_heads: the latent
/// row, which is also cached where args.cache is given.
__device__ __forceinline__ void finish_mla_row(const MlaRowArgs& args, int64_t token, int head) {
  __shared__ float scratch[kNormThreads / 32];
  const int position = args.batch.positions[token];
  const int thread = static_cast<int>(threadIdx.x);
  if (head == args.shape.n_heads) {
    float* latent = args.rows.latent.data + token * args.rows.latent.row_stride;
    const BlockRow<true> row(latent, args.shape.kv_rank);
    const float scale = rms_scale(row, args.shape.kv_rank, args.shape.eps, scratch);
    row.for_each([&](int at, float4 v) {
      const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int i = 0; i < 4; ++i)
        latent[at + i] = values[i] * scale * args.kv_norm[at + i];  // kv_rank is a multiple of 64
    });
    if (thread < args.rope.n_dims / 2) rotate_pair(latent + args.shape.kv_rank, thread, position, args.rope);
    if (args.cache.k != nullptr) {
      __syncthreads();
      const int64_t at = cache_row(args.batch.page_table, args.batch.max_pages, args.batch.sequences[token], position);
      auto* to = static_cast<__half2*>(args.cache.k) + at * (args.cache.d_k / 2);
      for (int i = thread; i < args.cache.d_k / 2; i += static_cast<int>(blockDim.x))
        to[i] = __floats2half2_rn(latent[2 * i], latent[2 * i + 1]);
    }
  } else {
    const int d_nope = args.shape.d_nope;
    const float* from = args.rows.q.data + token * args.rows.q.row_stride + head * args.rows.q.head_stride + d_nope;
    if (args.rows.q_nope != nullptr) {
      __half* halves = args.rows.q_nope + (token * args.shape.n_heads + head) * d_nope;
      for (int i = 4 * thread; i < d_nope; i += 4 * static_cast<int>(blockDim.x))
        *reinterpret_cast<uint2*>(halves + i) = to_halves(*reinterpret_cast<const float4*>(from - d_nope + i));
    }
    float* to = args.rows.q_latent.data + token * args.rows.q_latent.row_stride +
                head * args.rows.q_latent.head_stride + args.shape.kv_rank;
    for (int i = thread; i < args.shape.d_rope; i += static_cast<int>(blockDim.x)) to[i] = from[i];
    __syncthreads();
    if (thread < args.rope.n_dims / 2) rotate_pair(to, thread, position, args.rope);
  }
}

}  // namespace glint::cuda
