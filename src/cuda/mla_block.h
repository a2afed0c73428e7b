// SPDX-License-Identifier: Apache-2.0
//
// Multi-head latent attention as a block. Up to kMatvecTokens tokens: absorbed, every product reading its weights once.
// Above: products on tensor cores, and each sequence's rows either against keys and values expanded from the latent
// cache (many rows: half the arithmetic) or absorbed (few rows: no expansion).
// Tested by tests/unit/cuda/mla_test.cpp against the default body.
#pragma once

#include "backend/blocks.h"
#include "cuda/attend.h"
#include "cuda/workspace.h"

namespace glint::cuda {

/// What the block needs of the backend.
struct MlaContext {
  const Stream& stream;
  Workspace& workspace;
};

/// False, with nothing done, where a weight's format or shape has no fast path.
bool mla_block(const MlaContext& context, Tensor x, const BlockContext& block, const MlaShape& shape,
               const MlaWeights& weights, const KvLayer& cache, const RopeParams& rope_params);

/// Makes what expands latents: MlaWeights::expansion where the card has a product for it, else k_b_transposed.
void adapt_mla(const Stream& stream, MlaWeights& weights);
/// Bytes of GPU memory that adapt_mla takes; looks at formats and shapes alone.
int64_t adapt_mla_bytes(const Stream& stream, const MlaWeights& weights);

}  // namespace glint::cuda
