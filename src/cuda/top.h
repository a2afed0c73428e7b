// SPDX-License-Identifier: Apache-2.0
//
// The largest values of long rows: what choosing a token from a vocabulary's logits needs of them. Where there are few
// rows, parts of each go to different blocks, whose finds are merged. Bytes: the rows twice, from L2 the second time.
// Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include "backend/params.h"
#include "cuda/workspace.h"

namespace glint::cuda {

/// As Backend::top.
void top(const Stream& stream, Workspace& workspace, TopEntry* out, Tensor x, int k);
/// Integers of the workspace that it takes.
int64_t top_integers();

}  // namespace glint::cuda
