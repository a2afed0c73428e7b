// SPDX-License-Identifier: Apache-2.0
//
// Products with F32 matrices, which stay rows of f32: routers, small models and test files. All in f32: no rounding of
// inputs. A warp takes one row of weights and up to 8 tokens. Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include "backend/params.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

/// out [n, n_out] = x [n, n_in] . w^T + bias, or head by head with w.count = x.n_heads.
void matmul_f32(const Stream& stream, Tensor out, Tensor x, const Weight& w);
/// out[slot] = x[slot / slots_per_row] . w[expert[slot]]^T + bias
void matmul_f32_experts(const Stream& stream, Tensor out, Tensor x, const Weight& w, const int32_t* expert,
                        int slots_per_row);

}  // namespace glint::cuda
