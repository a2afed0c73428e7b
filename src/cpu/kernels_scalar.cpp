// SPDX-License-Identifier: Apache-2.0
//
// The kernels in plain C++, for any processor, and the choice between the tables. Tested by
// tests/unit/cpu/kernels_test.cpp.
#include "cpu/kernels.h"

#include "cpu/kernels_table.h"
#include "cpu/vec8_scalar.h"

namespace glint::cpu {

const Kernels& scalar_kernels() {
  static constexpr Kernels kTable = kernel_table<ScalarVec8>();
  return kTable;
}

const Kernels& kernels(CpuLevel level) {
  return level == CpuLevel::kScalar ? scalar_kernels() : avx2_kernels();
}

}  // namespace glint::cpu
