// SPDX-License-Identifier: Apache-2.0
//
// From a GGUF file's blocks to packed tiles (packed_weight.h), and row look-up in packed tables. Tested by
// tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include "cuda/device_memory.h"
#include "cuda/packed_weight.h"

namespace glint::cuda {

/// Can blocks of this format be packed as they lie in the file? Others are first turned into F16 on the host.
bool packs_directly(DType dtype);

/// Packs rows [first_row, first_row + n_rows) of `matrix`, whose blocks lie at `blocks` (device memory); first_row is a
/// multiple of kTileRows. Pads with zeros.
void pack(const Stream& stream, const PackedMatrix& matrix, DType dtype, const void* blocks, int first_row, int n_rows);

/// out[t] = table[ids[t]] * scale.
void embed_packed(const Stream& stream, Tensor out, const int32_t* ids, float scale, const PackedMatrix& table);
/// The same of a table of f32 rows.
void embed_f32(const Stream& stream, Tensor out, const int32_t* ids, float scale, const float* table);

}  // namespace glint::cuda
