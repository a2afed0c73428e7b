// SPDX-License-Identifier: Apache-2.0
//
// The kernels for processors with AVX2, FMA and F16C. Headers of the standard library come first: what lies between
// BEGIN and END may only be reached through the table. Tested by tests/unit/cpu/kernels_test.cpp.
#include "cpu/kernels.h"

#if GLINT_HAS_AVX2_KERNELS
#include <immintrin.h>

#include <limits>

GLINT_AVX2_BEGIN
#include "cpu/kernels_table.h"
#include "cpu/vec8_avx2.h"

namespace glint::cpu {

const Kernels& avx2_kernels() {
  static constexpr Kernels kTable = kernel_table<Avx2Vec8>();
  return kTable;
}

}  // namespace glint::cpu
GLINT_AVX2_END
#else
namespace glint::cpu {

const Kernels& avx2_kernels() {
  return scalar_kernels();
}

}  // namespace glint::cpu
#endif
