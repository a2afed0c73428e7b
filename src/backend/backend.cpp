// SPDX-License-Identifier: Apache-2.0
//
// Defaults of Backend that hold where weights are used in host memory as the file lies there.
#include "backend/backend.h"

#include "base/memory.h"

namespace glint {

MachineMemory Backend::memory() const {
  // For the rest of the process, and so that the machine can breathe.
  constexpr int64_t kReserve = 300LL << 20;
  return {
      .is_host = true, .device = "CPU", .total_bytes = 0, .free_bytes = available_memory(), .reserve_bytes = kReserve};
}

int64_t Backend::weight_bytes(const HostTensor& tensor) const {
  return row_bytes(tensor.dtype, tensor.elements());
}

}  // namespace glint
