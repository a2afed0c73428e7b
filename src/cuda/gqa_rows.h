// SPDX-License-Identifier: Apache-2.0
//
// What happens to heads between grouped-query attention's products, in one launch. Used by gqa_block.cu.
#pragma once

#include "backend/params.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

/// Norms each query and key head where the model does, rotates them in place, and caches keys and values. With the bits
/// of rms_norm, rope (row_ops.h) and kv_store (kv_rows.h) one after another.
struct GqaRows {
  Tensor q;                       // [n, n_heads, d_head]
  Tensor k;                       // [n, n_kv, d_head]
  Tensor v;                       // [n, n_kv, d_head]
  const float* q_norm = nullptr;  // [d_head], or null
  const float* k_norm = nullptr;
  float eps = 0;
};

/// Heads whose rows start at multiples of 16 bytes; blocks of the cache's formats lie within a head.
bool gqa_rows_support(const GqaRows& rows, const KvLayer& cache);
void finish_gqa_rows(const Stream& stream, const GqaRows& rows, const Batch& batch, const KvLayer& cache,
                     const RopeParams& rope_params);

}  // namespace glint::cuda
