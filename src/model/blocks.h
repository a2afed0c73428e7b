// SPDX-License-Identifier: Apache-2.0
//
// The parts of a layer: one overload of run_attention (attention_*.cpp) and run_ffn (ffn_*.cpp) for each alternative of
// AttentionSpec and FfnSpec. Called by decoder.cpp through std::visit; they know neither the architecture nor the backend.
// Tested by tests/unit/model/golden_test.cpp.
#pragma once

#include "backend/backend.h"
#include "model/scratch.h"
#include "model/spec.h"
#include "model/weights.h"

namespace glint {

/// What a block's code needs of the step it runs in.
struct StepContext {
  Backend& backend;
  const ModelSpec& spec;
  Scratch& scratch;
  const Batch& batch;
  const KvLayer& cache;
  const RopeParams& rope;
};

/// Attention of one layer: out [n_tokens, d_model] from x [n_tokens, d_model] and the cache, which it extends.
void run_attention(const StepContext& step, Tensor out, Tensor x, const GqaSpec& spec, const GqaWeights& weights);
void run_attention(const StepContext& step, Tensor out, Tensor x, const MlaSpec& spec, const MlaWeights& weights);
/// Feed-forward of one layer: out [n_tokens, d_model] from x [n_tokens, d_model].
void run_ffn(const StepContext& step, Tensor out, Tensor x, const GluSpec& spec, const GluWeights& weights);
void run_ffn(const StepContext& step, Tensor out, Tensor x, const MoeSpec& spec, const MoeLayerWeights& weights);

}  // namespace glint
