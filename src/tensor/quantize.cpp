// SPDX-License-Identifier: Apache-2.0
//
// Scalar quantizers. See tensor/quantize.h. Called by backends (cache rows) and tests; knows no file format.
// Tested by tests/unit/tensor/quantize_q8_0_test.cpp.
#include "tensor/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"

namespace glint {

void quantize_q8_0(const float* x, int64_t elements, void* out) {
  constexpr int kBlock = 32;
  auto* destination = static_cast<uint8_t*>(out);
  for (int64_t first = 0; first < elements; first += kBlock) {
    float largest = 0;
    for (int i = 0; i < kBlock; ++i) largest = std::max(largest, std::fabs(x[first + i]));
    const float scale = largest / 127.0f;
    const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
    const uint16_t scale_bits = f32_to_f16(scale);
    std::memcpy(destination, &scale_bits, sizeof scale_bits);
    for (int i = 0; i < kBlock; ++i) {
      // Clamped through float first: converting NaN or a value out of range to int8 would be undefined.
      const float rounded = std::round(x[first + i] * inverse);
      const float clamped = rounded >= -127.0f ? std::min(rounded, 127.0f) : -127.0f;
      destination[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(clamped));
    }
    destination += 2 + kBlock;
  }
}

}  // namespace glint
