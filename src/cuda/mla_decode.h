// SPDX-License-Identifier: Apache-2.0
//
// Absorbed attention over MLA's latent cache (arXiv 2405.04434) for few query rows: each row's positions are split over
// blocks, whose partial results a second kernel puts together in ascending order. How they are split, and in which
// order they are put together (device/mla_splits.cuh), depends on the row's own context alone, so a row's bits do not
// depend on others; launch shapes depend on the number of rows alone, so a step can be replayed. With many rows a block
// takes runs of splits and leaves one result for each. A block takes pages of the cache into shared memory once and
// uses them as keys and, transposed, as values: cached rows are the M side of the tensor core, heads the N side, so 20
// heads cost 24. FLOPs: 2
// * (576 + 512) * 24 a cached row; bytes: 1,152 a cached row, 20 KB a split or run of partial results. Tested by
// tests/unit/cuda/mla_test.cpp.
#pragma once

#include <cuda_fp16.h>

#include "backend/params.h"
#include "cuda/workspace.h"

namespace glint::cuda {

/// Is there a kernel for this cache and these rows? They are read and written 16 bytes at a time.
bool mla_decode_supports(const KvLayer& layer, Tensor q, Tensor out);
/// What the blocks found: for each of a few rows, split (or run of splits) and head, its own weighted mean of the
/// values, and the largest score (base 2) and the sum of its softmax. Valid until the next call.
struct MlaSplits {
  __half* values = nullptr;            // [n_rows, split, n_heads, d_v]
  float2* states = nullptr;            // [n_rows, split, n_heads]
  const int32_t* positions = nullptr;  // [n_rows]
  int n_rows = 0;
  int n_heads = 0;
  bool in_runs = false;
  /// Of all heads (device/mla_splits.cuh).
  __device__ int results_of_row() const;
  __device__ __half* values_of(int row, int split) const;
  __device__ float2* states_of(int row, int split) const;
};
/// The first of the two kernels, for rows [first_row, first_row + n_rows) of q, no more than four times as many as the
/// workspace keeps results of, split by split, at once (8 at least); a product may fold its results as it takes them
/// (matvec_of_splits).
MlaSplits mla_split(const Stream& stream, Workspace& workspace, Tensor q, const KvLayer& layer, const Batch& batch,
                    float scale, int first_row, int n_rows);

/// Both, as Backend::attend; any number of rows.
void mla_decode(const Stream& stream, Workspace& workspace, Tensor out, Tensor q, const KvLayer& layer,
                const Batch& batch, float scale);
/// The same to f16 [n_rows, n_heads, 512], as inputs of a product.
void mla_decode(const Stream& stream, Workspace& workspace, __half* out, Tensor q, const KvLayer& layer,
                const Batch& batch, float scale);
/// Floats of partial results of so many rows.
int64_t mla_decode_floats(int n_rows, int n_heads, int d_v);

}  // namespace glint::cuda
