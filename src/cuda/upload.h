// SPDX-License-Identifier: Apache-2.0
//
// Brings a mapped tensor to the card: through a ring of page-locked buffers, so that reading the file, copying and
// repacking overlap; formats that have no packed form are turned into F16 on the way. One thread at a time.
// Tested by tests/unit/cuda/op_cases_test.cpp.
#pragma once

#include <array>
#include <memory>

#include "cuda/device_memory.h"
#include "tensor/host_tensor.h"

namespace glint::cuda {

class Uploader {
 public:
  explicit Uploader(const Stream& stream) : stream_(stream) {}
  ~Uploader();

  /// F32 vectors and matrices stay as they are; all else is packed. A 1-dim tensor becomes [1, n_in].
  Weight upload(const HostTensor& tensor);
  /// Bytes that upload() will ask the card for; of the tensor only format and shape are looked at.
  static int64_t device_bytes(const HostTensor& tensor);
  /// What the ring takes of the card.
  static int64_t ring_bytes() { return kPieces * allocation_bytes(kPieceBytes); }
  /// Gives the ring back; the next upload makes a new one.
  void release();

 private:
  static constexpr size_t kPieceBytes = 32 << 20;
  static constexpr int kPieces = 3;
  struct Piece {
    std::unique_ptr<PinnedBuffer> host;
    std::unique_ptr<DeviceBuffer> device;
    cudaEvent_t done = nullptr;
    bool busy = false;
  };
  /// The next piece, when the card no longer reads it.
  Piece& next_piece();

  const Stream& stream_;
  std::array<Piece, kPieces> ring_;
  size_t next_ = 0;
};

}  // namespace glint::cuda
