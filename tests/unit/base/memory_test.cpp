// SPDX-License-Identifier: Apache-2.0
//
// What is available, as files of a machine made here say it: the least of what machine and group leave, less what was
// promised and is not touched.
#include "base/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

namespace glint {
namespace {

namespace fs = std::filesystem;
using Kind = PromisedMemory::Kind;

constexpr int64_t kMib = 1 << 20;

class MemoryTest : public testing::Test {
 protected:
  MemoryTest() {
    fs::remove_all(root_);
    write("proc/meminfo", "MemTotal:       16384000 kB\nMemFree:  1 kB\nMemAvailable:    8192000 kB\nBuffers: 5 kB\n");
    write("proc/self/status",
          "Name:\tglint\nState:\tR (running)\nVmRSS:\t  900000 kB\nRssAnon:\t  102400 kB\nRssFile:\t 5 kB\n");
  }
  ~MemoryTest() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text;
  }
  int64_t available() const { return available_memory(root_); }

  std::string root_ = testing::TempDir() + "glint_memory_" + std::to_string(getpid());
};

TEST_F(MemoryTest, TheLeastOfMachineAndGroups) {
  EXPECT_EQ(available(), 8000 * kMib);
  write("sys/fs/cgroup/memory.max", "max\n");
  write("sys/fs/cgroup/memory.current", "1000\n");
  EXPECT_EQ(available(), 8000 * kMib);
  write("sys/fs/cgroup/memory.max", std::to_string(3000 * kMib));
  write("sys/fs/cgroup/memory.current", std::to_string(1000 * kMib));
  EXPECT_EQ(available(), 2000 * kMib);
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(500 * kMib));
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", std::to_string(600 * kMib));
  EXPECT_EQ(available(), 0);
  fs::remove_all(root_);
  EXPECT_GT(available(), int64_t{1} << 60);  // nothing is known
}

TEST_F(MemoryTest, WhatIsPromisedAndNotTouchedIsTaken) {
  {
    const PromisedMemory small(60 * kMib, Kind::kAnonymous);
    EXPECT_EQ(available(), 8000 * kMib);  // all of it may be among the 100 MiB that were touched
    std::optional<PromisedMemory> large;
    large.emplace(3000 * kMib, Kind::kAnonymous);
    EXPECT_EQ(PromisedMemory::total(Kind::kAnonymous), 3060 * kMib);
    EXPECT_EQ(available(), (8000 - 3060 + 100) * kMib);
    write("proc/self/status", "RssAnon:\t  3072000 kB\n");  // now it is written
    EXPECT_EQ(available(), (8000 - 60) * kMib);
    large.emplace(9000 * kMib, Kind::kAnonymous);
    EXPECT_EQ(available(), (8000 - 9060 + 3000) * kMib);
    large.emplace(90000 * kMib, Kind::kAnonymous);
    EXPECT_EQ(available(), 0);
  }
  EXPECT_EQ(available(), 8000 * kMib);
}

TEST_F(MemoryTest, MappedFilesAreTakenFromTheMachineAlone) {
  const PromisedMemory file(1000 * kMib, Kind::kFile);
  EXPECT_EQ(available(), 7000 * kMib);
  write("sys/fs/cgroup/memory.max", std::to_string(3000 * kMib));
  write("sys/fs/cgroup/memory.current", std::to_string(1000 * kMib));
  EXPECT_EQ(available(), 2000 * kMib);
}

}  // namespace
}  // namespace glint
