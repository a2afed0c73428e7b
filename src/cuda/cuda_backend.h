// SPDX-License-Identifier: Apache-2.0
//
// The CUDA backend: one NVIDIA card (sm_80 to sm_120). Weights are repacked once into the order in which tensor cores
// read them (packed_weight.h); activations that are multiplied by them are rounded to f16, sums are f32, the residual
// stays f32. A row's bits do not depend on the batch it sits in. Only make_backend.cpp and tests include this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace glint {

struct CudaDevice {
  int index = 0;
  std::string name;
  int64_t total_bytes = 0;
  int compute_capability = 0;  // 90 for 9.0
};
inline constexpr int kLeastComputeCapability = 80;

struct CudaOptions {
  int device = 0;
  bool generic_only = false;  // only kernels that every card runs, with 99 KB of shared memory: as on sm_120
};

/// Cards that answer; empty where there is no driver, no card or no CUDA in this build.
std::vector<CudaDevice> cuda_devices();

/// Of a card, now. The first call for a card gives this process a context on it, which takes some 500 MiB.
int64_t cuda_free_bytes(int device);

/// Throws Error when there is no such card, naming the cards that there are.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});

}  // namespace glint
