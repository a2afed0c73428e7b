// SPDX-License-Identifier: Apache-2.0
//
// Grouped-query attention as a block. One or two tokens: products that norm their inputs themselves and read each
// weight once. More: one normed f16 copy of the rows for all three products, on tensor cores. Either way one launch
// between the products and attention (gqa_rows.h), and the output is added where it goes. Tested by
// tests/unit/cuda/gqa_test.cpp against the default body.
#pragma once

#include "backend/blocks.h"
#include "cuda/workspace.h"

namespace glint::cuda {

/// False, with nothing done, where a weight's format or a head's shape has no fast path.
bool gqa_block(const Stream& stream, Workspace& workspace, Tensor x, const BlockContext& block, const GqaShape& shape,
               const GqaWeights& weights, const KvLayer& cache, const RopeParams& rope_params);

}  // namespace glint::cuda
