// SPDX-License-Identifier: Apache-2.0
//
// The largest values of long rows: what choosing a token from a vocabulary's logits needs of them. Bytes: the rows
// twice, from L2 the second time. Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include "backend/params.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

/// As Backend::top.
void top(const Stream& stream, TopEntry* out, Tensor x, int k);

}  // namespace glint::cuda
