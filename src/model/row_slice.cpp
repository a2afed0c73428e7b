// SPDX-License-Identifier: Apache-2.0
#include "model/row_slice.h"

#include <cstring>

#include "base/check.h"
#include "tensor/dequantize.h"

namespace glint {
namespace {

size_t bytes_of_row(const HostTensor& tensor) {
  return static_cast<size_t>(row_bytes(tensor.dtype, tensor.dims[1]));
}

const std::byte* row_of(const HostTensor& tensor, const RowSlice& slice, int head, int index) {
  const int64_t row = head * (tensor.dims[0] / slice.n_heads) + slice.first + index;
  return tensor.bytes.data() + static_cast<size_t>(row) * bytes_of_row(tensor);
}

/// Writes one head's rows as columns of `value_bytes` wide values.
void transpose_head(const HostTensor& tensor, const RowSlice& slice, int head, size_t value_bytes, std::byte* out) {
  const auto width = static_cast<size_t>(tensor.dims[1]);
  const bool unpack = traits(tensor.dtype).block_elements > 1;
  std::vector<float> unpacked(unpack ? width : 0);
  for (int d = 0; d < slice.count; ++d) {
    const std::byte* row = row_of(tensor, slice, head, d);
    if (unpack) {
      dequantize(tensor.dtype, row, tensor.dims[1], unpacked.data());
      row = reinterpret_cast<const std::byte*>(unpacked.data());
    }
    for (size_t r = 0; r < width; ++r) {
      const size_t at = r * static_cast<size_t>(slice.count) + static_cast<size_t>(d);
      std::memcpy(out + at * value_bytes, row + r * value_bytes, value_bytes);
    }
  }
}

}  // namespace

HostTensor view_rows(const HostTensor& tensor, const RowSlice& slice) {
  GLINT_CHECK(slice.is_view());
  if (slice.count == 0) return tensor;
  GLINT_CHECK(tensor.dims.size() == 2 && slice.first >= 0 && slice.first + slice.count <= tensor.dims[0]);
  HostTensor part = tensor;
  const size_t bytes = bytes_of_row(tensor);
  part.bytes = part.bytes.subspan(static_cast<size_t>(slice.first) * bytes, static_cast<size_t>(slice.count) * bytes);
  part.dims[0] = slice.count;
  return part;
}

HostTensor sliced_shape(const HostTensor& tensor, const RowSlice& slice) {
  HostTensor shape = tensor;
  shape.bytes = {};
  if (slice.count == 0) return shape;
  GLINT_CHECK(tensor.dims.size() == 2 && tensor.dims[0] % slice.n_heads == 0);
  GLINT_CHECK(slice.first >= 0 && slice.first + slice.count <= tensor.dims[0] / slice.n_heads);
  if (slice.transposed) {
    if (traits(tensor.dtype).block_elements > 1) shape.dtype = DType::kF32;
    shape.dims = {slice.n_heads, tensor.dims[1], slice.count};
  } else {
    shape.dims = {slice.n_heads, slice.count, tensor.dims[1]};
  }
  return shape;
}

std::vector<std::byte> copy_rows(const HostTensor& tensor, const RowSlice& slice) {
  const HostTensor shape = sliced_shape(tensor, slice);
  std::vector<std::byte> bytes(static_cast<size_t>(row_bytes(shape.dtype, shape.elements())));
  const size_t head_bytes = bytes.size() / static_cast<size_t>(slice.n_heads);
  for (int h = 0; h < slice.n_heads; ++h) {
    std::byte* out = bytes.data() + static_cast<size_t>(h) * head_bytes;
    if (slice.transposed) {
      transpose_head(tensor, slice, h, static_cast<size_t>(traits(shape.dtype).block_bytes), out);
    } else {
      std::memcpy(out, row_of(tensor, slice, h, 0), head_bytes);
    }
  }
  return bytes;
}

}  // namespace glint
