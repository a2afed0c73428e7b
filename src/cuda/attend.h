// SPDX-License-Identifier: Apache-2.0
//
// Attention over the paged cache, as Backend::attend. Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include "backend/params.h"
#include "cuda/workspace.h"

namespace glint::cuda {

void attend(const Stream& stream, Tensor out, Tensor q, const KvLayer& layer, const Batch& batch,
            const AttendParams& params, Workspace& workspace);

}  // namespace glint::cuda
