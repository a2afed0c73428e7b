// SPDX-License-Identifier: Apache-2.0
//
// Ternary formats: TQ1_0 (five digits a byte) and TQ2_0 (two bits a digit). Layouts are in blocks.h. Called by
// dequantize.cpp.
// Tested by tests/unit/tensor/dequantize_test.cpp.
#include "base/half.h"
#include "tensor/quant_formats.h"

namespace glint {

namespace {

// `n_digits` digits of each of `n_bytes` bytes; digit k of byte i goes to x[n_bytes k + i].
void expand_digits(float d, const uint8_t* bytes, int n_bytes, int n_digits, float* x) {
  for (int i = 0; i < n_bytes; ++i) {
    uint8_t fraction = bytes[i];
    for (int k = 0; k < n_digits; ++k) {
      const int tripled = 3 * fraction;
      x[n_bytes * k + i] = d * static_cast<float>((tripled >> 8) - 1);
      fraction = static_cast<uint8_t>(tripled);
    }
  }
}

}  // namespace

void dequantize_tq1_0(const void* source, int64_t elements, float* out) {
  for_each_block<BlockTQ1_0>(source, elements, out, [](const BlockTQ1_0& block, float* x) {
    const float d = f16_to_f32(block.d);
    expand_digits(d, block.q, 32, 5, x);
    expand_digits(d, block.q + 32, 16, 5, x + 160);
    expand_digits(d, block.rest, 4, 4, x + 240);
  });
}

void dequantize_tq2_0(const void* source, int64_t elements, float* out) {
  for_each_block<BlockTQ2_0>(source, elements, out, [](const BlockTQ2_0& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      x[e] = d * static_cast<float>(((block.q[32 * (e / 128) + e % 32] >> (2 * (e / 32 % 4))) & 3) - 1);
    }
  });
}

}  // namespace glint
