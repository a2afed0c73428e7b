// SPDX-License-Identifier: Apache-2.0
//
// The op table that all backends share, on the CPU backend against ref.
#include "tests/unit/backend/op_cases.h"

#include "cpu/cpu_backend.h"

namespace glint::backend_test {
namespace {

TEST(OpTable, CpuAgreesWithRef) {
  const auto ref = make_ref_backend();
  const auto best = make_cpu_backend({.n_threads = 2});
  const auto scalar = make_cpu_backend({.n_threads = 1, .scalar_only = true});
  for (const OpCase& op_case : op_cases()) {
    SCOPED_TRACE(op_case.name);
    const std::vector<float> expected = op_case.run(*ref);
    const std::vector<double> bound = op_case.bound(expected);
    EXPECT_TRUE(within(op_case.run(*best), expected, bound)) << "best instruction set, two threads";
    EXPECT_TRUE(within(op_case.run(*scalar), expected, bound)) << "scalar";
  }
}

}  // namespace
}  // namespace glint::backend_test
