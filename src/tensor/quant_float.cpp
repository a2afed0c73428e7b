// SPDX-License-Identifier: Apache-2.0
//
// The float formats: F32, F16, BF16. Called by dequantize.cpp.
// Tested by tests/unit/tensor/dequantize_test.cpp; the conversions themselves by tests/unit/base/half_test.cpp.
#include "base/half.h"
#include "tensor/quant_formats.h"

namespace glint {

void dequantize_f32(const void* source, int64_t elements, float* out) {
  std::memcpy(out, source, static_cast<size_t>(elements) * sizeof(float));
}

void dequantize_f16(const void* source, int64_t elements, float* out) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t i = 0; i < elements; ++i) out[i] = f16_to_f32(load_block<uint16_t>(bytes + 2 * i));
}

void dequantize_bf16(const void* source, int64_t elements, float* out) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t i = 0; i < elements; ++i) out[i] = bf16_to_f32(load_block<uint16_t>(bytes + 2 * i));
}

}  // namespace glint
