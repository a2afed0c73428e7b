// SPDX-License-Identifier: Apache-2.0
//
// Grouped-query attention (arXiv 2305.13245): project, norm heads where the model does, rotate, cache, attend, project.
#include "model/blocks.h"

namespace glint {

void run_attention(const StepContext& step, Tensor out, Tensor x, const GqaSpec& spec, const GqaWeights& weights) {
  Backend& backend = step.backend;
  const int n_tokens = x.n_rows;
  const int n_heads = step.spec.n_heads;
  const Tensor q = Tensor::matrix(step.scratch.q.data, n_tokens, n_heads * spec.d_head);
  const Tensor k = Tensor::matrix(step.scratch.k.data, n_tokens, spec.n_kv * spec.d_head);
  const Tensor v = Tensor::matrix(step.scratch.v.data, n_tokens, spec.n_kv * spec.d_head);
  const Tensor attended = Tensor::matrix(step.scratch.attended.data, n_tokens, n_heads * spec.d_head);
  backend.matmul(q, x, weights.q);
  backend.matmul(k, x, weights.k);
  backend.matmul(v, x, weights.v);
  const Tensor q_heads = q.split_heads(n_heads);
  const Tensor k_heads = k.split_heads(spec.n_kv);
  if (spec.qk_norm) {
    backend.rms_norm(q_heads, q_heads, step.spec.eps, weights.q_norm);
    backend.rms_norm(k_heads, k_heads, step.spec.eps, weights.k_norm);
  }
  backend.rope(q_heads, step.batch.positions, step.rope);
  backend.rope(k_heads, step.batch.positions, step.rope);
  backend.kv_store(step.cache, k_heads, v.split_heads(spec.n_kv), step.batch);
  backend.attend(attended.split_heads(n_heads), q_heads, step.cache, step.batch,
                 {.scale = spec.scale,
                  .softcap = spec.softcap,
                  .window = spec.window,
                  .sinks = static_cast<const float*>(weights.sinks.data)});
  backend.matmul(out, attended, weights.output);
}

}  // namespace glint
