// SPDX-License-Identifier: Apache-2.0
//
// The decoder's working memory: every intermediate tensor of a step, cut once from a few buffers and sized for the
// largest step. Addresses never change, so a backend may record a step and replay it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "model/decoder_options.h"
#include "model/spec.h"

namespace glint {

/// The largest step of a decoder, as the backend needs to know it.
StepLimits step_limits(const ModelSpec& spec, const DecoderOptions& options);

/// Of the layer's RoPE frequencies, those that this context takes; nothing else of a layer depends on n_ctx.
const std::vector<float>& rope_table(const LayerSpec& layer, int n_ctx);

struct Scratch {
  Scratch(Backend& backend, const ModelSpec& spec, const DecoderOptions& options);

  /// What the constructor will allocate, each allocation counted as `allocation` says.
  static int64_t bytes_for(const ModelSpec& spec, const DecoderOptions& options, const AllocationBytes& allocation);

  Tensor x;  // [max_tokens, d_model] the residual
  BlockScratch block;
  // prediction block
  Tensor nextn_x;  // [max_tokens, d_model] its residual; x stays what the trunk left
  Tensor pair;     // [max_tokens, 2 * d_model]
  // head
  Tensor head_rows;         // [n_logit_rows, d_model]
  Tensor logits;            // [n_logit_rows, n_vocab]
  TopEntry* top = nullptr;  // [n_logit_rows, kMostTop]
  // step inputs, int32
  int32_t* rows = nullptr;        // of a step of n tokens: [n] ids, [n] positions, [n] sequences; [3 * max_tokens]
  int32_t* pages = nullptr;       // [n_sequences, max_pages]
  int32_t* head_index = nullptr;  // [n_logit_rows]
  // constants
  std::vector<float*> inverse_frequencies;  // of each layer, prediction blocks behind the trunk's

  /// Rows whose logits are computed at once: a row of each sequence, between 16 and 128.
  int n_logit_rows = 0;

  int64_t bytes() const { return bytes_; }

 private:
  using Allocate = std::function<void*(size_t bytes)>;
  Scratch() = default;
  /// The one list of what is needed, for allocating and for counting.
  void lay_out(const ModelSpec& spec, const DecoderOptions& options, const Allocate& allocate);

  std::vector<std::unique_ptr<Buffer>> buffers_;
  int64_t bytes_ = 0;
};

}  // namespace glint
