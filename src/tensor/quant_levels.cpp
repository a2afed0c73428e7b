// SPDX-License-Identifier: Apache-2.0
//
// Four-bit indices into sixteen unevenly spaced levels: IQ4_NL, IQ4_XS, MXFP4. Layouts are in blocks.h. Called by
// dequantize.cpp.
// Tested by tests/unit/tensor/dequantize_test.cpp.
#include <array>

#include "base/half.h"
#include "tensor/quant_formats.h"
#include "tensor/tables/grids.h"

namespace glint {

namespace {

// 32 values from 16 nibble-split bytes.
void expand_levels(const std::array<int8_t, 16>& levels, float scale, const uint8_t* q, float* x) {
  for (int i = 0; i < 16; ++i) {
    x[i] = scale * static_cast<float>(levels[q[i] & 15]);
    x[i + 16] = scale * static_cast<float>(levels[q[i] >> 4]);
  }
}

}  // namespace

void dequantize_iq4_nl(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ4_NL>(source, elements, out, [](const BlockIQ4_NL& block, float* x) {
    expand_levels(tables::kIq4Values, f16_to_f32(block.d), block.q, x);
  });
}

void dequantize_iq4_xs(const void* source, int64_t elements, float* out) {
  for_each_block<BlockIQ4_XS>(source, elements, out, [](const BlockIQ4_XS& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int group = 0; group < 8; ++group) {
      const float scale = d * static_cast<float>(group_scale(block, group));
      expand_levels(tables::kIq4Values, scale, block.q + 16 * group, x + 32 * group);
    }
  });
}

void dequantize_mxfp4(const void* source, int64_t elements, float* out) {
  for_each_block<BlockMXFP4>(source, elements, out, [](const BlockMXFP4& block, float* x) {
    expand_levels(tables::kMxfp4Values, mxfp4_scale(block.exponent), block.q, x);
  });
}

}  // namespace glint
