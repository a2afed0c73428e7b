// SPDX-License-Identifier: Apache-2.0
//
// Mapping files: content, empty files, and refusals of what is not a regular file.
#include "base/file_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "base/check.h"

namespace glint {
namespace {

using testing::HasSubstr;

class FileMapTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("file_map_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& content) {
    const auto path = folder_ / "file";
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }

  static std::string refusal(const std::string& path) {
    try {
      FileMap::open(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path folder_;
};

TEST_F(FileMapTest, MapsTheWholeFileAndSurvivesMoves) {
  FileMap map = FileMap::open(write("hello"));
  const auto* address = map.bytes().data();
  FileMap moved = std::move(map);
  EXPECT_EQ(moved.text(), "hello");
  EXPECT_EQ(moved.bytes().data(), address);
  EXPECT_TRUE(map.bytes().empty());
  map = std::move(moved);
  EXPECT_EQ(map.text(), "hello");
}

TEST_F(FileMapTest, AnEmptyFileIsAnEmptySpan) {
  EXPECT_TRUE(FileMap::open(write("")).bytes().empty());
}

TEST_F(FileMapTest, RefusalsNameThePathAndTheReason) {
  const std::string missing = (folder_ / "missing").string();
  EXPECT_EQ(refusal(missing), missing + ": cannot open: No such file or directory");
  EXPECT_EQ(refusal(folder_.string()), folder_.string() + ": is a folder, expected a regular file");
  EXPECT_EQ(refusal("/dev/null"), "/dev/null: is a device, expected a regular file");
}

TEST_F(FileMapTest, APipeWithoutAWriterIsRefusedAtOnce) {
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(refusal(pipe), HasSubstr("is a pipe"));
}

}  // namespace
}  // namespace glint
