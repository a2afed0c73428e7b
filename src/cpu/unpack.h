// SPDX-License-Identifier: Apache-2.0
//
// Blocks of a weight format to f32, as fast as this processor can: the table that matmul, embed and the cache read
// through. Every function gives the bits of tensor/dequantize.h, on every level.
// Tested by tests/unit/cpu/unpack_test.cpp.
#pragma once

#include <cstdint>

#include "base/cpu_info.h"
#include "tensor/dtype.h"

namespace glint {

/// Expands `elements` values, a whole number of blocks, from unaligned memory.
using UnpackFunction = void (*)(const void* blocks, int64_t elements, float* out);

/// PRECOND: traits(dtype).is_weight.
UnpackFunction unpack_function(DType dtype, CpuLevel level);

/// The AVX2 function of a format, or null where it has none or the program was built for another processor family.
UnpackFunction avx2_unpack_function(DType dtype);

}  // namespace glint
