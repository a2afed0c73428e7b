// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <algorithm>
#include <array>
#include <atomic>
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

/// The bytes behind a name of a file with lines like "MemAvailable:   123 kB".
int64_t read_size(const std::string& path, const std::string& wanted) {
  std::ifstream file(path);
  std::string name, rest;
  while (file >> name) {
    int64_t kibibytes = 0;
    if (name == wanted && file >> kibibytes) return kibibytes * 1024;
    std::getline(file, rest);
  }
  return kUnknown;
}

std::atomic<int64_t>& promised(PromisedMemory::Kind kind) {
  static std::array<std::atomic<int64_t>, 2> totals = {};
  return totals[static_cast<size_t>(kind)];
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
  const int64_t of_group =
      std::min(group_available(group + "memory.max", group + "memory.current"),
               group_available(group + "memory/memory.limit_in_bytes", group + "memory/memory.usage_in_bytes"));
  // A group counts pages of files as used, the machine as available.
  const int64_t of_machine =
      read_size(root + "/proc/meminfo", "MemAvailable:") - PromisedMemory::total(PromisedMemory::Kind::kFile);
  const int64_t least = std::min(of_machine, of_group);
  const int64_t touched = read_size(root + "/proc/self/status", "RssAnon:");
  if (touched == kUnknown) return least;
  const int64_t untouched = PromisedMemory::total(PromisedMemory::Kind::kAnonymous) - touched;
  return std::max<int64_t>(0, least - std::max<int64_t>(0, untouched));
}

PromisedMemory::PromisedMemory(int64_t bytes, Kind kind) : bytes_(bytes), kind_(kind) {
  promised(kind) += bytes;
}
PromisedMemory::~PromisedMemory() {
  promised(kind_) -= bytes_;
}
int64_t PromisedMemory::total(Kind kind) {
  return promised(kind);
}

}  // namespace glint
