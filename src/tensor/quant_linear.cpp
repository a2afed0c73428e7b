// SPDX-License-Identifier: Apache-2.0
//
// Blocks of 32 evenly spaced values under one scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0. Layouts are in blocks.h. Called by
// dequantize.cpp.
// Tested by tests/unit/tensor/dequantize_test.cpp.
#include "base/half.h"
#include "tensor/quant_formats.h"

namespace glint {

namespace {

// Bit `element` of the fifth bits, moved to the value 16.
int fifth_bit(const uint8_t (&high)[4], int element) {
  return ((high[element / 8] >> (element % 8)) & 1) << 4;
}

}  // namespace

void dequantize_q4_0(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ4_0>(source, elements, out, [](const BlockQ4_0& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < 16; ++i) {
      x[i] = d * static_cast<float>((block.q[i] & 15) - 8);
      x[i + 16] = d * static_cast<float>((block.q[i] >> 4) - 8);
    }
  });
}

void dequantize_q4_1(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ4_1>(source, elements, out, [](const BlockQ4_1& block, float* x) {
    const float d = f16_to_f32(block.d);
    const float m = f16_to_f32(block.m);
    for (int i = 0; i < 16; ++i) {
      x[i] = d * static_cast<float>(block.q[i] & 15) + m;
      x[i + 16] = d * static_cast<float>(block.q[i] >> 4) + m;
    }
  });
}

void dequantize_q5_0(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ5_0>(source, elements, out, [](const BlockQ5_0& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < 16; ++i) {
      x[i] = d * static_cast<float>(((block.q[i] & 15) | fifth_bit(block.high, i)) - 16);
      x[i + 16] = d * static_cast<float>(((block.q[i] >> 4) | fifth_bit(block.high, i + 16)) - 16);
    }
  });
}

void dequantize_q5_1(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ5_1>(source, elements, out, [](const BlockQ5_1& block, float* x) {
    const float d = f16_to_f32(block.d);
    const float m = f16_to_f32(block.m);
    for (int i = 0; i < 16; ++i) {
      x[i] = d * static_cast<float>((block.q[i] & 15) | fifth_bit(block.high, i)) + m;
      x[i + 16] = d * static_cast<float>((block.q[i] >> 4) | fifth_bit(block.high, i + 16)) + m;
    }
  });
}

void dequantize_q8_0(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ8_0>(source, elements, out, [](const BlockQ8_0& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(block.q[i]);
  });
}

}  // namespace glint
