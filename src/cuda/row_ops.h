// SPDX-License-Identifier: Apache-2.0
//
// Ops that read and write rows of f32 and do little else: each the launcher of one kernel, with the meaning that
// backend/backend.h gives the op of the same name. Bytes moved: each input once, each output once.
// Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include <cuda_fp16.h>

#include "backend/params.h"
#include "cuda/device_memory.h"

namespace glint::cuda {

void rms_norm(const Stream& stream, Tensor out, Tensor x, float eps, const float* weight);
void add(const Stream& stream, Tensor out, Tensor x);
/// x += rms_norm(delta), row by row.
void add_normed(const Stream& stream, Tensor x, Tensor delta, float eps, const float* weight);
void copy(const Stream& stream, Tensor out, Tensor x);
void scale_softcap(const Stream& stream, Tensor x, float scale, float softcap);
void glu(const Stream& stream, Tensor gate, Tensor up, Activation activation);
void combine(const Stream& stream, Tensor out, Tensor expert_out, const Routing& routing);
/// x[t] += shared[t] + sum over s of weight(t, s) * expert_out[t * top_k + s]; `shared` may be absent (data null).
void add_combined(const Stream& stream, Tensor x, Tensor shared, Tensor expert_out, const Routing& routing);
void gather_rows(const Stream& stream, Tensor out, Tensor x, const int32_t* rows);
/// out[r, h] = f16 of x[r, h] * scale, normed first if `norm` is given, then zeros up to a multiple of 64 columns; row
/// r of `out` holds x's heads one after another. Rows start at multiples of 64 halves.
void to_half(const Stream& stream, __half* out, Tensor x, float scale, const float* norm, float eps);
/// Columns that a row of `width` takes in f16.
constexpr int half_columns(int width) {
  return (width + 63) / 64 * 64;
}
/// Whether they fit where the row lies in f32.
constexpr bool halves_fit(int width) {
  return half_columns(width) <= 2 * width;
}
void rope(const Stream& stream, Tensor x, const int32_t* positions, const RopeParams& params);

}  // namespace glint::cuda
