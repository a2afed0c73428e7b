// SPDX-License-Identifier: Apache-2.0
//
// The measured limits are those of this machine, whatever it is: sums that come out right, and speeds that no machine
// lies outside of.
#include "cpu/limits.h"

#include <gtest/gtest.h>

namespace glint::cpu {
namespace {

TEST(Limits, AreThoseOfSomeMachine) {
  Workers workers(1, 0, cpu_level());
  const MachineLimits limits = measure_limits(workers);
  EXPECT_GT(limits.bytes_per_second, 1e7);
  EXPECT_LT(limits.bytes_per_second, 1e14);
  EXPECT_GT(limits.flops_per_second, 1e7);
  EXPECT_LT(limits.flops_per_second, 1e14);
}

TEST(Limits, BurstComputesWhatItSays) {
  // Each of 12 vectors of 8 lanes begins at its index j and goes to 2 by halves: 2 + (j - 2) / 2^n.
  float expected = 0;
  for (int j = 0; j < kBurstLanes / 8; ++j) expected += 8 * (2 + (static_cast<float>(j) - 2) / 16);
  for (const CpuLevel level : {CpuLevel::kScalar, cpu_level()}) {
    EXPECT_EQ(kernels(level).multiply_add_burst(4, 0.5f, 1.0f), expected);
  }
}

}  // namespace
}  // namespace glint::cpu
