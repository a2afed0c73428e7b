// SPDX-License-Identifier: Apache-2.0
//
// Default bodies of the block ops: a layer's halves written with primitives, one after another. They say what a block
// computes, and every faster override is tested against them. Called by model/decoder.cpp through Backend; know nothing
// of any concrete backend. Tested by tests/unit/model/golden_test.cpp (against Hugging Face).
#include "backend/backend.h"

namespace glint {
namespace {

/// The front of a scratch tensor as [n_rows, width].
Tensor front(Tensor scratch, int n_rows, int width) {
  return Tensor::matrix(scratch.data, n_rows, width);
}

Tensor normed_input(Backend& backend, Tensor x, const BlockContext& block) {
  const Tensor normed = front(block.scratch.normed, x.n_rows, x.width);
  backend.rms_norm(normed, x, block.eps, block.norm);
  return normed;
}

/// x += post_norm(delta)
void add_output(Backend& backend, Tensor x, Tensor delta, const BlockContext& block) {
  if (block.post_norm) backend.rms_norm(delta, delta, block.eps, block.post_norm);
  backend.add(x, delta);
}

/// out = down(act(gate x) * up x)
void glu_product(Backend& backend, Tensor out, Tensor x, const GluShape& shape, const GluWeights& weights,
                 BlockScratch& scratch) {
  const Tensor gate = front(scratch.gate, x.n_rows, shape.d_ff);
  const Tensor up = front(scratch.up, x.n_rows, shape.d_ff);
  backend.matmul(gate, x, weights.gate);
  backend.matmul(up, x, weights.up);
  backend.glu(gate, up, shape.activation);
  backend.matmul(out, gate, weights.down);
}

}  // namespace

// Project, norm heads where the model does, rotate, cache, attend, project.
void Backend::gqa_block(Tensor x, const BlockContext& block, const GqaShape& shape, const GqaWeights& weights,
                        const KvLayer& cache, const RopeParams& rope_params) {
  const int n = x.n_rows;
  const Tensor normed = normed_input(*this, x, block);
  const Tensor delta = front(block.scratch.delta, n, x.width);
  const Tensor q = front(block.scratch.q, n, shape.n_heads * shape.d_head);
  const Tensor k = front(block.scratch.k, n, shape.n_kv * shape.d_head);
  const Tensor v = front(block.scratch.v, n, shape.n_kv * shape.d_head);
  const Tensor attended = front(block.scratch.attended, n, shape.n_heads * shape.d_head);
  matmul(q, normed, weights.q);
  matmul(k, normed, weights.k);
  matmul(v, normed, weights.v);
  const Tensor q_heads = q.split_heads(shape.n_heads);
  const Tensor k_heads = k.split_heads(shape.n_kv);
  if (shape.qk_norm) {
    rms_norm(q_heads, q_heads, block.eps, weights.q_norm);
    rms_norm(k_heads, k_heads, block.eps, weights.k_norm);
  }
  rope(q_heads, block.batch.positions, rope_params);
  rope(k_heads, block.batch.positions, rope_params);
  kv_store(cache, k_heads, v.split_heads(shape.n_kv), block.batch);
  attend(attended.split_heads(shape.n_heads), q_heads, cache, block.batch,
         {.scale = shape.scale,
          .softcap = shape.softcap,
          .window = shape.window,
          .sinks = static_cast<const float*>(weights.sinks.data)});
  matmul(delta, attended, weights.output);
  add_output(*this, x, delta, block);
}

// In absorbed form. Keys and values of all heads are linear in one latent row c of kv_rank values, so instead of
// expanding c for every cached token, the query is taken into the latent's space:
//   score = (k_b^T q_nope) . c + q_rope . k_rope        out_h = v_b (sum of p * c)
// The cache row is [normed c | rotated k_rope]; its first kv_rank values are also the "values".
void Backend::mla_block(Tensor x, const BlockContext& block, const MlaShape& shape, const MlaWeights& weights,
                        const KvLayer& cache, const RopeParams& rope_params) {
  const int n = x.n_rows;
  const int n_heads = shape.n_heads;
  const int d_row = shape.kv_rank + shape.d_rope;
  const int32_t* positions = block.batch.positions;
  const Tensor normed = normed_input(*this, x, block);
  const Tensor delta = front(block.scratch.delta, n, x.width);
  const Tensor q = front(block.scratch.q, n, n_heads * (shape.d_nope + shape.d_rope));
  const Tensor latent = front(block.scratch.latent, n, d_row);
  const Tensor q_latent = front(block.scratch.q_latent, n, n_heads * d_row).split_heads(n_heads);
  const Tensor o_latent = front(block.scratch.o_latent, n, n_heads * shape.kv_rank).split_heads(n_heads);
  const Tensor attended = front(block.scratch.attended, n, n_heads * shape.d_v);

  if (shape.q_rank > 0) {
    const Tensor q_low = front(block.scratch.q_low, n, shape.q_rank);
    matmul(q_low, normed, weights.q_a);
    rms_norm(q_low, q_low, shape.eps, weights.q_a_norm);
    matmul(q, q_low, weights.q_b);
  } else {
    matmul(q, normed, weights.q);
  }
  const Tensor q_heads = q.split_heads(n_heads);
  const Tensor q_rope = q_latent.columns(shape.kv_rank, shape.d_rope);
  matmul_heads(q_latent.columns(0, shape.kv_rank), q_heads.columns(0, shape.d_nope), weights.k_b);
  copy(q_rope, q_heads.columns(shape.d_nope, shape.d_rope));
  rope(q_rope, positions, rope_params);

  const Tensor c = latent.columns(0, shape.kv_rank);
  matmul(latent, normed, weights.kv_a);
  rms_norm(c, c, shape.eps, weights.kv_a_norm);
  rope(latent.columns(shape.kv_rank, shape.d_rope), positions, rope_params);
  kv_store(cache, latent, {}, block.batch);

  attend(o_latent, q_latent, cache, block.batch, {.scale = shape.scale});
  matmul_heads(attended.split_heads(n_heads), o_latent, weights.v_b);
  matmul(delta, attended, weights.output);
  add_output(*this, x, delta, block);
}

void Backend::glu_block(Tensor x, const BlockContext& block, const GluShape& shape, const GluWeights& weights) {
  const Tensor normed = normed_input(*this, x, block);
  const Tensor delta = front(block.scratch.delta, x.n_rows, x.width);
  glu_product(*this, delta, normed, shape, weights, block.scratch);
  add_output(*this, x, delta, block);
}

// What the shared expert gives every token (or zero), plus the weighted sum of the chosen ones.
void Backend::moe_block(Tensor x, const BlockContext& block, const MoeShape& shape, const MoeLayerWeights& weights) {
  const Tensor normed = normed_input(*this, x, block);
  const Tensor delta = front(block.scratch.delta, x.n_rows, x.width);
  if (shape.d_ff_shared > 0) {
    glu_product(*this, delta, normed, {.d_ff = shape.d_ff_shared, .activation = shape.activation}, weights.shared,
                block.scratch);
  } else {
    copy(delta, block.scratch.zeros.rows(0, x.n_rows));
  }
  // Layers may differ in width: the scratch's views are cut to this one's.
  MoeScratch scratch = block.scratch.moe;
  const int n_slots = x.n_rows * shape.route.top_k;
  scratch.logits = front(scratch.logits, x.n_rows, shape.n_experts);
  scratch.gate = front(scratch.gate, n_slots, weights.experts.gate.n_out);
  scratch.up = front(scratch.up, n_slots, shape.d_ff);
  ffn_moe(delta, normed, weights.experts, shape.route, shape.activation, scratch);
  add_output(*this, x, delta, block);
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
