// SPDX-License-Identifier: Apache-2.0
//
// Super-blocks of 256 with integer scales for groups of 16 or 32: Q2_K, Q3_K, Q4_K, Q5_K, Q6_K. Layouts are in
// blocks.h. Called by dequantize.cpp.
// Tested by tests/unit/tensor/dequantize_test.cpp.
#include "base/half.h"
#include "tensor/quant_formats.h"

namespace glint {

namespace {

// Element e of two-bit planes, of bit planes and of nibble pairs (see blocks.h).
int two_bits(const uint8_t* planes, int e) {
  return (planes[32 * (e / 128) + e % 32] >> (2 * (e / 32 % 4))) & 3;
}
int one_bit(const uint8_t* planes, int e) {
  return (planes[e % 32] >> (e / 32)) & 1;
}
int nibble(const uint8_t* pairs, int e) {
  return (pairs[32 * (e / 64) + e % 32] >> (4 * (e / 32 % 2))) & 15;
}

}  // namespace

void dequantize_q2_k(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ2_K>(source, elements, out, [](const BlockQ2_K& block, float* x) {
    const float d = f16_to_f32(block.d);
    const float dmin = f16_to_f32(block.dmin);
    for (int group = 0; group < 16; ++group) {
      const float scale = d * static_cast<float>(block.scales[group] & 15);
      const float min = dmin * static_cast<float>(block.scales[group] >> 4);
      for (int e = 16 * group; e < 16 * group + 16; ++e) x[e] = scale * static_cast<float>(two_bits(block.q, e)) - min;
    }
  });
}

void dequantize_q3_k(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ3_K>(source, elements, out, [](const BlockQ3_K& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int group = 0; group < 16; ++group) {
      const float scale = d * static_cast<float>(group_scale(block, group));
      for (int e = 16 * group; e < 16 * group + 16; ++e) {
        x[e] = scale * static_cast<float>((two_bits(block.q, e) | one_bit(block.high, e) << 2) - 4);
      }
    }
  });
}

void dequantize_q4_k(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ4_K>(source, elements, out, [](const BlockQ4_K& block, float* x) {
    const float d = f16_to_f32(block.d);
    const float dmin = f16_to_f32(block.dmin);
    for (int group = 0; group < 8; ++group) {
      const GroupScales s = group_scales(block.scales, group);
      const float scale = d * static_cast<float>(s.scale);
      const float min = dmin * static_cast<float>(s.min);
      for (int e = 32 * group; e < 32 * group + 32; ++e) x[e] = scale * static_cast<float>(nibble(block.q, e)) - min;
    }
  });
}

void dequantize_q5_k(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ5_K>(source, elements, out, [](const BlockQ5_K& block, float* x) {
    const float d = f16_to_f32(block.d);
    const float dmin = f16_to_f32(block.dmin);
    for (int group = 0; group < 8; ++group) {
      const GroupScales s = group_scales(block.scales, group);
      const float scale = d * static_cast<float>(s.scale);
      const float min = dmin * static_cast<float>(s.min);
      for (int e = 32 * group; e < 32 * group + 32; ++e) {
        x[e] = scale * static_cast<float>(nibble(block.q, e) | one_bit(block.high, e) << 4) - min;
      }
    }
  });
}

void dequantize_q6_k(const void* source, int64_t elements, float* out) {
  for_each_block<BlockQ6_K>(source, elements, out, [](const BlockQ6_K& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int group = 0; group < 16; ++group) {
      const float scale = d * static_cast<float>(block.scales[group]);
      for (int e = 16 * group; e < 16 * group + 16; ++e) {
        const int low = (block.low[64 * (e / 128) + e % 64] >> (4 * (e / 64 % 2))) & 15;
        x[e] = scale * static_cast<float>((low | two_bits(block.high, e) << 4) - 32);
      }
    }
  });
}

}  // namespace glint
