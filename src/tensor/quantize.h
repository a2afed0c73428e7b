// SPDX-License-Identifier: Apache-2.0
//
// From floats to blocks: the inverse of tensor/dequantize.h for the formats that glint writes. The scalar truth that
// faster versions must equal byte for byte; used for the Q8_0 cache and by tests.
// Tested by tests/unit/tensor/quantize_q8_0_test.cpp.
#pragma once

#include <cstdint>

namespace glint {

/// Rounds `elements` floats to Q8_0 blocks (32 values: an f16 scale, then 32 int8) at `out`, unaligned.
/// scale = max|x| / 127; values are x times the f32 reciprocal of the unrounded scale, rounded half away from zero.
/// PRECOND: elements is a multiple of 32.
void quantize_q8_0(const float* x, int64_t elements, void* out);

}  // namespace glint
