// SPDX-License-Identifier: Apache-2.0
//
// Writing the paged cache. Tested by tests/unit/cuda/op_cases_test.cpp (bit for bit against ref).
#pragma once

#include "backend/params.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

/// As Backend::kv_store, for caches of F32, F16, BF16 and Q8_0.
void kv_store(const Stream& stream, const KvLayer& layer, Tensor k, Tensor v, const Batch& batch);

}  // namespace glint::cuda
