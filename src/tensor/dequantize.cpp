// SPDX-License-Identifier: Apache-2.0
//
// Picks the dequantising function of a format. The functions are in quant_*.cpp, one file per family.
// Tested by tests/unit/tensor/dequantize_test.cpp.
#include "tensor/dequantize.h"

#include "base/check.h"
#include "tensor/quant_formats.h"

namespace glint {

namespace {

using DequantizeFunction = void (*)(const void* source, int64_t elements, float* out);

// nullptr for formats that hold no weights. A switch without default: the compiler names a format that is forgotten.
DequantizeFunction dequantize_function(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return dequantize_f32;
    case DType::kF16:
      return dequantize_f16;
    case DType::kBF16:
      return dequantize_bf16;
    case DType::kQ4_0:
      return dequantize_q4_0;
    case DType::kQ4_1:
      return dequantize_q4_1;
    case DType::kQ5_0:
      return dequantize_q5_0;
    case DType::kQ5_1:
      return dequantize_q5_1;
    case DType::kQ8_0:
      return dequantize_q8_0;
    case DType::kQ2_K:
      return dequantize_q2_k;
    case DType::kQ3_K:
      return dequantize_q3_k;
    case DType::kQ4_K:
      return dequantize_q4_k;
    case DType::kQ5_K:
      return dequantize_q5_k;
    case DType::kQ6_K:
      return dequantize_q6_k;
    case DType::kIQ4_NL:
      return dequantize_iq4_nl;
    case DType::kIQ4_XS:
      return dequantize_iq4_xs;
    case DType::kMXFP4:
      return dequantize_mxfp4;
    case DType::kIQ1_S:
      return dequantize_iq1_s;
    case DType::kIQ1_M:
      return dequantize_iq1_m;
    case DType::kIQ2_XXS:
      return dequantize_iq2_xxs;
    case DType::kIQ2_XS:
      return dequantize_iq2_xs;
    case DType::kIQ2_S:
      return dequantize_iq2_s;
    case DType::kIQ3_XXS:
      return dequantize_iq3_xxs;
    case DType::kIQ3_S:
      return dequantize_iq3_s;
    case DType::kTQ1_0:
      return dequantize_tq1_0;
    case DType::kTQ2_0:
      return dequantize_tq2_0;
    case DType::kI8:
    case DType::kI16:
    case DType::kI32:
    case DType::kI64:
    case DType::kF64:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

void dequantize(DType dtype, const void* source, int64_t elements, float* out) {
  const DequantizeFunction function = dequantize_function(dtype);
  GLINT_CHECK(function != nullptr);
  GLINT_CHECK(elements >= 0 && elements % traits(dtype).block_elements == 0);
  function(source, elements, out);
}

}  // namespace glint
