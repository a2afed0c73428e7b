// SPDX-License-Identifier: Apache-2.0
//
// Where a token's row lies in the paged cache, and one value of such a row.
#pragma once

#include <cuda_fp16.h>

#include "backend/params.h"

namespace glint::cuda {

/// Row of the cache that holds `position` of a sequence.
__device__ __forceinline__ int64_t cache_row(const int32_t* page_table, int max_pages, int sequence, int position) {
  const int32_t page = page_table[static_cast<int64_t>(sequence) * max_pages + position / kPageTokens];
  return static_cast<int64_t>(page) * kPageTokens + position % kPageTokens;
}

/// Bytes of a row of n values.
__device__ __forceinline__ int64_t cache_row_bytes(DType dtype, int64_t n) {
  if (dtype == DType::kQ8_0) return n / 32 * 34;
  return dtype == DType::kF32 ? 4 * n : 2 * n;
}

/// Value i of a row.
__device__ __forceinline__ float cache_value(DType dtype, const uint8_t* row, int i) {
  switch (dtype) {
    case DType::kF32:
      return reinterpret_cast<const float*>(row)[i];
    case DType::kF16:
      return __half2float(reinterpret_cast<const __half*>(row)[i]);
    case DType::kBF16:
      return __uint_as_float(static_cast<unsigned>(reinterpret_cast<const uint16_t*>(row)[i]) << 16);
    default:
      break;
  }
  const uint8_t* block = row + i / 32 * 34;
  const float d = __half2float(*reinterpret_cast<const __half*>(block));
  return d * static_cast<float>(reinterpret_cast<const int8_t*>(block + 2)[i % 32]);
}

}  // namespace glint::cuda
