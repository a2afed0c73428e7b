// SPDX-License-Identifier: Apache-2.0
#include "model/weights.h"

namespace glint {
namespace {

/// Names and binds the tensors of one block.
class BlockVisitor {
 public:
  BlockVisitor(const ModelSpec& model, int block, const BindWeight& bind)
      : model_(model), block_(block), prefix_("blk." + std::to_string(block) + "."), bind_(bind) {}

  void layer(LayerWeights& w, const LayerSpec& spec) {
    bind(w.attention_norm, "attn_norm.weight", {model_.d_model});
    if (spec.post_norms) bind(w.post_attention_norm, "post_attention_norm.weight", {model_.d_model});
    if (const auto* gqa = std::get_if<GqaSpec>(&spec.attention)) {
      attention(w.attention.emplace<GqaWeights>(), *gqa);
    } else {
      attention(w.attention.emplace<MlaWeights>(), std::get<MlaSpec>(spec.attention));
    }
    in_ffn_ = true;
    bind(w.ffn_norm, model_.ffn_norm_name + ".weight", {model_.d_model});
    if (spec.post_norms) bind(w.post_ffn_norm, "post_ffw_norm.weight", {model_.d_model});
    if (const auto* glu = std::get_if<GluSpec>(&spec.ffn)) {
      ffn(w.ffn.emplace<GluWeights>(), glu->d_ff, glu->fused_gate_up, "");
    } else {
      ffn(w.ffn.emplace<MoeLayerWeights>(), std::get<MoeSpec>(spec.ffn));
    }
    in_ffn_ = false;
  }

  void nextn(NextnWeights& w, const LayerSpec& spec) {
    layer(w.layer, spec);
    bind(w.eh_proj, "nextn.eh_proj.weight", {model_.d_model, 2 * model_.d_model});
    bind(w.embedding_norm, "nextn.enorm.weight", {model_.d_model});
    bind(w.hidden_norm, "nextn.hnorm.weight", {model_.d_model});
    bind_optional(w.head_norm, "nextn.shared_head_norm.weight", {model_.d_model});
    bind(w.embedding, TensorUse{.name = prefix_ + "nextn.embed_tokens.weight",
                                .dims = {model_.n_vocab, model_.d_model},
                                .optional = true,
                                .n_read = 1});
    bind_optional(w.head, "nextn.shared_head_head.weight", {model_.n_vocab, model_.d_model});
  }

 private:
  void bind(Weight& weight, TensorUse use) {
    const bool of_trunk = block_ < static_cast<int>(model_.layers.size());
    if (in_ffn_ && of_trunk) use.ffn_of = block_;
    bind_(weight, use);
  }
  void bind(Weight& weight, const std::string& name, std::vector<int64_t> dims, const std::string& bias = "") {
    bind(weight,
         TensorUse{.name = prefix_ + name, .dims = std::move(dims), .bias = bias.empty() ? bias : prefix_ + bias});
  }
  void bind_optional(Weight& weight, const std::string& name, std::vector<int64_t> dims) {
    bind(weight, TensorUse{.name = prefix_ + name, .dims = std::move(dims), .optional = true});
  }
  void bind_slice(Weight& weight, const std::string& name, std::vector<int64_t> dims, RowSlice slice) {
    bind(weight, TensorUse{.name = prefix_ + name, .dims = std::move(dims), .slice = slice});
  }
  void bind_experts(Weight& weight, const std::string& stem, std::vector<int64_t> dims, const MoeSpec& spec) {
    bind(weight, TensorUse{.name = prefix_ + stem + ".weight",
                           .dims = std::move(dims),
                           .bias = spec.bias ? prefix_ + stem + ".bias" : "",
                           .n_read = spec.route.top_k});
  }

  void attention(GqaWeights& w, const GqaSpec& spec) {
    const int d_q = model_.n_heads * spec.d_head;
    const int d_kv = spec.n_kv * spec.d_head;
    if (spec.fused_qkv) {
      const std::vector<int64_t> dims = {d_q + 2LL * d_kv, model_.d_model};
      bind_slice(w.q, "attn_qkv.weight", dims, {.first = 0, .count = d_q});
      bind_slice(w.k, "attn_qkv.weight", dims, {.first = d_q, .count = d_kv});
      bind_slice(w.v, "attn_qkv.weight", dims, {.first = d_q + d_kv, .count = d_kv});
    } else {
      bind(w.q, "attn_q.weight", {d_q, model_.d_model}, spec.bias ? "attn_q.bias" : "");
      bind(w.k, "attn_k.weight", {d_kv, model_.d_model}, spec.bias ? "attn_k.bias" : "");
      bind(w.v, "attn_v.weight", {d_kv, model_.d_model}, spec.bias ? "attn_v.bias" : "");
    }
    bind(w.output, "attn_output.weight", {model_.d_model, d_q}, spec.output_bias ? "attn_output.bias" : "");
    if (spec.qk_norm) {
      bind(w.q_norm, "attn_q_norm.weight", {spec.d_head});
      bind(w.k_norm, "attn_k_norm.weight", {spec.d_head});
    }
    if (spec.sinks) bind(w.sinks, "attn_sinks.weight", {model_.n_heads});
  }

  void attention(MlaWeights& w, const MlaSpec& spec) {
    const int64_t d_q = static_cast<int64_t>(model_.n_heads) * (spec.d_nope + spec.d_rope);
    if (spec.q_rank > 0) {
      bind(w.q_a, "attn_q_a.weight", {spec.q_rank, model_.d_model});
      bind(w.q_a_norm, "attn_q_a_norm.weight", {spec.q_rank});
      bind(w.q_b, "attn_q_b.weight", {d_q, spec.q_rank});
    } else {
      bind(w.q, "attn_q.weight", {d_q, model_.d_model});
    }
    bind(w.kv_a, "attn_kv_a_mqa.weight", {spec.kv_rank + spec.d_rope, model_.d_model});
    bind(w.kv_a_norm, "attn_kv_a_norm.weight", {spec.kv_rank});
    if (spec.joint_kv_b) {
      // Each head's rows: its keys', then its values'.
      const std::vector<int64_t> dims = {static_cast<int64_t>(model_.n_heads) * (spec.d_nope + spec.d_v), spec.kv_rank};
      bind_slice(w.k_b, "attn_kv_b.weight", dims,
                 {.first = 0, .count = spec.d_nope, .n_heads = model_.n_heads, .transposed = true});
      bind_slice(w.v_b, "attn_kv_b.weight", dims, {.first = spec.d_nope, .count = spec.d_v, .n_heads = model_.n_heads});
    } else {
      bind(w.k_b, "attn_k_b.weight", {model_.n_heads, spec.kv_rank, spec.d_nope});
      bind(w.v_b, "attn_v_b.weight", {model_.n_heads, spec.d_v, spec.kv_rank});
    }
    bind(w.output, "attn_output.weight", {model_.d_model, static_cast<int64_t>(model_.n_heads) * spec.d_v});
  }

  void ffn(GluWeights& w, int d_ff, bool fused_gate_up, const std::string& suffix) {
    if (fused_gate_up) {
      bind_slice(w.gate, "ffn_up" + suffix + ".weight", {2LL * d_ff, model_.d_model}, {.first = 0, .count = d_ff});
      bind_slice(w.up, "ffn_up" + suffix + ".weight", {2LL * d_ff, model_.d_model}, {.first = d_ff, .count = d_ff});
    } else {
      bind(w.gate, "ffn_gate" + suffix + ".weight", {d_ff, model_.d_model});
      bind(w.up, "ffn_up" + suffix + ".weight", {d_ff, model_.d_model});
    }
    bind(w.down, "ffn_down" + suffix + ".weight", {model_.d_model, d_ff});
  }

  void ffn(MoeLayerWeights& w, const MoeSpec& spec) {
    const int64_t d_gate = spec.fused_gate_up ? 2LL * spec.d_ff : spec.d_ff;
    bind(w.experts.router, "ffn_gate_inp.weight", {spec.n_experts, model_.d_model},
         spec.bias ? "ffn_gate_inp.bias" : "");
    bind_experts(w.experts.gate, spec.fused_gate_up ? "ffn_gate_up_exps" : "ffn_gate_exps",
                 {spec.n_experts, d_gate, model_.d_model}, spec);
    if (!spec.fused_gate_up)
      bind_experts(w.experts.up, "ffn_up_exps", {spec.n_experts, spec.d_ff, model_.d_model}, spec);
    bind_experts(w.experts.down, "ffn_down_exps", {spec.n_experts, model_.d_model, spec.d_ff}, spec);
    if (spec.selection_bias) bind(w.selection_bias, "exp_probs_b.bias", {spec.n_experts});
    if (spec.d_ff_shared > 0) ffn(w.shared, spec.d_ff_shared, false, "_shexp");
  }

  const ModelSpec& model_;
  int block_;
  std::string prefix_;
  const BindWeight& bind_;
  bool in_ffn_ = false;
};

}  // namespace

void visit_weights(ModelWeights& weights, const ModelSpec& spec, bool nextn, const BindWeight& bind) {
  // A tied table is also the head, which reads all of it.
  bind(weights.embedding, {.name = "token_embd.weight",
                           .dims = {spec.n_vocab, spec.d_model},
                           .is_head = spec.tied_head,
                           .n_read = spec.tied_head ? 0 : 1});
  bind(weights.output_norm, {.name = "output_norm.weight", .dims = {spec.d_model}});
  if (spec.tied_head) {
    weights.head = weights.embedding;
  } else {
    bind(weights.head, {.name = "output.weight", .dims = {spec.n_vocab, spec.d_model}, .is_head = true});
  }
  weights.layers.resize(spec.layers.size());
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    BlockVisitor(spec, static_cast<int>(i), bind).layer(weights.layers[i], spec.layers[i]);
  }
  if (!nextn) return;
  weights.nextn.resize(spec.nextn_layers.size());
  for (size_t i = 0; i < spec.nextn_layers.size(); ++i) {
    const int block = static_cast<int>(spec.layers.size() + i);
    BlockVisitor(spec, block, bind).nextn(weights.nextn[i], spec.nextn_layers[i]);
  }
}

std::vector<TensorUse> tensor_uses(const ModelSpec& spec, bool nextn) {
  std::vector<TensorUse> uses;
  ModelWeights weights;
  visit_weights(weights, spec, nextn, [&](Weight&, const TensorUse& use) { uses.push_back(use); });
  return uses;
}

}  // namespace glint
