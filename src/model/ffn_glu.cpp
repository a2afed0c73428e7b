// SPDX-License-Identifier: Apache-2.0
//
// The gated feed-forward: down(act(gate x) * up x) (arXiv 2002.05202).
#include "model/blocks.h"

namespace glint {

void run_ffn(const StepContext& step, Tensor out, Tensor x, const GluSpec& spec, const GluWeights& weights) {
  const Tensor gate = Tensor::matrix(step.scratch.gate.data, x.n_rows, spec.d_ff);
  const Tensor up = Tensor::matrix(step.scratch.up.data, x.n_rows, spec.d_ff);
  step.backend.matmul(gate, x, weights.gate);
  step.backend.matmul(up, x, weights.up);
  step.backend.glu(gate, up, spec.activation);
  step.backend.matmul(out, gate, weights.down);
}

}  // namespace glint
