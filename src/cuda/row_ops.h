// SPDX-License-Identifier: Apache-2.0
//
// Ops that read and write rows of f32 and do little else: each the launcher of one kernel, with the meaning that
// backend/backend.h gives the op of the same name. Bytes moved: each input once, each output once.
// Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include "backend/params.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

void rms_norm(const Stream& stream, Tensor out, Tensor x, float eps, const float* weight);
void add(const Stream& stream, Tensor out, Tensor x);
void copy(const Stream& stream, Tensor out, Tensor x);
void scale_softcap(const Stream& stream, Tensor x, float scale, float softcap);
void glu(const Stream& stream, Tensor gate, Tensor up, Activation activation);
void combine(const Stream& stream, Tensor out, Tensor expert_out, const Routing& routing);
void gather_rows(const Stream& stream, Tensor out, Tensor x, const int32_t* rows);
void argmax(const Stream& stream, int32_t* ids, Tensor x);
void rope(const Stream& stream, Tensor x, const int32_t* positions, const RopeParams& params);

}  // namespace glint::cuda
