// SPDX-License-Identifier: Apache-2.0
//
// Multi-head latent attention as a block. Up to kMatvecTokens tokens: absorbed, every product reading its weights once.
// Above: products on tensor cores, and each sequence's rows either against keys and values expanded from the latent
// cache (many rows: half the arithmetic) or absorbed (few rows: no expansion).
// Tested by tests/unit/cuda/blocks_test.cpp against the default body.
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

/// k_b transposed, n_heads x [d_nope, kv_rank] in f16: what expands the latent into keys.
Weight transposed_k_b(const Stream& stream, const Weight& k_b);

}  // namespace glint::cuda
