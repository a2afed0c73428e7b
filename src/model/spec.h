// SPDX-License-Identifier: Apache-2.0
//
// A model architecture as data. Every family that glint runs is a pre-norm decoder that differs in facts, so an
// architecture is a function from GGUF metadata to a ModelSpec (model/arch/), and one decoder (decoder.cpp) runs them
// all. New maths is a new alternative of Attention or Ffn, never a test of the architecture's name.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "backend/params.h"

namespace glint {

/// Rotary facts of one kind of layer; the table is f32 as the published implementations compute it.
struct RopeSpec {
  int n_dims = 0;
  bool interleaved = false;
  float scale = 1;
  std::vector<float> inverse_frequency;       // [n_dims / 2], context extension included
  std::vector<float> long_inverse_frequency;  // longrope: used when the context exceeds long_from; else empty
  int long_from = 0;
};

/// Grouped-query attention (arXiv 2305.13245); multi-head and multi-query are its extremes.
struct GqaSpec {
  int n_kv = 0;
  int d_head = 0;
  bool bias = false;  // on q, k, v
  bool output_bias = false;
  bool qk_norm = false;    // RMS norm of each q and k head before RoPE
  bool fused_qkv = false;  // one matrix [q; k; v]
  bool sinks = false;
  int window = 0;
  float scale = 0;
  float softcap = 0;
  RopeSpec rope;
};

/// Multi-head latent attention (arXiv 2405.04434), computed in absorbed form: the cache row is the normed latent
/// [kv_rank] followed by the rotated shared key [d_rope].
struct MlaSpec {
  int q_rank = 0;  // 0: q is one matrix
  int kv_rank = 0;
  int d_nope = 0;
  int d_rope = 0;
  int d_v = 0;
  bool joint_kv_b = false;  // the file has attn_kv_b instead of attn_k_b and attn_v_b
  float scale = 0;
  float eps = 0;  // of the two low-rank norms
  RopeSpec rope;
};

/// down(act(gate x) * up x)
struct GluSpec {
  int d_ff = 0;
  Activation activation = Activation::kSilu;
  bool fused_gate_up = false;  // one matrix [gate; up]
};

/// Mixture of experts with an optional shared expert, which every token passes through unweighted.
struct MoeSpec {
  int n_experts = 0;
  int d_ff = 0;
  int d_ff_shared = 0;  // 0: none
  Activation activation = Activation::kSilu;
  bool bias = false;  // on router and experts
  bool selection_bias = false;
  bool fused_gate_up = false;
  RouteParams route;  // the selection_bias pointer is filled in by blocks.cpp
};

using AttentionSpec = std::variant<GqaSpec, MlaSpec>;
using FfnSpec = std::variant<GluSpec, MoeSpec>;

struct LayerSpec {
  AttentionSpec attention;
  FfnSpec ffn;
  bool post_norms = false;  // norms of the attention and ffn outputs before they are added
};

struct ModelSpec {
  std::string architecture;  // as the file names it; for display only
  int d_model = 0;
  int n_heads = 0;
  int n_vocab = 0;
  int n_ctx_train = 0;
  float eps = 0;
  float embedding_scale = 1;
  float logit_scale = 1;
  float logit_softcap = 0;
  bool tied_head = false;                  // output = token_embd
  std::string ffn_norm_name = "ffn_norm";  // some files call the norm before the ffn post_attention_norm
  std::vector<LayerSpec> layers;
  std::vector<LayerSpec> nextn_layers;  // multi-token-prediction blocks (arXiv 2412.19437), after the trunk in the file
};

}  // namespace glint
