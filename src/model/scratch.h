// SPDX-License-Identifier: Apache-2.0
//
// The decoder's working memory: every intermediate tensor of a step, cut once from a few buffers and sized for the largest
// step. Addresses never change, so a backend may record a step and replay it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "model/spec.h"

namespace glint {

struct DecoderOptions;

struct Scratch {
  Scratch(Backend& backend, const ModelSpec& spec, const DecoderOptions& options);

  // [max_tokens, d_model]
  Tensor x;       // the residual
  Tensor normed;  // input of a block
  Tensor delta;   // output of a block
  Tensor zeros;   // one row of zeros seen as many
  // attention
  Tensor q;          // [max_tokens, n_heads * width of a query head]
  Tensor k;          // [max_tokens, n_kv * d_head]
  Tensor v;          // [max_tokens, n_kv * d_head]
  Tensor attended;   // [max_tokens, n_heads * d_v]
  Tensor q_low;      // MLA: [max_tokens, q_rank]
  Tensor latent;     // MLA: [max_tokens, kv_rank + d_rope]
  Tensor q_latent;   // MLA: [max_tokens, n_heads, kv_rank + d_rope]
  Tensor o_latent;   // MLA: [max_tokens, n_heads, kv_rank]
  // feed-forward
  Tensor gate;  // [max_tokens, largest d_ff]
  Tensor up;
  MoeScratch moe;
  // prediction block
  Tensor pair;  // [max_tokens, 2 * d_model]
  // head
  Tensor head_rows;  // [kLogitRows, d_model]
  Tensor logits;     // [kLogitRows, n_vocab]
  // step inputs, int32
  int32_t* ids = nullptr;        // [max_tokens]
  int32_t* positions = nullptr;  // [max_tokens]
  int32_t* sequences = nullptr;  // [max_tokens]
  int32_t* pages = nullptr;      // [n_sequences, max_pages]
  int32_t* head_index = nullptr; // [kLogitRows]

  /// Rows whose logits are computed at once.
  static constexpr int kLogitRows = 16;

  int64_t bytes() const;

 private:
  Tensor tensor(Backend& backend, int n_rows, int width);
  int32_t* integers(Backend& backend, int64_t n);

  std::vector<std::unique_ptr<Buffer>> buffers_;
};

/// What a block's code needs of the step it runs in.
struct StepContext {
  Backend& backend;
  const ModelSpec& spec;
  Scratch& scratch;
  const Batch& batch;
  const KvLayer& cache;
  const RopeParams& rope;
};

struct GqaWeights;
struct MlaWeights;
struct GluWeights;
struct MoeLayerWeights;

/// Attention of one layer: out [n_tokens, d_model] from x [n_tokens, d_model] and the cache, which it extends.
void run_attention(const StepContext& step, Tensor out, Tensor x, const GqaSpec& spec, const GqaWeights& weights);
void run_attention(const StepContext& step, Tensor out, Tensor x, const MlaSpec& spec, const MlaWeights& weights);
/// Feed-forward of one layer: out [n_tokens, d_model] from x [n_tokens, d_model].
void run_ffn(const StepContext& step, Tensor out, Tensor x, const GluSpec& spec, const GluWeights& weights);
void run_ffn(const StepContext& step, Tensor out, Tensor x, const MoeSpec& spec, const MoeLayerWeights& weights);

}  // namespace glint
