// SPDX-License-Identifier: Apache-2.0
//
// A gated feed-forward as a block, in two launches: gate and up with what becomes of them, then the second half, which
// adds to the rows. One or two tokens norm their inputs themselves; more are normed to f16 once, in a launch of its
// own. Tested by tests/unit/cuda/glu_test.cpp against the default body.
#pragma once

#include "backend/blocks.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

/// False, with nothing done, where weights' formats or shapes have no fast path.
bool glu_block(const Stream& stream, Tensor x, const BlockContext& block, const GluShape& shape,
               const GluWeights& weights);

}  // namespace glint::cuda
