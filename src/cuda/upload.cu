// SPDX-License-Identifier: Apache-2.0
#include "cuda/upload.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/half.h"
#include "cuda/pack.h"
#include "tensor/dequantize.h"

namespace glint::cuda {
namespace {

/// Rows of any format as f16.
void rows_to_f16(DType dtype, const std::byte* rows, int n_rows, int n_in, uint16_t* out) {
  std::vector<float> values(static_cast<size_t>(n_in));
  const int64_t bytes = row_bytes(dtype, n_in);
  for (int r = 0; r < n_rows; ++r) {
    dequantize(dtype, rows + r * bytes, n_in, values.data());
    for (float v : values) *out++ = f32_to_f16(v);
  }
}

/// The weight that a tensor becomes, without data.
Weight shape_of(const HostTensor& tensor) {
  const size_t n_dims = tensor.dims.size();
  if (n_dims < 1 || n_dims > 3) fail("{}: {} dimensions, expected 1 to 3", tensor.name, n_dims);
  const auto dim = [&](size_t from_inner) {
    return from_inner < n_dims ? static_cast<int>(tensor.dims[n_dims - 1 - from_inner]) : 1;
  };
  return {.dtype = tensor.dtype,
          .count = dim(2),
          .n_out = dim(1),
          .n_in = dim(0),
          .data = nullptr,
          .bias = nullptr,
          .owner = {}};
}

}  // namespace

Uploader::~Uploader() {
  release();
}

void Uploader::release() {
  for (Piece& piece : ring_) {
    if (piece.done == nullptr) continue;
    cudaEventSynchronize(piece.done);
    cudaEventDestroy(piece.done);
    piece = {};
  }
}

Uploader::Piece& Uploader::next_piece() {
  Piece& piece = ring_[next_++ % ring_.size()];
  if (piece.done == nullptr) {
    piece.host = std::make_unique<PinnedBuffer>(kPieceBytes);
    piece.device = std::make_unique<DeviceBuffer>(kPieceBytes);
    check(cudaEventCreate(&piece.done));
  } else if (piece.busy) {
    check(cudaEventSynchronize(piece.done));
  }
  piece.busy = true;
  return piece;
}

int64_t Uploader::device_bytes(const HostTensor& tensor) {
  const Weight w = shape_of(tensor);
  if (w.dtype == DType::kF32) return tensor.elements() * static_cast<int64_t>(sizeof(float));
  return w.count * PackedMatrix(w).bytes();
}

Weight Uploader::upload(const HostTensor& tensor) {
  Weight w = shape_of(tensor);
  const auto buffer = std::make_shared<DeviceBuffer>(static_cast<size_t>(device_bytes(tensor)));
  w.data = buffer->data();
  w.owner = buffer;
  const auto* source = tensor.bytes.data();
  if (w.dtype == DType::kF32) {
    for (size_t at = 0; at < tensor.bytes.size(); at += kPieceBytes) {
      const size_t bytes = std::min(kPieceBytes, tensor.bytes.size() - at);
      Piece& piece = next_piece();
      std::memcpy(piece.host->data(), source + at, bytes);
      check(cudaMemcpyAsync(static_cast<std::byte*>(buffer->data()) + at, piece.host->data(), bytes,
                            cudaMemcpyHostToDevice, stream_.handle));
      check(cudaEventRecord(piece.done, stream_.handle));
    }
    return w;
  }
  const bool direct = packs_directly(w.dtype);
  const DType packed_from = direct ? w.dtype : DType::kF16;
  const int64_t file_row = row_bytes(w.dtype, w.n_in);
  const int64_t piece_row = row_bytes(packed_from, w.n_in);
  const int rows_of_piece = static_cast<int>(static_cast<int64_t>(kPieceBytes) / piece_row) / kTileRows * kTileRows;
  if (rows_of_piece == 0) fail("{}: rows of {} values are too long for the GPU", tensor.name, w.n_in);
  // Stacked matrices of whole tiles are one tall matrix.
  const bool tall = w.n_out % kTileRows == 0;
  const int n_matrices = tall ? 1 : w.count;
  const int n_out = tall ? w.count * w.n_out : w.n_out;
  for (int m = 0; m < n_matrices; ++m) {
    PackedMatrix matrix(w.data, packed_from, n_out, w.n_in);
    matrix.tiles += m * matrix.bytes();
    for (int first = 0; first < n_out; first += rows_of_piece) {
      const int n_rows = std::min(rows_of_piece, n_out - first);
      const auto bytes = static_cast<size_t>(n_rows * piece_row);
      const std::byte* rows = source + (static_cast<int64_t>(m) * n_out + first) * file_row;
      Piece& piece = next_piece();
      if (direct) {
        std::memcpy(piece.host->data(), rows, bytes);
      } else {
        rows_to_f16(w.dtype, rows, n_rows, w.n_in, static_cast<uint16_t*>(piece.host->data()));
      }
      check(cudaMemcpyAsync(piece.device->data(), piece.host->data(), bytes, cudaMemcpyHostToDevice, stream_.handle));
      pack(stream_, matrix, packed_from, piece.device->data(), first, n_rows);
      check(cudaEventRecord(piece.done, stream_.handle));
    }
  }
  return w;
}

}  // namespace glint::cuda
