// SPDX-License-Identifier: Apache-2.0
//
// Processor features by CPUID (through the compiler), cores by the affinity mask and cgroup v2 or v1 quotas.
// Tested by tests/unit/base/cpu_info_test.cpp.
#include "base/cpu_info.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace glint {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Cores of a quota and a period in microseconds; 0 for none.
int cores_of_quota(std::string_view quota, std::string_view period) {
  long long used = 0;
  long long whole = 0;
  std::from_chars(quota.data(), quota.data() + quota.size(), used);
  std::from_chars(period.data(), period.data() + period.size(), whole);
  if (used <= 0 || whole <= 0) return 0;
  return static_cast<int>(std::min((used + whole - 1) / whole, 1'000'000LL));
}

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // The call fails where the system has more cores than the set holds.
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

/// The tightest quota from the process's group up to the root; 0 for none.
int quota_cores() {
  int cores = 0;
  const auto limit = [&](int found) {
    if (found > 0) cores = cores == 0 ? found : std::min(cores, found);
  };
  std::string path = cgroup_path(read_text("/proc/self/cgroup"));
  for (;;) {
    limit(cores_of_cpu_max(read_text("/sys/fs/cgroup" + path + "/cpu.max")));
    const std::string group = "/sys/fs/cgroup/cpu" + path + "/cpu.";
    limit(cores_of_quota(read_text(group + "cfs_quota_us"), read_text(group + "cfs_period_us")));
    if (path.empty()) return cores;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

CpuLevel cpu_level() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {  // F16C came before both
    return CpuLevel::kAvx2;
  }
#endif
  return CpuLevel::kScalar;
}

int available_cores() {
  const int cores = affinity_cores();
  const int quota = quota_cores();
  return quota == 0 ? cores : std::min(cores, quota);
}

int cores_of_cpu_max(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return 0;
  return cores_of_quota(text.substr(0, space), text.substr(space + 1));  // "max" is no number
}

std::string cgroup_path(std::string_view proc_self_cgroup) {
  // Lines "hierarchy:controllers:path"; version 2 has no controllers, version 1 lists "cpu" among them.
  std::string found;
  while (!proc_self_cgroup.empty()) {
    const std::string_view line = proc_self_cgroup.substr(0, proc_self_cgroup.find('\n'));
    proc_self_cgroup.remove_prefix(std::min(line.size() + 1, proc_self_cgroup.size()));
    const size_t first = line.find(':');
    const size_t second = line.find(':', first == std::string_view::npos ? line.size() : first + 1);
    if (second == std::string_view::npos) continue;
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const bool of_cpu = controllers.find(",cpu,") != std::string::npos;
    if (of_cpu || (controllers == ",," && found.empty())) found = line.substr(second + 1);
  }
  if (found == "/") found.clear();
  return found;
}

}  // namespace glint
