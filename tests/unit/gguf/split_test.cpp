// SPDX-License-Identifier: Apache-2.0
//
// Split models (B14): any part opens the set; what is missing, renamed, mixed up or glued together is named.
#include "gguf/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/check.h"
#include "gguf/file.h"
#include "tests/unit/gguf/raw_file.h"
#include "tests/unit/gguf/temporary_folder.h"

namespace glint::gguf {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Part {
  int index = 0, count = 3, n_tensors = 5;
  std::vector<std::string> tensors;
};

// As llama.cpp writes them: split.no and split.count are u16, split.tensors.count is i32; data filled with `index`.
std::vector<std::byte> image(const Part& part) {
  RawFile raw;
  if (part.index == 0) raw.key("general.name", ValueType::kString, Bytes().string("whole"));
  raw.key("split.no", ValueType::kUint16, Bytes().add(static_cast<uint16_t>(part.index)));
  raw.key("split.count", ValueType::kUint16, Bytes().add(static_cast<uint16_t>(part.count)));
  raw.key("split.tensors.count", ValueType::kInt32, Bytes().add(static_cast<int32_t>(part.n_tensors)));
  for (size_t i = 0; i < part.tensors.size(); ++i) raw.tensor(part.tensors[i], {8}, 0, i * 32);
  const size_t data = part.tensors.size() * 32;
  auto bytes = raw.data(data).bytes();
  std::fill(bytes.end() - static_cast<ptrdiff_t>(data), bytes.end(), static_cast<std::byte>(part.index));
  return bytes;
}

class SplitTest : public testing::Test {
 protected:
  static std::string name(int number, int count = 3) { return fmt::format("m-{:05}-of-{:05}.gguf", number, count); }
  void write_all() {
    for (size_t i = 0; i < 3; ++i) folder_.write(name(static_cast<int>(i) + 1), image(parts_[i]));
  }
  std::string refusal(const std::string& file) {
    try {
      File::open(folder_.file(file));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
  std::vector<Part> parts_ = {{0, 3, 5, {"a", "b"}}, {1, 3, 5, {"c"}}, {2, 3, 5, {"d", "e"}}};
};

TEST_F(SplitTest, AnyPartOpensTheWholeSet) {
  write_all();
  for (int number = 1; number <= 3; ++number) {
    const File file = File::open(folder_.file(name(number)));
    EXPECT_EQ(file.name(), folder_.file(name(number)));
    EXPECT_EQ(file.parts(), 3);
    EXPECT_EQ(file.metadata().string("general.name"), "whole");
    ASSERT_EQ(file.tensors().size(), 5u);
    EXPECT_EQ(file.tensors()[2].name, "c");
    EXPECT_EQ(file.find("e")->bytes[0], std::byte{2});
    EXPECT_EQ(file.total_bytes(), image(parts_[0]).size() + image(parts_[1]).size() + image(parts_[2]).size());
  }
}

TEST_F(SplitTest, AMissingPartIsNamed) {
  write_all();
  std::filesystem::remove(folder_.file(name(2)));
  for (int number : {1, 3}) {
    EXPECT_THAT(refusal(name(number)), AllOf(HasSubstr(folder_.file(name(2))), HasSubstr("part 2 of 3 is missing")));
  }
}

TEST_F(SplitTest, ARenamedPartIsRefused) {
  write_all();
  std::filesystem::rename(folder_.file(name(2)), folder_.file("second.gguf"));
  EXPECT_THAT(refusal("second.gguf"), AllOf(HasSubstr("part 2 of 3"), HasSubstr("-00002-of-00003.gguf")));
  std::filesystem::rename(folder_.file(name(3)), folder_.file(name(2)));
  EXPECT_THAT(refusal(name(2)), HasSubstr("the name says part 2 of 3, the file says part 3 of 3"));
  EXPECT_THAT(refusal(name(1)), HasSubstr("expected part 2 of 3"));
}

TEST_F(SplitTest, APartOfAnotherSetIsRefused) {
  parts_[1].n_tensors = 6;
  write_all();
  EXPECT_THAT(refusal(name(1)), AllOf(HasSubstr(name(2)), HasSubstr("6 tensors in all"), HasSubstr("not of this set")));
}

TEST_F(SplitTest, TheTensorCountMustAgree) {
  for (Part& part : parts_) part.n_tensors = 7;
  write_all();
  EXPECT_THAT(refusal(name(1)), HasSubstr("split.tensors.count is 7, but the 3 parts hold 5 tensors"));
}

TEST_F(SplitTest, ATensorInTwoPartsIsRefused) {  // B12
  parts_[2].tensors = {"d", "a"};
  write_all();
  EXPECT_THAT(refusal(name(1)), AllOf(HasSubstr(name(3)), HasSubstr("tensor a is there twice")));
}

TEST_F(SplitTest, ACutPartIsNamed) {
  write_all();
  std::filesystem::resize_file(folder_.file(name(3)), image(parts_[2]).size() - 1);
  EXPECT_THAT(refusal(name(1)), AllOf(HasSubstr(name(3)), HasSubstr("tensor e ends at byte")));
}

TEST_F(SplitTest, PartsJoinedWithCatAreRecognised) {
  std::vector<std::byte> joined;
  for (const Part& part : parts_) {
    const auto bytes = image(part);
    joined.insert(joined.end(), bytes.begin(), bytes.end());
  }
  for (const std::string& file : {std::string("joined.gguf"), name(1)}) {
    folder_.write(file, joined);
    EXPECT_THAT(refusal(file), AllOf(HasSubstr("joined split files"), HasSubstr("--merge")));
  }
}

TEST_F(SplitTest, ASingleFileMayBeNamedLikeAPart) {
  folder_.write(name(1, 1), RawFile().u32("a", 1).bytes());
  folder_.write(name(2, 3), RawFile().u32("a", 1).bytes());
  EXPECT_EQ(refusal(name(1, 1)), "");
  EXPECT_EQ(refusal(name(2, 3)), "");
}

TEST_F(SplitTest, ContradictoryKeysAreRefused) {
  folder_.write("x.gguf", image({3, 3, 5, {}}));
  EXPECT_THAT(refusal("x.gguf"), HasSubstr("split.no is 3 and split.count is 3"));
  folder_.write("y.gguf", RawFile().u32("split.count", 0xffffffff).u32("split.no", 0).bytes());
  EXPECT_THAT(refusal("y.gguf"), HasSubstr("split.count is 4294967295"));
  folder_.write("z.gguf", RawFile().u32("split.count", 2).bytes());
  EXPECT_THAT(refusal("z.gguf"), HasSubstr("key split.no is missing"));
}

TEST_F(SplitTest, APartInMemoryIsRefused) {
  EXPECT_THAT(gguf::refusal(image(parts_[1])), HasSubstr("part 2 of 3; a split model is opened by path"));
}

TEST(SplitName, OnlyTheExactFormIsAPart) {
  const auto name = parse_split_name("dir/x-00002-of-00013.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->prefix, "dir/x");
  EXPECT_EQ(name->number, 2);
  EXPECT_EQ(name->count, 13);
  EXPECT_EQ(name->path(7), "dir/x-00007-of-00013.gguf");
  EXPECT_TRUE(parse_split_name("-00001-of-00001.gguf"));
  for (const char* other :
       {"x.gguf", "x-00000-of-00003.gguf", "x-00004-of-00003.gguf", "x-0002-of-00003.gguf", "x-00002-of-00003.bin",
        "x-0000a-of-00003.gguf", "x_00002-of-00003.gguf", "x--0002-of-00003.gguf", "", "gguf"}) {
    EXPECT_FALSE(parse_split_name(other)) << other;
  }
}

}  // namespace
}  // namespace glint::gguf
