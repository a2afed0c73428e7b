// SPDX-License-Identifier: Apache-2.0
//
// The small row-wise parts of MLA: what happens to a query and to a latent row between products. Used by mla_block.cu.
#pragma once

#include <cuda_fp16.h>

#include "backend/blocks.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

/// Norms the first kv_rank values of each latent row, rotates the rest, in place, and caches the row; writes the
/// rotated tail of each query head to the end of its row of q_latent, and the rest of it, as f16, to q_nope if given.
struct MlaRows {
  Tensor latent;             // [n, kv_rank + d_rope]
  Tensor q;                  // [n, n_heads, d_nope + d_rope]
  Tensor q_latent;           // [n, n_heads, kv_rank + d_rope]
  __half* q_nope = nullptr;  // [n, n_heads, d_nope]
};
/// The part of a Batch that kernels take.
struct CacheBatch {
  const int32_t* positions = nullptr;
  const int32_t* sequences = nullptr;
  const int32_t* page_table = nullptr;
  int max_pages = 0;
};
/// All of it, as kernels take it.
struct MlaRowArgs {
  MlaRows rows;
  MlaShape shape;
  const float* kv_norm = nullptr;
  CacheBatch batch;
  KvLayer cache;  // f16, or absent: the caller caches the rows
  RopeParams rope;
};
MlaRowArgs mla_row_args(const MlaRows& rows, const MlaShape& shape, const float* kv_norm, const Batch& batch,
                        const KvLayer& cache, const RopeParams& rope_params);
void finish_mla_rows(const Stream& stream, const MlaRows& rows, const MlaShape& shape, const float* kv_norm,
                     const Batch& batch, const KvLayer& cache, const RopeParams& rope_params);

/// q_half = f16 of q with each head's tail rotated.
void rotate_queries(const Stream& stream, __half* q_half, Tensor q, int d_nope, const int32_t* positions,
                    const RopeParams& rope_params);

/// Rows 0 .. n - 1 of a sequence, in order of position: latent [n, kv_rank] and rotated key tail [n, d_rope]. The cache
/// is f16; `sequence` is the row of the page table.
void gather_latents(const Stream& stream, __half* latent, __half* tail, const KvLayer& cache, const Batch& batch,
                    int sequence, int n, int kv_rank);

/// Packed stacked matrices as f16 rows: `out` [count, n_in, n_out] where transposed, else [count, n_out, n_in].
void unpack_heads(const Stream& stream, __half* out, const Weight& w, bool transposed);

}  // namespace glint::cuda
