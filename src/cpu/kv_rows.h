// SPDX-License-Identifier: Apache-2.0
//
// Rows of the paged key/value cache on the CPU: where they lie, and how floats go in and out. Called by cpu_backend.cpp
// (store) and attend.cpp (load). Tested by tests/unit/cpu/attend_test.cpp.
#pragma once

#include <cstdint>

#include "backend/params.h"
#include "cpu/unpack.h"
#include "cpu/workers.h"

namespace glint::cpu {

/// Backend::kv_store.
void store_kv(const KvLayer& layer, const Tensor& k, const Tensor& v, const Batch& batch, Workers& workers);

/// The K or the V of one layer: rows of n_kv heads of `width` floats in the cache's format.
class CacheRows {
 public:
  CacheRows(const void* base, DType dtype, int n_kv, int width, CpuLevel level);

  /// `count` rows from `row` on, of one head, as floats: row i at data + i * stride. In place if the cache is f32,
  /// else expanded into `buffer`.
  struct View {
    const float* data;
    int64_t stride;
  };
  View load(int64_t row, int count, int head, FloatArray& buffer) const;

 private:
  const std::byte* base_;
  DType dtype_;
  int width_;
  int64_t row_width_;
  int64_t row_bytes_;
  int block_;
  UnpackFunction unpack_;
};

}  // namespace glint::cpu
