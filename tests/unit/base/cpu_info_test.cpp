// SPDX-License-Identifier: Apache-2.0
//
// Cores really available: the texts that the system gives, and the affinity mask.
#include "base/cpu_info.h"

#include <gtest/gtest.h>
#include <sched.h>

namespace glint {
namespace {

TEST(CpuInfo, CpuMaxIsRoundedUpToCores) {
  EXPECT_EQ(cores_of_cpu_max("200000 100000\n"), 2);
  EXPECT_EQ(cores_of_cpu_max("150000 100000\n"), 2);
  EXPECT_EQ(cores_of_cpu_max("1000 100000\n"), 1);
  EXPECT_EQ(cores_of_cpu_max("max 100000\n"), 0);
  EXPECT_EQ(cores_of_cpu_max(""), 0);
  EXPECT_EQ(cores_of_cpu_max("nonsense"), 0);
  EXPECT_EQ(cores_of_cpu_max("100000 0"), 0);
  EXPECT_EQ(cores_of_cpu_max("-5 100000"), 0);
  EXPECT_EQ(cores_of_cpu_max("99999999999999999999 1"), 0);
  EXPECT_EQ(cores_of_cpu_max("9000000000000000000 1"), 1000000);
}

TEST(CpuInfo, CgroupPathsOfBothVersions) {
  EXPECT_EQ(cgroup_path("0::/system.slice/x.service\n"), "/system.slice/x.service");
  EXPECT_EQ(cgroup_path("0::/\n"), "");
  EXPECT_EQ(cgroup_path("12:memory:/m\n3:cpu,cpuacct:/docker/abc\n1:cpuset:/s\n0::/unified\n"), "/docker/abc");
  EXPECT_EQ(cgroup_path("5:cpuset:/s\n0::/u:with:colons\n"), "/u:with:colons");
  EXPECT_EQ(cgroup_path(""), "");
  EXPECT_EQ(cgroup_path("no colons\n:one\n"), "");
}

TEST(CpuInfo, CoresFollowTheAffinityMask) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_GE(available_cores(), 1);
  EXPECT_LE(available_cores(), CPU_COUNT(&before));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(available_cores(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace glint
