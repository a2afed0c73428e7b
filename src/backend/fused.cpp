// SPDX-License-Identifier: Apache-2.0
//
// Default bodies of the fused ops: the same primitives, one after another. They are what every faster override is
// tested against, and what a backend runs until it has a measured reason not to. Called by model/decoder.cpp through
// Backend; know nothing of any concrete backend. Tested by tests/unit/backend/fused_test.cpp.
#include "backend/backend.h"

namespace glint {

void Backend::add_rms_norm(Tensor out, Tensor x, Tensor delta, float eps, const Weight& w) {
  add(x, delta);
  rms_norm(out, x, eps, w);
}

void Backend::ffn_moe(Tensor out, Tensor x, const MoeWeights& w, const RouteParams& route_params, Activation activation,
                      MoeScratch& scratch) {
  const int n_tokens = x.n_rows;
  const int n_slots = n_tokens * route_params.top_k;
  const int d_ff = w.down.n_in;
  GLINT_CHECK(n_tokens <= scratch.logits.n_rows && n_slots <= scratch.gate.n_rows);

  const Tensor logits = scratch.logits.rows(0, n_tokens);
  const Routing routing = {scratch.routing.expert, scratch.routing.weight, n_tokens, route_params.top_k};
  matmul(logits, x, w.router);
  route(routing, logits, route_params);

  Tensor gate = scratch.gate.rows(0, n_slots);
  Tensor up;
  if (w.up) {
    up = scratch.up.rows(0, n_slots);
    matmul_experts(gate, x, w.gate, routing);
    matmul_experts(up, x, w.up, routing);
  } else {  // fused: one product writes [gate; up], which are then the two halves of each row
    GLINT_CHECK(w.gate.n_out == 2 * d_ff);
    matmul_experts(gate, x, w.gate, routing);
    up = gate.columns(d_ff, d_ff);
    gate = gate.columns(0, d_ff);
  }
  glu(gate, up, activation);

  const Tensor expert_out = scratch.expert_out.rows(0, n_slots);
  matmul_experts(expert_out, gate, w.down, routing);
  combine(out, expert_out, routing);
}

}  // namespace glint
