// SPDX-License-Identifier: Apache-2.0
//
// GLM-4.7-Flash's metadata as its published files have it, with next to no tensors: enough for what is decided from
// keys and shapes alone, which is the spec, the gate and the size of the cache.
#pragma once

#include "tests/unit/model/edited_file.h"

namespace glint::golden {

/// Keys and values of the ggml-org conversion (which has no expert_gating_func), and the tensors that a spec is read
/// from, with a vocabulary of n_vocab rows.
inline EditedFile glm_flash_header(int n_vocab = 8) {
  EditedFile file;
  file.set_text("general.architecture", "deepseek2");
  const auto set = [&](const char* name, uint32_t value) { file.set(std::string("deepseek2.") + name, value); };
  set("block_count", 47);
  set("context_length", 202752);
  set("embedding_length", 2048);
  set("feed_forward_length", 10240);
  set("attention.head_count", 20);
  set("attention.head_count_kv", 1);
  set("expert_used_count", 4);
  set("expert_group_count", 1);
  set("expert_group_used_count", 1);
  set("leading_dense_block_count", 1);
  set("vocab_size", 154880);
  set("attention.q_lora_rank", 768);
  set("attention.kv_lora_rank", 512);
  set("attention.key_length", 576);
  set("attention.value_length", 512);
  set("attention.key_length_mla", 256);
  set("attention.value_length_mla", 256);
  set("expert_feed_forward_length", 1536);
  set("expert_count", 64);
  set("expert_shared_count", 1);
  set("rope.dimension_count", 64);
  file.set_float("deepseek2.rope.freq_base", 1e6f);
  file.set_float("deepseek2.attention.layer_norm_rms_epsilon", 1e-5f);
  file.set_float("deepseek2.expert_weights_scale", 1.8f);
  file.set_bool("deepseek2.expert_weights_norm", true);
  file.put_floats("token_embd.weight", {n_vocab, 2048}, std::vector<float>(static_cast<size_t>(n_vocab) * 2048, 0.5f));
  file.put_floats("output.weight", {1}, {0});
  file.put_floats("blk.0.attn_k_b.weight", {1}, {0});
  file.put_floats("blk.1.exp_probs_b.bias", {1}, {0});
  return file;
}

}  // namespace glint::golden
