// SPDX-License-Identifier: Apache-2.0
//
// A mixture-of-experts block in few launches: the router with its choice; the shared expert; the chosen experts' gated
// halves; their second halves with the weighted sum. Up to kMatvecTokens tokens every slot reads its own expert's
// weights (matvec.cu); above, slots are sorted by expert on the card (matmul.cu). Bits are the same either way. Tested
// by tests/unit/cuda/op_cases_test.cpp against the default body.
#pragma once

#include "backend/blocks.h"
#include "cuda/workspace.h"

namespace glint::cuda {

/// False, with nothing done, where a weight's format or shape has no fast path.
bool moe_block(const Stream& stream, Workspace& workspace, Tensor x, const BlockContext& block, const MoeShape& shape,
               const MoeLayerWeights& weights);

}  // namespace glint::cuda
