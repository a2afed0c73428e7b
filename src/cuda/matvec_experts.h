// SPDX-License-Identifier: Apache-2.0
//
// A mixture of experts for a few tokens, in three launches: the shared expert's gated halves beside the router's
// logits; the chosen experts' gated halves, whose blocks each choose for themselves; all second halves with their
// weighted sum. Products are those of matvec.h. Tested by tests/unit/cuda/op_cases_test.cpp and tests/unit/cuda_model.
#pragma once

#include "cuda/matvec.h"
#include "cuda/route.h"

namespace glint::cuda {

/// out[t, i] = act(gate x) * up x * kInnerScale, in f32. Formats of gate and up agree.
struct GluOutput {
  float* out = nullptr;
  int64_t row_stride = 0;
  Activation activation = Activation::kSilu;
  const float* gate_bias = nullptr;  // [n_experts, d_ff]
  const float* up_bias = nullptr;
};
void matvec_glu(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                const PackedMatrix& up);

/// The same with router_logits (route.h) of the same tokens, in one launch where that fits.
void matvec_glu_and_router(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                           const PackedMatrix& up, Tensor logits, const RouterInput& router);

/// Chooses each token's experts as route (route.h) does and leaves the choice in `routing`; out[token * top_k + s] is
/// the gated half of expert (token, s). Any number of tokens.
void matvec_experts_glu(const Stream& stream, const GluOutput& out, const MatvecInput& in, const PackedMatrix& gate,
                        const PackedMatrix& up, const Routing& routing, Tensor logits, const RouteParams& params);

/// x[t] += shared[t] . down_shared^T + sum over s of weight(t, s) * (inner[t * top_k + s] . down[expert(t, s)]^T +
/// bias): the sum over slots in slot order. `inner` and `shared` as the gated halves leave them. Any number of tokens.
struct DownInput {
  const float* inner = nullptr;  // [n_tokens * top_k, d_ff]
  int64_t inner_stride = 0;
  const float* shared = nullptr;  // [n_tokens, d_ff_shared]; null: no shared expert
  int64_t shared_stride = 0;
};
void matvec_down(const Stream& stream, Tensor x, const DownInput& in, const PackedMatrix& down, const float* bias,
                 const PackedMatrix& down_shared, const Routing& routing);

/// Has a block's shared memory room for the chosen experts of one token? `shared`: the shared expert's second half, or
/// null.
bool matvec_experts_fit(const Stream& stream, const PackedMatrix& gate, const PackedMatrix& down,
                        const PackedMatrix* shared, int n_experts, int top_k);

}  // namespace glint::cuda
