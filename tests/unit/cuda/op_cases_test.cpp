// SPDX-License-Identifier: Apache-2.0
//
// The op table that all backends share, on the CUDA backend against ref: on the emulated card, or on a real one.
#include "tests/unit/backend/op_cases.h"

#include "cuda/cuda_backend.h"

namespace glint::backend_test {
namespace {

TEST(OpTable, CudaAgreesWithRef) {
  if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
  const auto ref = make_ref_backend();
  const auto cuda = make_cuda_backend();
  for (const OpCase& op_case : op_cases(Products::kF16)) {
    SCOPED_TRACE(op_case.name);
    const std::vector<float> expected = op_case.run(*ref);
    const std::vector<double> bound = op_case.bound(expected);
    EXPECT_TRUE(within(op_case.run(*cuda), expected, bound));
  }
}

}  // namespace
}  // namespace glint::backend_test
