// SPDX-License-Identifier: Apache-2.0
//
// Mixture of experts: what the shared expert gives every token (or zero), plus the weighted sum of the chosen ones.
#include "model/blocks.h"

namespace glint {

void run_ffn(const StepContext& step, Tensor out, Tensor x, const MoeSpec& spec, const MoeLayerWeights& weights) {
  if (spec.d_ff_shared > 0) {
    const GluSpec shared{.d_ff = spec.d_ff_shared, .activation = spec.activation};
    run_ffn(step, out, x, shared, weights.shared);
  } else {
    step.backend.copy(out, step.scratch.zeros.rows(0, x.n_rows));
  }
  RouteParams route = spec.route;
  route.selection_bias = static_cast<const float*>(weights.selection_bias.data);
  // Layers may differ in width: the scratch's views are cut to this one's.
  MoeScratch scratch = step.scratch.moe;
  const int n_slots = x.n_rows * route.top_k;
  const int d_gate = spec.fused_gate_up ? 2 * spec.d_ff : spec.d_ff;
  scratch.logits = Tensor::matrix(scratch.logits.data, x.n_rows, spec.n_experts);
  scratch.gate = Tensor::matrix(scratch.gate.data, n_slots, d_gate);
  scratch.up = Tensor::matrix(scratch.up.data, n_slots, spec.d_ff);
  step.backend.ffn_moe(out, x, weights.experts, route, spec.activation, scratch);
}

}  // namespace glint
