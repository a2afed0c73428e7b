// SPDX-License-Identifier: Apache-2.0
//
// The paged cache and attention of the reference backend: where a position lives, how rows are rounded, and what
// attend means for one token. Called by ref.cpp only. Tested by tests/unit/backend/attend_test.cpp.
#pragma once

#include "backend/params.h"

namespace glint {

/// Formats a cache may hold: F32, F16, BF16, Q8_0.
bool is_cache_dtype(DType dtype);

/// Row of the cache that holds `position` of `sequence`.
int64_t cache_row(const Batch& batch, int sequence, int position);

/// Backend::kv_store and Backend::attend.
void store_rows(const KvLayer& layer, Tensor k, Tensor v, const Batch& batch);
void attend_rows(Tensor out, Tensor q, const KvLayer& layer, const Batch& batch, const AttendParams& params);

}  // namespace glint
