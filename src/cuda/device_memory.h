// SPDX-License-Identifier: Apache-2.0
//
// The card as the CUDA backend's host code sees it: errors with their place, memory that frees itself, one stream.
// Used by every .cu file's launchers; knows nothing of kernels.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <source_location>

#include "backend/backend.h"

namespace glint::cuda {

/// Throws InternalError with the caller's place when a CUDA call failed.
void check(cudaError_t error, std::source_location place = std::source_location::current());

/// What cudaMalloc takes of the card for so many bytes: small ones share pieces of 2 MiB, others get whole pieces.
constexpr int64_t allocation_bytes(int64_t bytes) {
  const int64_t unit = bytes > (1 << 20) ? 2 << 20 : 512;
  return bytes <= 0 ? unit : (bytes + unit - 1) / unit * unit;
}

/// Device memory; contents undefined. Throws Error that says how much was asked for and how much is free.
class DeviceBuffer final : public Buffer {
 public:
  explicit DeviceBuffer(size_t bytes);
  ~DeviceBuffer() override;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  void* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Page-locked host memory, for copies that do not wait.
class PinnedBuffer final : public Buffer {
 public:
  explicit PinnedBuffer(size_t bytes);
  ~PinnedBuffer() override;
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;
  void* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Where work is enqueued, and what the launchers must know of the card.
struct Stream {
  cudaStream_t handle = nullptr;
  int n_multiprocessors = 1;
  size_t shared_bytes = 48 << 10;  // most a block may have
  bool overlap = false;            // programmatic dependent launch
  bool is_hopper = false;          // has the instructions of sm_90a
};

}  // namespace glint::cuda
