// SPDX-License-Identifier: Apache-2.0
//
// The halves of a decoder layer as a backend sees them: shapes, weights and working memory of attention and
// feed-forward blocks. A block op (backend.h) computes x += post_norm(f(norm(x))); its default body (blocks.cpp) calls
// primitives, and a backend with a faster way overrides it. Plain data; filled in by model/blocks.cpp and
// model/scratch.cpp.
#pragma once

#include "backend/params.h"

namespace glint {

// ---- shapes ----

/// Grouped-query attention (arXiv 2305.13245).
struct GqaShape {
  int n_heads = 0;
  int n_kv = 0;
  int d_head = 0;
  bool qk_norm = false;  // RMS norm of each q and k head before RoPE
  float scale = 0;
  float softcap = 0;
  int window = 0;
};

/// Multi-head latent attention (arXiv 2405.04434).
struct MlaShape {
  int n_heads = 0;
  int q_rank = 0;  // 0: q is one matrix
  int kv_rank = 0;
  int d_nope = 0;
  int d_rope = 0;
  int d_v = 0;
  float scale = 0;
  float eps = 0;  // of the two low-rank norms
};

struct GluShape {
  int d_ff = 0;
  Activation activation = Activation::kSilu;
};

struct MoeShape {
  int n_experts = 0;
  int d_ff = 0;
  int d_ff_shared = 0;  // 0: no shared expert
  Activation activation = Activation::kSilu;
  RouteParams route;
};

// ---- weights ----

struct GqaWeights {
  Weight q;       // [n_heads * d_head, d_model]
  Weight k;       // [n_kv * d_head, d_model]
  Weight v;       // [n_kv * d_head, d_model]
  Weight output;  // [d_model, n_heads * d_head]
  Weight q_norm;  // [d_head]
  Weight k_norm;  // [d_head]
  Weight sinks;   // [n_heads]
};

struct MlaWeights {
  Weight q;               // [n_heads * (d_nope + d_rope), d_model] where q_rank is 0
  Weight q_a;             // [q_rank, d_model]
  Weight q_a_norm;        // [q_rank]
  Weight q_b;             // [n_heads * (d_nope + d_rope), q_rank]
  Weight kv_a;            // [kv_rank + d_rope, d_model]
  Weight kv_a_norm;       // [kv_rank]
  Weight k_b;             // n_heads x [kv_rank, d_nope]: un-rotated query into the latent's space
  Weight v_b;             // n_heads x [d_v, kv_rank]: latent into values
  Weight k_b_transposed;  // n_heads x [d_nope, kv_rank]: latent into keys; only where a backend makes it (adapt)
  Weight expansion;       // n_heads * (d_nope + d_v) x kv_rank: both, in a layout of the backend's own; likewise
  Weight output;          // [d_model, n_heads * d_v]
};

struct GluWeights {
  Weight gate;  // [d_ff, d_model]
  Weight up;    // [d_ff, d_model]
  Weight down;  // [d_model, d_ff]
};

/// Weights of a mixture of experts. Either gate and up, or, with `up` absent, a `gate` of 2 * d_ff rows per expert: the
/// gate's, then the up projection's.
struct MoeWeights {
  Weight router;  // [n_experts, d_model], bias allowed
  Weight gate;    // n_experts x [d_ff, d_model]
  Weight up;      // n_experts x [d_ff, d_model]
  Weight down;    // n_experts x [d_model, d_ff]
};

struct MoeLayerWeights {
  MoeWeights experts;
  Weight selection_bias;  // [n_experts]
  GluWeights shared;
};

// ---- working memory ----

/// Working memory of Backend::ffn_moe; sized for the largest step, allocated once.
struct MoeScratch {
  Tensor logits;      // [n_tokens, n_experts]
  Routing routing;    // [n_tokens, top_k]
  Tensor gate;        // [n_tokens * top_k, d_ff]; 2 * d_ff wide when gate and up are one fused weight
  Tensor up;          // [n_tokens * top_k, d_ff]; unused when fused
  Tensor expert_out;  // [n_tokens * top_k, d_model]
};

/// Working memory of the block ops, sized for the largest step and the widest layer; a block takes the front of each.
/// Names say what the default bodies keep there; a backend may keep anything else.
struct BlockScratch {
  Tensor normed;    // [max_tokens, d_model] input of a block
  Tensor delta;     // [max_tokens, d_model] output of a block
  Tensor zeros;     // [max_tokens, d_model] one row of zeros seen as many
  Tensor q;         // [max_tokens, n_heads * width of a query head]
  Tensor k;         // [max_tokens, n_kv * d_head]
  Tensor v;         // [max_tokens, n_kv * d_head]
  Tensor attended;  // [max_tokens, n_heads * d_v]
  Tensor q_low;     // MLA: [max_tokens, q_rank]
  Tensor latent;    // MLA: [max_tokens, kv_rank + d_rope]
  Tensor q_latent;  // MLA: [max_tokens, n_heads, kv_rank + d_rope]
  Tensor o_latent;  // MLA: [max_tokens, n_heads, kv_rank]
  Tensor gate;      // [max_tokens, largest d_ff]
  Tensor up;        // [max_tokens, largest d_ff]
  MoeScratch moe;
};

/// What every block op takes besides its own shape and weights.
struct BlockContext {
  const Batch& batch;
  float eps = 0;     // of norm and post_norm
  Weight norm;       // [d_model] before the block
  Weight post_norm;  // [d_model] of the block's output before it is added; absent in most models
  BlockScratch& scratch;
};

/// The largest step that will be asked for; see Backend::prepare.
struct StepLimits {
  int max_tokens = 0;
  int n_ctx = 0;
  int n_sequences = 0;
  int d_model = 0;
  int n_heads = 0;
  int d_head = 0;            // of the widest grouped-query heads; 0: none
  int d_latent = 0;          // of MLA's cache row; 0: no MLA
  int d_expanded = 0;        // of MLA's keys and values of one token, all heads, expanded from the latent
  int64_t input_values = 0;  // of the largest input of a product, all rows of a step
  int n_experts = 0;
  int top_k = 0;
};

}  // namespace glint
