// SPDX-License-Identifier: Apache-2.0
//
// Stands in for the CUDA backend in builds without nvcc.
#include "base/check.h"
#include "cuda/cuda_backend.h"

namespace glint {

std::vector<CudaDevice> cuda_devices() {
  return {};
}

int64_t cuda_free_bytes(int) {
  return 0;
}

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions&) {
  fail("this build has no CUDA backend; use --backend cpu, or build with -DGLINT_CUDA=ON where nvcc is installed");
}

}  // namespace glint
