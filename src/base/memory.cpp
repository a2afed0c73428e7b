// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>

namespace glint {
namespace {

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

/// The first number of a file, or kUnknown ("max" is how cgroup v2 says no limit).
int64_t read_number(const std::string& path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? value : kUnknown;
}

int64_t meminfo_available(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name, unit;
  int64_t kibibytes = 0;
  while (file >> name >> kibibytes) {
    if (name == "MemAvailable:") return kibibytes * 1024;
    std::getline(file, unit);
  }
  return kUnknown;
}

int64_t group_available(const std::string& limit_file, const std::string& usage_file) {
  const int64_t limit = read_number(limit_file);
  const int64_t usage = read_number(usage_file);
  if (limit == kUnknown || usage == kUnknown) return kUnknown;
  return std::max<int64_t>(0, limit - usage);
}

}  // namespace

int64_t available_memory(const std::string& root) {
  const std::string group = root + "/sys/fs/cgroup/";
  return std::min({meminfo_available(root), group_available(group + "memory.max", group + "memory.current"),
                   group_available(group + "memory/memory.limit_in_bytes", group + "memory/memory.usage_in_bytes")});
}

}  // namespace glint
