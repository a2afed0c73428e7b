// SPDX-License-Identifier: Apache-2.0
//
// How a kernel is started: grid, block and shared memory checked, errors with their place, and overlap with the kernel
// before where the card has it (programmatic dependent launch; the kernel must then call wait_for_previous_kernel
// before it reads what others wrote, and every kernel does).
#pragma once

#include <cuda_runtime.h>

#include <source_location>
#include <type_traits>

#include "cuda/device_memory.h"

namespace glint::cuda {

struct LaunchShape {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;
};

/// Enqueues kernel(args...). A grid without blocks is nothing to do.
template <class... Params>
void launch(const Stream& stream, const LaunchShape& shape, void (*kernel)(Params...),
            std::type_identity_t<Params>... args) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  if (shape.shared_bytes > (48 << 10)) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shape.shared_bytes)));
  }
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream.handle;
  config.attrs = &overlap;
  config.numAttrs = stream.overlap ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, args...));
}

/// Blocks of `size` that cover `n`.
constexpr int blocks_for(int64_t n, int size) {
  return static_cast<int>((n + size - 1) / size);
}

}  // namespace glint::cuda
