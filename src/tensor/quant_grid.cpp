// SPDX-License-Identifier: Apache-2.0
//
// Formats whose values are rows of a codebook: IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S. Layouts are in
// blocks.h, codebooks in tables/grids.h. Every row number is masked to the size of its codebook, so any bytes are safe.
// Called by dequantize.cpp.
// Tested by tests/unit/tensor/dequantize_test.cpp.
#include "base/half.h"
#include "tensor/quant_formats.h"
#include "tensor/tables/grids.h"

namespace glint {

namespace {

// scale * magnitude for each byte of a row, negative where the sign byte says so.
template <class Row>
void expand_signed(float scale, Row row, unsigned signs, float* x) {
  for (unsigned j = 0; j < sizeof(Row); ++j) {
    const float magnitude = scale * static_cast<float>((row >> (8 * j)) & 255);
    x[j] = (signs >> j) & 1 ? -magnitude : magnitude;
  }
}

void expand_ternary(float scale, float delta, uint64_t row, float* x) {
  for (int j = 0; j < 8; ++j) x[j] = scale * (static_cast<float>(static_cast<int8_t>(row >> (8 * j))) + delta);
}

float half_step(float d, unsigned scale) {
  return d * (0.5f + static_cast<float>(scale));
}

unsigned nibble(const uint8_t* nibbles, int i) {
  return (nibbles[i / 2] >> (4 * (i % 2))) & 15u;
}

// Sign byte j of the four that a 32-bit number packs.
unsigned packed_signs(uint32_t number, int j) {
  return tables::kEvenSigns[(number >> (7 * j)) & 127u];
}

constexpr float kIq1Delta = 0.125f;

}  // namespace

void dequantize_iq2_xxs(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ2_XXS>(source, elements, out, [](const BlockIQ2_XXS& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int group = 0; group < 8; ++group) {
      const uint8_t* rows = block.q + 8 * group;
      const auto number = load_block<uint32_t>(rows + 4);
      const float scale = half_step(d, number >> 28) * 0.25f;
      for (int j = 0; j < 4; ++j) {
        expand_signed(scale, tables::kIq2XxsGrid[rows[j]], packed_signs(number, j), x + 32 * group + 8 * j);
      }
    }
  });
}

void dequantize_iq2_xs(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ2_XS>(source, elements, out, [](const BlockIQ2_XS& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < 32; ++i) {
      const float scale = half_step(d, nibble(block.scales, i / 2)) * 0.25f;
      expand_signed(scale, tables::kIq2XsGrid[block.q[i] & 511], tables::kEvenSigns[block.q[i] >> 9], x + 8 * i);
    }
  });
}

void dequantize_iq2_s(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ2_S>(source, elements, out, [](const BlockIQ2_S& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < 32; ++i) {
      const float scale = half_step(d, nibble(block.scales, i / 2)) * 0.25f;
      const int high = (block.high[i / 4] >> (2 * (i % 4))) & 3;
      expand_signed(scale, tables::kIq2SGrid[block.q[i] | high << 8], block.signs[i], x + 8 * i);
    }
  });
}

void dequantize_iq3_xxs(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ3_XXS>(source, elements, out, [](const BlockIQ3_XXS& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int group = 0; group < 8; ++group) {
      const auto number = load_block<uint32_t>(block.signs_and_scales + 4 * group);
      const float scale = half_step(d, number >> 28) * 0.5f;
      for (int j = 0; j < 8; ++j) {
        const unsigned signs = packed_signs(number, j / 2) >> (4 * (j % 2));
        expand_signed(scale, tables::kIq3XxsGrid[block.q[8 * group + j]], signs, x + 32 * group + 4 * j);
      }
    }
  });
}

void dequantize_iq3_s(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ3_S>(source, elements, out, [](const BlockIQ3_S& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < 64; ++i) {
      const float scale = d * static_cast<float>(2 * nibble(block.scales, i / 8) + 1);
      const int high = (block.high[i / 8] >> (i % 8)) & 1;
      const unsigned signs = block.signs[i / 2] >> (4 * (i % 2));
      expand_signed(scale, tables::kIq3SGrid[block.q[i] | high << 8], signs, x + 4 * i);
    }
  });
}

void dequantize_iq1_s(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ1_S>(source, elements, out, [](const BlockIQ1_S& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < 32; ++i) {
      const int high = block.high[i / 4];
      const float scale = d * static_cast<float>(2 * ((high >> 12) & 7) + 1);
      const int row = block.q[i] | ((high >> (3 * (i % 4))) & 7) << 8;
      expand_ternary(scale, high & 0x8000 ? -kIq1Delta : kIq1Delta, tables::kIq1Grid[row], x + 8 * i);
    }
  });
}

void dequantize_iq1_m(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ1_M>(source, elements, out, [](const BlockIQ1_M& block, float* x) {
    const float d = f16_to_f32(block_scale(block));
    for (int i = 0; i < 32; ++i) {
      const unsigned high = nibble(block.high, i);
      const float scale = d * static_cast<float>(2 * ((block.scales[i / 8] >> (3 * (i / 2 % 4))) & 7) + 1);
      const unsigned row = block.q[i] | (high & 7) << 8;
      expand_ternary(scale, high & 8 ? -kIq1Delta : kIq1Delta, tables::kIq1Grid[row], x + 8 * i);
    }
  });
}

}  // namespace glint
