// SPDX-License-Identifier: Apache-2.0
//
// A slot file says what it was given; of what is wrong with files tests/unit/server/slots_test.cpp has more.
#include "engine/slot_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace glint {
namespace {

namespace fs = std::filesystem;

class SlotFileTest : public testing::Test {
 protected:
  SlotFileTest() {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  ~SlotFileTest() override { fs::remove_all(folder_); }
  std::string folder_ = testing::TempDir() + "glint_slot_file_" + std::to_string(getpid());
  std::string path_ = folder_ + "/x";
};

TEST_F(SlotFileTest, SaysWhatItWasGiven) {
  for (const std::vector<int32_t>& ids : {std::vector<int32_t>{}, {1}, std::vector<int32_t>(1000, 7)}) {
    write_slot_file(path_, Digest{1, 2}, ids);
    EXPECT_EQ(read_slot_file(path_, Digest{1, 2}), ids);
    EXPECT_EQ(static_cast<int64_t>(fs::file_size(path_)), slot_file_bytes(ids.size()));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);  // nothing is left beside it
  EXPECT_THROW(read_slot_file(path_, Digest{1, 3}), Error);
}

TEST_F(SlotFileTest, ReplacesNothingElse) {
  std::ofstream(path_) << "somebody's text";
  EXPECT_THROW(write_slot_file(path_, {}, {}), Error);
  fs::remove(path_);
  write_slot_file(folder_ + "/other", {}, {});
  fs::create_symlink(folder_ + "/other", path_);
  EXPECT_THROW(write_slot_file(path_, {}, {}), Error);
  EXPECT_THROW(write_slot_file(folder_ + "/absent/x", {}, {}), Error);
}

}  // namespace
}  // namespace glint
