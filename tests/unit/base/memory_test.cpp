// SPDX-License-Identifier: Apache-2.0
//
// Memory that may still be taken, read from made-up /proc and /sys.
#include "base/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

namespace glint {
namespace {

class Memory : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_ = testing::TempDir() + "glint-memory-" + std::to_string(getpid());
};

TEST_F(Memory, NothingKnownIsVeryMuch) { EXPECT_EQ(available_memory(root_), std::numeric_limits<int64_t>::max()); }

TEST_F(Memory, TheMachinesEstimate) {
  write("/proc/meminfo", "MemTotal:       4000 kB\nMemFree:         100 kB\nMemAvailable:   3000 kB\nHugePages_Total:       0\n");
  EXPECT_EQ(available_memory(root_), 3000 * 1024);
  write("/sys/fs/cgroup/memory.max", "max\n");
  write("/sys/fs/cgroup/memory.current", "12345\n");
  EXPECT_EQ(available_memory(root_), 3000 * 1024);
}

TEST_F(Memory, TheGroupsLimitLessWhatItUses) {
  write("/proc/meminfo", "MemAvailable:   3000 kB\n");
  write("/sys/fs/cgroup/memory.max", "1000000\n");
  write("/sys/fs/cgroup/memory.current", "400000\n");
  EXPECT_EQ(available_memory(root_), 600'000);
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "500000\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "450000\n");
  EXPECT_EQ(available_memory(root_), 50'000);
  write("/sys/fs/cgroup/memory.current", "2000000\n");
  EXPECT_EQ(available_memory(root_), 0);
}

}  // namespace
}  // namespace glint
