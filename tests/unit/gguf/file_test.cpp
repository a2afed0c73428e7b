// SPDX-License-Identifier: Apache-2.0
//
// Opening files by path: refusals of what is no file, overrides, files far larger than memory, files of other tools.
#include "gguf/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/check.h"
#include "tests/unit/gguf/allocation_watch.h"
#include "tests/unit/gguf/raw_file.h"
#include "tests/unit/gguf/temporary_folder.h"

namespace glint::gguf {
namespace {

using testing::HasSubstr;

std::string open_refusal(const std::string& path) {
  try {
    File::open(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(FileOpen, WhatIsNoFileHasItsOwnReason) {  // B09
  const TemporaryFolder folder;
  EXPECT_THAT(open_refusal(folder.path()), HasSubstr("is a folder"));
  EXPECT_THAT(open_refusal("/dev/null"), HasSubstr("is a device"));
  EXPECT_THAT(open_refusal(folder.file("missing.gguf")), HasSubstr("No such file"));
  EXPECT_THAT(open_refusal(folder.write("empty.gguf", {})), HasSubstr("the file is empty"));
  EXPECT_THAT(open_refusal(folder.write("four.gguf", Bytes().text("GGUF").get())), HasSubstr("only 4 bytes"));
  EXPECT_THAT(open_refusal(folder.write("page.gguf", Bytes().text("<!doctype html>").get())), HasSubstr("a web page"));
}

TEST(FileOpen, OverridesAreAppliedInOrder) {
  const auto bytes = RawFile().u32("a", 1).bytes();
  const std::vector<std::string> overrides = {"a=int:2,b=str:x", "a=int:3"};
  const File file = File::parse(bytes, "t.gguf", overrides);
  EXPECT_EQ(file.metadata().integer("a"), 3);
  EXPECT_EQ(file.metadata().string("b"), "x");
}

TEST(FileOpen, MovesKeepEverythingInPlace) {
  const auto bytes = RawFile().tensor("t", {8}, 0, 0).data(32).bytes();
  File file = File::parse(bytes, "t.gguf");
  const HostTensor* tensor = file.find("t");
  const File moved = std::move(file);
  EXPECT_EQ(moved.find("t"), tensor);
}

// The header is all that is read: a file with 64 GiB of data (a hole on disk) opens with a few kilobytes.
TEST(FileOpen, TensorDataIsNotRead) {
  const TemporaryFolder folder;
  constexpr uint64_t kRows = 64, kRow = uint64_t{1} << 28;
  const auto header = RawFile().tensor("t", {kRow, kRows}, 0, 0).bytes();
  const std::string path = folder.write("sparse.gguf", header);
  std::error_code error;
  std::filesystem::resize_file(path, header.size() + kRows * kRow * 4, error);
  if (error) GTEST_SKIP() << "no sparse files here: " << error.message();
  reset_largest_allocation();
  const File file = File::open(path);
  EXPECT_LT(largest_allocation(), 65536u);
  EXPECT_EQ(file.find("t")->bytes.size(), kRows * kRow * 4);
}

TEST(FileOpen, VocabularyFilesOfOtherToolsAreRead) {
  const std::string path = GLINT_SHARED "/data/vocab/ggml-vocab-gpt-2.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the reference data folder";
  const File file = File::open(path);
  EXPECT_EQ(file.metadata().string("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.metadata().strings("tokenizer.ggml.tokens").size(), 50257u);
}

}  // namespace
}  // namespace glint::gguf
