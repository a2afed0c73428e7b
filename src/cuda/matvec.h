// SPDX-License-Identifier: Apache-2.0
//
// Products of packed weights with few tokens (1 to 8), for generating: the time is that of reading the weights,
// whatever the number of tokens. Weights are the M side of the tensor core, tokens the N side. Each block of 8 warps
// takes rows of tiles; a warp takes a tile at a time, its loads under way before the block waits for the kernel before
// it. Sums are in the order of device/tile_product.cuh. Tested by tests/unit/cuda/matvec_test.cpp.
#pragma once

#include "cuda/device_memory.h"
#include "cuda/mla_rows.h"
#include "cuda/packed_weight.h"
#include "cuda/route.h"

namespace glint::cuda {

/// Most tokens of a product.
inline constexpr int kMatvecTokens = 8;

/// Rows of f32 that are normed (if `norm` is given) and rounded to f16 as they enter a product.
struct MatvecInput {
  const float* x = nullptr;  // [n_tokens, n_in], or [n_tokens, n_heads, n_in] for stacked matrices
  int64_t row_stride = 0;
  int64_t head_stride = 0;
  int n_tokens = 0;
  float scale = 1;              // of the values, before rounding
  const float* norm = nullptr;  // [n_in]
  float eps = 0;
};

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

/// Two matrices over one input, in one launch where their formats agree.
void matvec_pair(const Stream& stream, const MatvecOutput& out0, const PackedMatrix& matrix0, const MatvecOutput& out1,
                 const PackedMatrix& matrix1, const MatvecInput& in);

/// out[slot, i] = act(gate x) * up x * kInnerScale, in f32. Without routing slot = token; with it slot = token * top_k
/// + s takes matrix expert[slot], n_tokens being any number. Formats of gate and up agree.
struct GluOutput {
  float* out = nullptr;  // [n_slots, d_ff]
  int64_t row_stride = 0;
  Activation activation = Activation::kSilu;
  const float* gate_bias = nullptr;  // [n_experts, d_ff]
  const float* up_bias = nullptr;
};
void matvec_glu(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                const PackedMatrix& up, const Routing* routing);

/// The dense one with route_normed (route.h) of the same tokens in the same launch.
struct RouteWork {
  Routing out;
  Tensor logits;
  RouterInput in;
  RouteParams params;
  int32_t* arrived = nullptr;  // [n_tokens] counters that are zero before and after
};
void matvec_glu_and_route(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                          const PackedMatrix& up, const RouteWork& route);

/// x[t] += shared[t] . down_shared^T + sum over s of weight(t, s) * (inner[t * top_k + s] . down[expert(t, s)]^T +
/// bias): the sum over slots in slot order. `inner` as matvec_glu leaves it. Any number of tokens.
struct DownInput {
  const float* inner = nullptr;  // [n_tokens * top_k, d_ff]
  int64_t inner_stride = 0;
  const float* shared = nullptr;  // [n_tokens, d_ff_shared]; null: no shared expert
  int64_t shared_stride = 0;
};
/// Has a block's shared memory room for the chosen experts of one token? `shared`: the shared expert's second half, or
/// null.
bool matvec_experts_fit(const Stream& stream, const PackedMatrix& gate, const PackedMatrix& down,
                        const PackedMatrix* shared, int top_k);
void matvec_down(const Stream& stream, Tensor x, const DownInput& in, const PackedMatrix& down, const float* bias,
                 const PackedMatrix& down_shared, const Routing& routing);

}  // namespace glint::cuda
