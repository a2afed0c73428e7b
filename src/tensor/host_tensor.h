// SPDX-License-Identifier: Apache-2.0
//
// A named tensor in host memory, as a GGUF file maps it: owns nothing, never written through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace glint {

struct HostTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> dims;         // row-major: outermost first, so [out, in]; the reverse of GGUF's "ne" order
  std::span<const std::byte> bytes;  // exactly elements() values

  int64_t elements() const {
    int64_t n = 1;
    for (int64_t d : dims) n *= d;
    return n;
  }
};

}  // namespace glint
