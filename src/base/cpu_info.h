// SPDX-License-Identifier: Apache-2.0
//
// What the processor can do and how much of it this process may use. Called by cpu/ and by flags' defaults.
// Tested by tests/unit/base/cpu_info_test.cpp.
#pragma once

#include <string>
#include <string_view>

namespace glint {

/// Instruction sets that kernels are written for; a higher level includes the lower.
enum class CpuLevel {
  kScalar,
  kAvx2,  // with FMA and F16C
};

/// The best level that this processor and system support.
CpuLevel cpu_level();

/// Cores that this process may really use, at least 1: those of its affinity mask, or fewer where a control group
/// limits its share of processor time (containers), rounded up.
int available_cores();

/// Cores that a cgroup v2 "cpu.max" allows ("200000 100000" is 2, "max 100000" is no limit): 0 for no limit or for text
/// that is not understood.
int cores_of_cpu_max(std::string_view text);

/// Path of the process's group from /proc/self/cgroup, or of its cpu controller in version 1: "/a/b". Empty if absent.
std::string cgroup_path(std::string_view proc_self_cgroup);

}  // namespace glint
