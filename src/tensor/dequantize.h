// SPDX-License-Identifier: Apache-2.0
//
// The scalar truth of every number format: what a block's bytes mean. Bit-exact with the published reference
// implementation of each format (tests/unit/tensor); every faster path is tested against this one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace glint {

/// Expands `elements` values from the blocks at `source` to `out`.
/// PRECOND: traits(dtype).is_weight; elements is a multiple of the block length. No alignment is required of source.
void dequantize(DType dtype, const void* source, int64_t elements, float* out);

}  // namespace glint
