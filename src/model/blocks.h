// SPDX-License-Identifier: Apache-2.0
//
// From a layer's spec to the backend's block ops: one overload for each alternative of AttentionSpec and FfnSpec.
// Called by decoder.cpp through std::visit; they know neither the architecture nor the backend. Tested by
// tests/unit/model/golden_test.cpp.
#pragma once

#include "backend/backend.h"
#include "model/spec.h"
#include "model/weights.h"

namespace glint {

/// What a layer's halves need of the step they run in.
struct StepContext {
  Backend& backend;
  const ModelSpec& spec;
  const KvLayer& cache;
  const RopeParams& rope;
};

/// x [n_tokens, d_model] += attention of its norm; extends the cache.
void run_attention(const StepContext& step, Tensor x, const BlockContext& block, const GqaSpec& spec,
                   const GqaWeights& weights);
void run_attention(const StepContext& step, Tensor x, const BlockContext& block, const MlaSpec& spec,
                   const MlaWeights& weights);
/// x [n_tokens, d_model] += feed-forward of its norm.
void run_ffn(const StepContext& step, Tensor x, const BlockContext& block, const GluSpec& spec,
             const GluWeights& weights);
void run_ffn(const StepContext& step, Tensor x, const BlockContext& block, const MoeSpec& spec,
             const MoeLayerWeights& weights);

}  // namespace glint
