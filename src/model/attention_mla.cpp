// SPDX-License-Identifier: Apache-2.0
//
// Multi-head latent attention (arXiv 2405.04434) in absorbed form. Keys and values of all heads are linear in one latent
// row c of kv_rank values, so instead of expanding c for every cached token, the query is taken into the latent's space:
//   score = (k_b^T q_nope) . c + q_rope . k_rope        out_h = v_b (sum of p * c)
// The cache row is [normed c | rotated k_rope]; its first kv_rank values are also the "values".
#include "model/blocks.h"

namespace glint {

void run_attention(const StepContext& step, Tensor out, Tensor x, const MlaSpec& spec, const MlaWeights& weights) {
  Backend& backend = step.backend;
  const int n_tokens = x.n_rows;
  const int n_heads = step.spec.n_heads;
  const int d_row = spec.kv_rank + spec.d_rope;
  const Tensor q = Tensor::matrix(step.scratch.q.data, n_tokens, n_heads * (spec.d_nope + spec.d_rope));
  const Tensor latent = Tensor::matrix(step.scratch.latent.data, n_tokens, d_row);
  const Tensor q_latent = Tensor::matrix(step.scratch.q_latent.data, n_tokens, n_heads * d_row).split_heads(n_heads);
  const Tensor o_latent = Tensor::matrix(step.scratch.o_latent.data, n_tokens, n_heads * spec.kv_rank).split_heads(n_heads);
  const Tensor attended = Tensor::matrix(step.scratch.attended.data, n_tokens, n_heads * spec.d_v);

  if (spec.q_rank > 0) {
    const Tensor q_low = Tensor::matrix(step.scratch.q_low.data, n_tokens, spec.q_rank);
    backend.matmul(q_low, x, weights.q_a);
    backend.rms_norm(q_low, q_low, spec.eps, weights.q_a_norm);
    backend.matmul(q, q_low, weights.q_b);
  } else {
    backend.matmul(q, x, weights.q);
  }
  const Tensor q_heads = q.split_heads(n_heads);
  const Tensor q_rope = q_latent.columns(spec.kv_rank, spec.d_rope);
  backend.matmul_heads(q_latent.columns(0, spec.kv_rank), q_heads.columns(0, spec.d_nope), weights.k_b);
  backend.copy(q_rope, q_heads.columns(spec.d_nope, spec.d_rope));
  backend.rope(q_rope, step.batch.positions, step.rope);

  const Tensor c = latent.columns(0, spec.kv_rank);
  backend.matmul(latent, x, weights.kv_a);
  backend.rms_norm(c, c, spec.eps, weights.kv_a_norm);
  backend.rope(latent.columns(spec.kv_rank, spec.d_rope), step.batch.positions, step.rope);
  backend.kv_store(step.cache, latent, {}, step.batch);

  backend.attend(o_latent, q_latent, step.cache, step.batch, {.scale = spec.scale});
  backend.matmul_heads(attended.split_heads(n_heads), o_latent, weights.v_b);
  backend.matmul(out, attended, weights.output);
}

}  // namespace glint
