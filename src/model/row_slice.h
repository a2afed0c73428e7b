// SPDX-License-Identifier: Apache-2.0
//
// Weights that share one tensor of the file: q, k and v in one matrix, gate and up in another, MLA's joint kv_b. Rows
// in one stretch are used where they lie; rows of many heads, or transposed ones, are copied. Called by load.cpp and
// plan.cpp. Tested by tests/unit/model/row_slice_test.cpp.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/host_tensor.h"

namespace glint {

/// Rows that a weight takes out of a matrix [rows, width]: of each of n_heads equal stretches of rows, `count` from
/// `first` on.
struct RowSlice {
  int first = 0;
  int count = 0;            // 0: the whole tensor
  int n_heads = 1;          // more than 1: the weight is a stack of n_heads matrices [count, width]
  bool transposed = false;  // each matrix is [width, count]

  bool is_view() const { return n_heads == 1 && !transposed; }
};

/// The same bytes, fewer rows. PRECOND: slice.is_view() and the rows are there.
HostTensor view_rows(const HostTensor& tensor, const RowSlice& slice);

/// Format and shape of what copy_rows makes, without bytes. A transposed tensor of a format with blocks becomes F32,
/// which is exact; other values are kept bit for bit.
HostTensor sliced_shape(const HostTensor& tensor, const RowSlice& slice);
std::vector<std::byte> copy_rows(const HostTensor& tensor, const RowSlice& slice);

}  // namespace glint
