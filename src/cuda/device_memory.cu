// SPDX-License-Identifier: Apache-2.0
#include "cuda/device_memory.h"

#include "base/check.h"

namespace glint::cuda {

void check(cudaError_t error, std::source_location place) {
  if (error == cudaSuccess) return;
  throw InternalError(fmt::format("CUDA: {} at {}:{}", cudaGetErrorString(error), place.file_name(), place.line()));
}

DeviceBuffer::DeviceBuffer(size_t bytes) : bytes_(bytes) {
  // A buffer of nothing still has an address, so that pointers to it are valid to pass.
  if (cudaMalloc(&data_, bytes == 0 ? 256 : bytes) == cudaSuccess) return;
  cudaGetLastError();
  size_t free = 0;
  size_t total = 0;
  cudaMemGetInfo(&free, &total);
  fail("{:.1f} MiB of GPU memory were asked for, but only {:.1f} of {:.1f} MiB are free",
       static_cast<double>(bytes) / (1 << 20), static_cast<double>(free) / (1 << 20),
       static_cast<double>(total) / (1 << 20));
}

DeviceBuffer::~DeviceBuffer() {
  cudaFree(data_);
}

PinnedBuffer::PinnedBuffer(size_t bytes) : bytes_(bytes) {
  check(cudaMallocHost(&data_, bytes));
}
PinnedBuffer::~PinnedBuffer() {
  cudaFreeHost(data_);
}

}  // namespace glint::cuda
