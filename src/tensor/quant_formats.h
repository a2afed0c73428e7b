// SPDX-License-Identifier: Apache-2.0
//
// One dequantising function per format, grouped as the files that define them; dequantize.cpp picks by DType. Private
// to tensor/: everyone else calls dequantize(). Contract of each: as dequantize(), with the format fixed.
#pragma once

#include <cstdint>

#include "tensor/blocks.h"

namespace glint {

/// Calls expand(block, out) for each block of `elements` values, out advancing with them.
template <class Block, class Expand>
void for_each_block(const void* source, int64_t elements, float* out, Expand expand) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t done = 0; done < elements; done += Block::kElements, bytes += sizeof(Block)) {
    expand(load_block<Block>(bytes), out + done);
  }
}

// quant_float.cpp
void dequantize_f32(const void* source, int64_t elements, float* out);
void dequantize_f16(const void* source, int64_t elements, float* out);
void dequantize_bf16(const void* source, int64_t elements, float* out);
// quant_linear.cpp
void dequantize_q4_0(const void* source, int64_t elements, float* out);
void dequantize_q4_1(const void* source, int64_t elements, float* out);
void dequantize_q5_0(const void* source, int64_t elements, float* out);
void dequantize_q5_1(const void* source, int64_t elements, float* out);
void dequantize_q8_0(const void* source, int64_t elements, float* out);
// quant_k.cpp
void dequantize_q2_k(const void* source, int64_t elements, float* out);
void dequantize_q3_k(const void* source, int64_t elements, float* out);
void dequantize_q4_k(const void* source, int64_t elements, float* out);
void dequantize_q5_k(const void* source, int64_t elements, float* out);
void dequantize_q6_k(const void* source, int64_t elements, float* out);
// quant_levels.cpp
void dequantize_iq4_nl(const void* source, int64_t elements, float* out);
void dequantize_iq4_xs(const void* source, int64_t elements, float* out);
void dequantize_mxfp4(const void* source, int64_t elements, float* out);
// quant_grid.cpp
void dequantize_iq1_s(const void* source, int64_t elements, float* out);
void dequantize_iq1_m(const void* source, int64_t elements, float* out);
void dequantize_iq2_xxs(const void* source, int64_t elements, float* out);
void dequantize_iq2_xs(const void* source, int64_t elements, float* out);
void dequantize_iq2_s(const void* source, int64_t elements, float* out);
void dequantize_iq3_xxs(const void* source, int64_t elements, float* out);
void dequantize_iq3_s(const void* source, int64_t elements, float* out);
// quant_ternary.cpp
void dequantize_tq1_0(const void* source, int64_t elements, float* out);
void dequantize_tq2_0(const void* source, int64_t elements, float* out);

}  // namespace glint
