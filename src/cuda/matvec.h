// SPDX-License-Identifier: Apache-2.0
//
// Products of packed weights with few tokens (1 to 8), for generating: the time is that of reading the weights,
// whatever the number of tokens. Weights are the M side of the tensor core, tokens the N side. Each block takes rows of
// tiles, a warp a tile at a time, its copy under way before the block waits for the kernel before it. Rows and strides
// of quantised matrices' inputs are multiples of four floats. Sums are in the order of device/tile_product.cuh. Tested
// by tests/unit/cuda/matvec_test.cpp.
#pragma once

#include <initializer_list>

#include "cuda/device_memory.h"
#include "cuda/mla_decode.h"
#include "cuda/mla_rows.h"
#include "cuda/packed_weight.h"

namespace glint::cuda {

/// Most tokens of a product.
inline constexpr int kMatvecTokens = 8;
/// Tokens up to which a block norms one after the other, and up to which matrices as tall as a dense model's are better
/// off here than in matmul.h: each block of 16 rows fetches all tokens.
inline constexpr int kMostInTurn = 2;

/// Rows of f32 that are normed (if `norm` is given) and rounded to f16 as they enter a product.
struct MatvecInput {
  const float* x = nullptr;  // [n_tokens, n_in], or [n_tokens, n_heads, n_in] for stacked matrices
  int64_t row_stride = 0;
  int64_t head_stride = 0;
  int n_tokens = 0;
  float scale = 1;              // of the values, before rounding
  const float* norm = nullptr;  // [n_in]
  float eps = 0;

  /// Tokens [first, first + count).
  MatvecInput tokens(int first, int count) const {
    MatvecInput part = *this;
    part.x += first * row_stride;
    part.n_tokens = count;
    return part;
  }
};

/// All rows of x [n_tokens, n_in], normed.
inline MatvecInput norm_input(Tensor x, const Weight& norm, float eps) {
  return {.x = x.data,
          .row_stride = x.row_stride,
          .head_stride = 0,
          .n_tokens = x.n_rows,
          .scale = 1,
          .norm = static_cast<const float*>(norm.data),
          .eps = eps};
}

/// Where a product goes: out[t, h, i] = sum * scale + bias[h, i], or += that; scale is a power of two.
struct MatvecOutput {
  float* out = nullptr;
  int64_t row_stride = 0;
  int64_t head_stride = 0;
  const float* bias = nullptr;
  float scale = 1;
  bool add = false;
};

/// One matrix, or `count` stacked ones, head h of the input with matrix h.
void matvec(const Stream& stream, const MatvecOutput& out, const MatvecInput& in, const PackedMatrix& matrix,
            int count = 1);

/// The same for stacked matrices, with finish_mla_rows (mla_rows.h) of as many tokens in the same launch; the cache is
/// f16.
void matvec_and_mla_rows(const Stream& stream, const MatvecOutput& out, const MatvecInput& in,
                         const PackedMatrix& matrix, int count, const MlaRowArgs& rows);

/// Stacked matrices over what attention left in parts: head h of `splits` with matrix h.
void matvec_of_splits(const Stream& stream, const MatvecOutput& out, const MlaSplits& splits,
                      const PackedMatrix& matrix);

/// Up to kMostMatrices over one input; those after each other whose formats agree in one launch.
inline constexpr int kMostMatrices = 3;
struct MatvecProduct {
  MatvecOutput out;
  PackedMatrix matrix;
};
void matvec_several(const Stream& stream, const MatvecInput& in, std::initializer_list<MatvecProduct> products);

}  // namespace glint::cuda
