// SPDX-License-Identifier: Apache-2.0
#include "gguf/synth/models.h"

#include <cmath>

#include "gguf/synth/rope_divisors.h"

namespace glint::gguf {

namespace {

uint32_t u32(int64_t value) {
  return static_cast<uint32_t>(value);
}

// Embeddings of deviation 0.5, and a head whose logits spread a little more than unit inputs would make them.
void add_embedding_and_head(ModelSketch& model, int64_t d_model) {
  model.enter_layer(-1);
  model.vector("token_embd.weight", {model.n_vocab(), d_model}, 0.5f);
  model.norm("output_norm.weight", d_model);
  model.matrix("output.weight", {model.n_vocab(), d_model}, 1.36f);
}

void add_dense_ffn(ModelSketch& model, int64_t d_model, int64_t d_ff) {
  model.matrix("ffn_gate.weight", {d_ff, d_model});
  model.matrix("ffn_up.weight", {d_ff, d_model});
  model.matrix("ffn_down.weight", {d_model, d_ff});
}

void add_experts(ModelSketch& model, int64_t n_experts, int64_t d_model, int64_t d_ff) {
  model.matrix("ffn_gate_inp.weight", {n_experts, d_model});
  model.matrix("ffn_gate_exps.weight", {n_experts, d_ff, d_model});
  model.matrix("ffn_up_exps.weight", {n_experts, d_ff, d_model});
  model.matrix("ffn_down_exps.weight", {n_experts, d_model, d_ff});
}

// ---- GLM-4.7-Flash: latent attention, one dense layer, then experts with sigmoid gates and a selection bias

struct LatentShape {
  int64_t d_model, d_ff, n_heads, q_rank, kv_rank, d_nope, d_rope, d_v, n_experts, top_k, d_ff_expert, n_ctx;
};

constexpr LatentShape kGlmFlash = {2048, 10240, 20, 768, 512, 192, 64, 256, 64, 4, 1536, 202752};
constexpr LatentShape kGlmFlashTiny = {256, 512, 6, 256, 256, 96, 32, 128, 8, 2, 256, 4096};

void add_latent_keys(ModelSketch& model, const LatentShape& shape) {
  model.key("block_count", u32(model.n_layers()));
  model.key("context_length", u32(shape.n_ctx));
  model.key("embedding_length", u32(shape.d_model));
  model.key("feed_forward_length", u32(shape.d_ff));
  model.key("attention.head_count", u32(shape.n_heads));
  model.key("attention.head_count_kv", 1u);
  model.key("rope.freq_base", 1e6f);
  model.key("attention.layer_norm_rms_epsilon", 1e-5f);
  model.key("expert_used_count", u32(shape.top_k));
  model.key("expert_group_count", 1u);
  model.key("expert_group_used_count", 1u);
  model.key("expert_gating_func", 2u);
  model.key("leading_dense_block_count", 1u);
  model.key("vocab_size", u32(model.n_vocab()));
  model.key("attention.q_lora_rank", u32(shape.q_rank));
  model.key("attention.kv_lora_rank", u32(shape.kv_rank));
  model.key("attention.key_length", u32(shape.kv_rank + shape.d_rope));
  model.key("attention.value_length", u32(shape.kv_rank));
  model.key("attention.key_length_mla", u32(shape.d_nope + shape.d_rope));
  model.key("attention.value_length_mla", u32(shape.d_v));
  model.key("expert_feed_forward_length", u32(shape.d_ff_expert));
  model.key("expert_count", u32(shape.n_experts));
  model.key("expert_shared_count", 1u);
  model.key("expert_weights_scale", 1.8f);
  model.key("expert_weights_norm", true);
  model.key("rope.dimension_count", u32(shape.d_rope));
}

void add_latent_layer(ModelSketch& model, int layer, const LatentShape& shape) {
  model.enter_layer(layer);
  model.norm("attn_norm.weight", shape.d_model);
  model.matrix("attn_q_a.weight", {shape.q_rank, shape.d_model});
  model.norm("attn_q_a_norm.weight", shape.q_rank);
  model.matrix("attn_q_b.weight", {shape.n_heads * (shape.d_nope + shape.d_rope), shape.q_rank});
  model.matrix("attn_kv_a_mqa.weight", {shape.kv_rank + shape.d_rope, shape.d_model});
  model.norm("attn_kv_a_norm.weight", shape.kv_rank);
  // Stored transposed: its inputs are the latent's, not the last dimension's.
  model.vector("attn_k_b.weight", {shape.n_heads, shape.kv_rank, shape.d_nope},
               1 / std::sqrt(static_cast<float>(shape.kv_rank)));
  model.matrix("attn_v_b.weight", {shape.n_heads, shape.d_v, shape.kv_rank});
  model.matrix("attn_output.weight", {shape.d_model, shape.n_heads * shape.d_v});
  model.norm("ffn_norm.weight", shape.d_model);
  if (layer == 0) return add_dense_ffn(model, shape.d_model, shape.d_ff);
  add_experts(model, shape.n_experts, shape.d_model, shape.d_ff_expert);
  model.vector("exp_probs_b.bias", {shape.n_experts}, 0.05f);
  model.matrix("ffn_gate_shexp.weight", {shape.d_ff_expert, shape.d_model});
  model.matrix("ffn_up_shexp.weight", {shape.d_ff_expert, shape.d_model});
  model.matrix("ffn_down_shexp.weight", {shape.d_model, shape.d_ff_expert});
}

void add_latent_model(ModelSketch& model, const LatentShape& shape) {
  add_latent_keys(model, shape);
  add_embedding_and_head(model, shape.d_model);
  for (int layer = 0; layer < model.n_layers(); ++layer) add_latent_layer(model, layer, shape);
}

ModelSketch glm_flash(int n_layers, int64_t n_vocab) {
  ModelSketch model("deepseek2", n_layers, n_vocab);
  model.plain_key("general.sampling.temp", 1.0f);
  model.plain_key("general.name", "GLM 4.7 Flash (random weights)");
  model.plain_key("general.size_label", "64x2.6B");
  model.plain_key("general.license", "mit");
  model.plain_key("general.tags", std::vector<std::string>{"text-generation"});
  model.plain_key("general.languages", std::vector<std::string>{"en", "zh"});
  add_latent_model(model, kGlmFlash);
  return model;
}

ModelSketch glm_flash_tiny(int n_layers, int64_t n_vocab) {
  ModelSketch model("deepseek2", n_layers, n_vocab);
  model.plain_key("general.name", "tiny GLM 4.7 Flash (random weights)");
  add_latent_model(model, kGlmFlashTiny);
  return model;
}

// ---- grouped-query attention: families at the sizes of models in wide use, and at tiny ones that are no powers of two

struct GroupedShape {
  int64_t d_model, d_ff, n_heads, n_kv, d_head, n_ctx;
};

void add_grouped_keys(ModelSketch& model, const GroupedShape& shape, float rope_base, float eps) {
  model.key("block_count", u32(model.n_layers()));
  model.key("context_length", u32(shape.n_ctx));
  model.key("embedding_length", u32(shape.d_model));
  model.key("feed_forward_length", u32(shape.d_ff));
  model.key("attention.head_count", u32(shape.n_heads));
  model.key("attention.head_count_kv", u32(shape.n_kv));
  model.key("rope.freq_base", rope_base);
  model.key("attention.layer_norm_rms_epsilon", eps);
}

void add_head_size_keys(ModelSketch& model, const GroupedShape& shape) {
  model.key("attention.key_length", u32(shape.d_head));
  model.key("attention.value_length", u32(shape.d_head));
}

void add_grouped_attention(ModelSketch& model, const GroupedShape& shape) {
  model.norm("attn_norm.weight", shape.d_model);
  model.matrix("attn_q.weight", {shape.n_heads * shape.d_head, shape.d_model});
  model.matrix("attn_k.weight", {shape.n_kv * shape.d_head, shape.d_model});
  model.matrix("attn_v.weight", {shape.n_kv * shape.d_head, shape.d_model});
  model.matrix("attn_output.weight", {shape.d_model, shape.n_heads * shape.d_head});
}

void add_head_norms(ModelSketch& model, const GroupedShape& shape) {
  model.norm("attn_q_norm.weight", shape.d_head);
  model.norm("attn_k_norm.weight", shape.d_head);
}

ModelSketch llama(std::string_view name, const GroupedShape& shape, int n_layers, int64_t n_vocab) {
  ModelSketch model("llama", n_layers, n_vocab);
  model.plain_key("general.name", std::string(name));
  add_grouped_keys(model, shape, 5e5f, 1e-5f);
  add_head_size_keys(model, shape);
  model.key("vocab_size", u32(n_vocab));
  model.key("rope.dimension_count", u32(shape.d_head));
  add_embedding_and_head(model, shape.d_model);
  for (int layer = 0; layer < n_layers; ++layer) {
    model.enter_layer(layer);
    add_grouped_attention(model, shape);
    model.norm("ffn_norm.weight", shape.d_model);
    add_dense_ffn(model, shape.d_model, shape.d_ff);
  }
  return model;
}

ModelSketch llama_8b(int n_layers, int64_t n_vocab) {
  return llama("Llama 3 8B (random weights)", {4096, 14336, 32, 8, 128, 8192}, n_layers, n_vocab);
}

// Llama 3.1 is Llama 3 with its context lengthened by scaled frequencies, which the file holds as divisors.
ModelSketch with_scaled_rope(ModelSketch model, const LlamaRopeScaling& scaling, int64_t d_head) {
  model.enter_layer(-1);
  model.constants("rope_freqs.weight", rope_divisors(scaling, d_head));
  return model;
}

ModelSketch llama_31_8b(int n_layers, int64_t n_vocab) {
  constexpr GroupedShape kShape = {4096, 14336, 32, 8, 128, 131072};
  return with_scaled_rope(llama("Llama 3.1 8B (random weights)", kShape, n_layers, n_vocab), {}, kShape.d_head);
}
ModelSketch llama_tiny(int n_layers, int64_t n_vocab) {
  constexpr GroupedShape kShape = {256, 672, 6, 2, 48, 2048};
  return with_scaled_rope(llama("tiny llama (random weights)", kShape, n_layers, n_vocab), {.original_context = 256},
                          kShape.d_head);
}

ModelSketch qwen3_8b(int n_layers, int64_t n_vocab) {
  constexpr GroupedShape kShape = {4096, 12288, 32, 8, 128, 40960};
  ModelSketch model("qwen3", n_layers, n_vocab);
  model.plain_key("general.name", "Qwen3 8B (random weights)");
  add_grouped_keys(model, kShape, 1e6f, 1e-6f);
  add_head_size_keys(model, kShape);
  add_embedding_and_head(model, kShape.d_model);
  for (int layer = 0; layer < n_layers; ++layer) {
    model.enter_layer(layer);
    add_grouped_attention(model, kShape);
    add_head_norms(model, kShape);
    model.norm("ffn_norm.weight", kShape.d_model);
    add_dense_ffn(model, kShape.d_model, kShape.d_ff);
  }
  return model;
}

struct ExpertShape {
  int64_t n_experts, top_k, d_ff;
};

ModelSketch qwen3moe(std::string_view name, const GroupedShape& shape, const ExpertShape& experts, int n_layers,
                     int64_t n_vocab) {
  ModelSketch model("qwen3moe", n_layers, n_vocab);
  model.plain_key("general.name", std::string(name));
  add_grouped_keys(model, shape, 1e6f, 1e-6f);
  model.key("expert_count", u32(experts.n_experts));
  model.key("expert_used_count", u32(experts.top_k));
  add_head_size_keys(model, shape);
  model.key("expert_feed_forward_length", u32(experts.d_ff));
  add_embedding_and_head(model, shape.d_model);
  for (int layer = 0; layer < n_layers; ++layer) {
    model.enter_layer(layer);
    add_grouped_attention(model, shape);
    add_head_norms(model, shape);
    model.norm("ffn_norm.weight", shape.d_model);
    add_experts(model, experts.n_experts, shape.d_model, experts.d_ff);
  }
  return model;
}

ModelSketch qwen3_30b_a3b(int n_layers, int64_t n_vocab) {
  return qwen3moe("Qwen3 30B A3B (random weights)", {2048, 6144, 32, 4, 128, 40960}, {128, 8, 768}, n_layers, n_vocab);
}
ModelSketch qwen3moe_tiny(int n_layers, int64_t n_vocab) {
  return qwen3moe("tiny qwen3moe (random weights)", {512, 768, 4, 1, 96, 4096}, {6, 2, 256}, n_layers, n_vocab);
}

ModelSketch gemma3(std::string_view name, const GroupedShape& shape, int64_t window, int n_layers, int64_t n_vocab) {
  ModelSketch model("gemma3", n_layers, n_vocab);
  model.plain_key("general.name", std::string(name));
  add_grouped_keys(model, shape, 1e6f, 1e-6f);
  model.key("rope.scaling.type", "linear");
  model.key("rope.scaling.factor", 8.0f);
  model.key("rope.freq_base_swa", 1e4f);
  add_head_size_keys(model, shape);
  model.key("attention.sliding_window", u32(window));
  // Tied, and scaled by sqrt(d_model) on the way in: unit activations, unit logits.
  model.matrix("token_embd.weight", {n_vocab, shape.d_model});
  model.norm("output_norm.weight", shape.d_model);
  for (int layer = 0; layer < n_layers; ++layer) {
    model.enter_layer(layer);
    add_grouped_attention(model, shape);
    add_head_norms(model, shape);
    model.norm("post_attention_norm.weight", shape.d_model);
    model.norm("ffn_norm.weight", shape.d_model);
    add_dense_ffn(model, shape.d_model, shape.d_ff);
    model.norm("post_ffw_norm.weight", shape.d_model);
  }
  return model;
}

ModelSketch gemma3_4b(int n_layers, int64_t n_vocab) {
  return gemma3("Gemma 3 4B, text (random weights)", {2560, 10240, 8, 4, 256, 131072}, 1024, n_layers, n_vocab);
}
ModelSketch gemma3_tiny(int n_layers, int64_t n_vocab) {
  return gemma3("tiny gemma3 (random weights)", {320, 480, 4, 2, 64, 4096}, 24, n_layers, n_vocab);
}

ModelSketch phi3(std::string_view name, const GroupedShape& shape, int64_t window, int n_layers, int64_t n_vocab) {
  ModelSketch model("phi3", n_layers, n_vocab);
  model.plain_key("general.name", std::string(name));
  add_grouped_keys(model, shape, 1e4f, 1e-5f);
  model.key("rope.scaling.original_context_length", u32(shape.n_ctx));
  model.key("rope.dimension_count", u32(shape.d_head));
  model.key("attention.sliding_window", u32(window));
  add_embedding_and_head(model, shape.d_model);
  for (int layer = 0; layer < n_layers; ++layer) {
    model.enter_layer(layer);
    model.norm("attn_norm.weight", shape.d_model);
    model.matrix("attn_qkv.weight", {(shape.n_heads + 2 * shape.n_kv) * shape.d_head, shape.d_model});
    model.matrix("attn_output.weight", {shape.d_model, shape.n_heads * shape.d_head});
    model.norm("ffn_norm.weight", shape.d_model);
    model.matrix("ffn_up.weight", {2 * shape.d_ff, shape.d_model});
    model.matrix("ffn_down.weight", {shape.d_model, shape.d_ff});
  }
  return model;
}

ModelSketch phi3_mini(int n_layers, int64_t n_vocab) {
  return phi3("Phi 3 mini 4k (random weights)", {3072, 8192, 32, 32, 96, 4096}, 2047, n_layers, n_vocab);
}
ModelSketch phi3_tiny(int n_layers, int64_t n_vocab) {
  return phi3("tiny phi3 (random weights)", {288, 544, 3, 3, 96, 4096}, 0, n_layers, n_vocab);
}

void add_gpt_oss_layer(ModelSketch& model, const GroupedShape& shape, int64_t n_experts) {
  constexpr float kBias = 0.1f;
  add_grouped_attention(model, shape);
  model.vector("attn_q.bias", {shape.n_heads * shape.d_head}, kBias);
  model.vector("attn_k.bias", {shape.n_kv * shape.d_head}, kBias);
  model.vector("attn_v.bias", {shape.n_kv * shape.d_head}, kBias);
  model.vector("attn_output.bias", {shape.d_model}, kBias);
  model.vector("attn_sinks.weight", {shape.n_heads}, 1);
  model.norm("post_attention_norm.weight", shape.d_model);
  model.matrix("ffn_gate_inp.weight", {n_experts, shape.d_model});
  model.vector("ffn_gate_inp.bias", {n_experts}, kBias);
  model.experts_mxfp4("ffn_gate_exps.weight", {n_experts, shape.d_ff, shape.d_model});
  model.experts_mxfp4("ffn_up_exps.weight", {n_experts, shape.d_ff, shape.d_model});
  model.experts_mxfp4("ffn_down_exps.weight", {n_experts, shape.d_model, shape.d_ff});
  model.vector("ffn_gate_exps.bias", {n_experts, shape.d_ff}, kBias);
  model.vector("ffn_up_exps.bias", {n_experts, shape.d_ff}, kBias);
  model.vector("ffn_down_exps.bias", {n_experts, shape.d_model}, kBias);
}

ModelSketch gpt_oss_tiny(int n_layers, int64_t n_vocab) {
  constexpr GroupedShape kShape = {288, 160, 6, 2, 64, 1024};
  constexpr int64_t kExperts = 5;
  ModelSketch model("gpt-oss", n_layers, n_vocab);
  model.plain_key("general.name", "tiny gpt-oss (random weights)");
  add_grouped_keys(model, kShape, 150000, 1e-5f);
  model.key("rope.scaling.type", "yarn");
  model.key("rope.scaling.factor", 8.0f);
  model.key("rope.scaling.original_context_length", 128u);
  model.key("rope.scaling.yarn_beta_fast", 32.0f);
  model.key("rope.scaling.yarn_beta_slow", 1.0f);
  model.key("expert_count", u32(kExperts));
  model.key("expert_used_count", 2u);
  add_head_size_keys(model, kShape);
  model.key("attention.sliding_window", 24u);
  model.key("expert_feed_forward_length", u32(kShape.d_ff));
  add_embedding_and_head(model, kShape.d_model);
  for (int layer = 0; layer < n_layers; ++layer) {
    model.enter_layer(layer);
    add_gpt_oss_layer(model, kShape, kExperts);
  }
  return model;
}

constexpr size_t kTinyFirstSpecial = 280;

const KnownModel kModels[] = {
    {"glm-4.7-flash", "GLM-4.7-Flash, 30B-A3B: 47 layers, 64 experts", 47, 154880, kGlmTokenizer, 154820, glm_flash},
    {"glm-4.7-flash-tiny", "its structure at d_model 256: latent attention, 8 experts", 3, 320, kGlmTokenizer,
     kTinyFirstSpecial, glm_flash_tiny},
    {"llama-3-8b", "Llama 3 8B: 32 layers, 32 heads of 128 over 8", 32, 128256, kLlamaTokenizer, 128000, llama_8b},
    {"llama-3.1-8b", "Llama 3.1 8B: as Llama 3 8B, with scaled rotary frequencies", 32, 128256, kLlamaTokenizer, 128000,
     llama_31_8b},
    {"qwen3-8b", "Qwen3 8B: 36 layers, 32 heads of 128 over 8", 36, 151936, kQwenTokenizer, 151643, qwen3_8b},
    {"qwen3-30b-a3b", "Qwen3 30B-A3B: 48 layers, 128 experts of 768", 48, 151936, kQwenTokenizer, 151643,
     qwen3_30b_a3b},
    {"gemma-3-4b", "Gemma 3 4B, text: 34 layers, 8 heads of 256 over 4, windows of 1024, tied", 34, 262208,
     kGemmaTokenizer, 0, gemma3_4b},
    {"phi-3-mini", "Phi 3 mini 4k: 32 layers, 32 heads of 96", 32, 32064, kPhiTokenizer, 0, phi3_mini},
    {"llama-tiny", "d_model 256, 6 heads of 48, d_ff 672, scaled rotary frequencies", 2, 320, kLlamaTokenizer,
     kTinyFirstSpecial, llama_tiny},
    {"qwen3moe-tiny", "d_model 512, 4 heads of 96, 6 experts of 256", 2, 320, kQwenTokenizer, kTinyFirstSpecial,
     qwen3moe_tiny},
    {"gemma3-tiny", "d_model 320, 4 heads of 64, d_ff 480, windows of 24, tied", 6, 400, kGemmaTokenizer, 0,
     gemma3_tiny},
    {"phi3-tiny", "d_model 288, 3 heads of 96, d_ff 544, fused matrices", 2, 400, kPhiTokenizer, 0, phi3_tiny},
    {"gpt-oss-tiny", "d_model 288, 6 heads of 64, 5 experts of 160 in MXFP4, sinks and biases", 2, 320, kOssTokenizer,
     kTinyFirstSpecial, gpt_oss_tiny},
};

}  // namespace

std::span<const KnownModel> known_models() {
  return kModels;
}

}  // namespace glint::gguf
