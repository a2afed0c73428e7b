// SPDX-License-Identifier: Apache-2.0
//
// The writer: what it writes is read back; files appear whole or not at all.
#include "gguf/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "base/check.h"
#include "base/file_map.h"
#include "gguf/file.h"
#include "tests/unit/gguf/temporary_folder.h"

namespace glint::gguf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::byte> counting(size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return bytes;
}

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Writer, WhatIsWrittenIsReadBack) {
  Writer writer;
  writer.add_uint32("u32", 7);
  writer.add_int32("i32", -7);
  writer.add_uint64("u64", uint64_t{1} << 40);
  writer.add_float32("f32", 0.1f);
  writer.add_bool("bool", true);
  writer.add_string("string", "text");
  writer.add_strings("strings", std::vector<std::string>{"a", "", "c"});
  writer.add_int32s("int32s", std::vector<int32_t>{1, -2});
  writer.add_float32s("float32s", std::vector<float>{0.5f});
  writer.add_tensor("q8", DType::kQ8_0, {3, 2, 64}, counting(3 * 2 * 68));
  writer.add_tensor("f32", DType::kF32, {5}, counting(20));
  const auto bytes = writer.image();
  EXPECT_EQ(bytes.size(), writer.total_bytes());

  const File file = File::parse(bytes, "t.gguf");
  const Metadata& metadata = file.metadata();
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.alignment(), 32u);
  EXPECT_EQ(metadata.entries().size(), 9u);
  EXPECT_EQ(metadata.integer("u32"), 7);
  EXPECT_EQ(metadata.integer("i32"), -7);
  EXPECT_EQ(metadata.integer("u64"), int64_t{1} << 40);
  EXPECT_EQ(metadata.number("f32"), double{0.1f});
  EXPECT_TRUE(metadata.boolean("bool"));
  EXPECT_EQ(metadata.string("string"), "text");
  EXPECT_THAT(metadata.strings("strings"), ElementsAre("a", "", "c"));
  EXPECT_THAT(metadata.integers("int32s"), ElementsAre(1, -2));
  EXPECT_THAT(metadata.numbers("float32s"), ElementsAre(0.5));
  const HostTensor* q8 = file.find("q8");
  EXPECT_THAT(q8->dims, ElementsAre(3, 2, 64));
  EXPECT_EQ(q8->dtype, DType::kQ8_0);
  EXPECT_TRUE(std::ranges::equal(q8->bytes, counting(3 * 2 * 68)));
  EXPECT_TRUE(std::ranges::equal(file.find("f32")->bytes, counting(20)));
}

TEST(Writer, FileAndImageAreTheSameBytes) {
  const TemporaryFolder folder;
  Writer writer(64);
  writer.add_string("k", "v");
  writer.add_tensor("t", DType::kF32, {9}, counting(36));
  writer.write(folder.file("t.gguf"));
  EXPECT_THAT(folder.names(), ElementsAre("t.gguf"));
  const FileMap map = FileMap::open(folder.file("t.gguf"));
  EXPECT_TRUE(std::ranges::equal(map.bytes(), writer.image()));
}

TEST(Writer, FillsAreAskedForConsecutiveRanges) {
  constexpr int64_t kRows = 40000, kRow = 256;  // 40 MB of F32: more than one piece
  uint64_t next = 0;
  Writer writer;
  writer.add_tensor("t", DType::kF32, {kRows, kRow}, [&](uint64_t offset, std::span<std::byte> destination) {
    EXPECT_EQ(offset, next);
    next = offset + destination.size();
    std::ranges::fill(destination, std::byte{5});
  });
  std::vector<uint64_t> reports;
  const TemporaryFolder folder;
  writer.write(folder.file("t.gguf"), [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, writer.total_bytes());
    reports.push_back(done);
  });
  EXPECT_EQ(next, static_cast<uint64_t>(kRows * kRow * 4));
  EXPECT_GT(reports.size(), 1u);
  EXPECT_TRUE(std::ranges::is_sorted(reports));
  EXPECT_EQ(reports.back(), writer.total_bytes());
  EXPECT_EQ(std::filesystem::file_size(folder.file("t.gguf")), writer.total_bytes());
}

TEST(Writer, CancellingLeavesTheOldFileAndNoTemporary) {
  const TemporaryFolder folder;
  folder.write("t.gguf", counting(3));
  Writer writer;
  writer.add_tensor("t", DType::kF32, {9}, counting(36));
  EXPECT_THROW(writer.write(folder.file("t.gguf"), [](uint64_t, uint64_t) { throw std::runtime_error("stop"); }),
               std::runtime_error);
  EXPECT_THAT(folder.names(), ElementsAre("t.gguf"));
  EXPECT_EQ(std::filesystem::file_size(folder.file("t.gguf")), 3u);
}

TEST(Writer, AFillThatThrowsLeavesNothing) {
  const TemporaryFolder folder;
  Writer writer;
  writer.add_tensor("t", DType::kF32, {9}, [](uint64_t, std::span<std::byte>) { fail("no data"); });
  EXPECT_THROW(writer.write(folder.file("t.gguf")), Error);
  EXPECT_THAT(folder.names(), IsEmpty());
}

TEST(Writer, SystemErrorsAreTold) {
  const TemporaryFolder folder;
  Writer writer;
  writer.add_uint32("k", 1);
  EXPECT_THAT(refusal([&] { writer.write(folder.file("no/such/t.gguf")); }), HasSubstr("No such file or directory"));
  std::filesystem::create_directories(folder.file("taken"));
  EXPECT_THAT(refusal([&] { writer.write(folder.file("taken")); }), HasSubstr("Is a directory"));
  EXPECT_THAT(folder.names(), ElementsAre("taken"));
}

TEST(Writer, MistakesAreRefused) {
  Writer writer;
  writer.add_uint32("k", 1);
  writer.add_tensor("t", DType::kF32, {1}, counting(4));
  EXPECT_THAT(refusal([&] { writer.add_bool("k", true); }), HasSubstr("key k is there twice"));
  EXPECT_THAT(refusal([&] { writer.add_tensor("t", DType::kF32, {1}, counting(4)); }), HasSubstr("there twice"));
  EXPECT_THAT(refusal([&] {
                writer.add_tensor("u", DType::kQ4_K, {2, 192}, counting(4));
              }),
              HasSubstr("2 x 192 as Q4_K"));
  EXPECT_THAT(refusal([&] { writer.add_tensor("v", DType::kF32, {}, counting(4)); }), HasSubstr("1 to 4"));
  EXPECT_THAT(refusal([&] { writer.add_tensor("w", DType::kF32, {2}, counting(4)); }),
              HasSubstr("4 bytes, expected 8"));
  EXPECT_THAT(refusal([] { Writer bad(24); }), HasSubstr("alignment 24"));
}

}  // namespace
}  // namespace glint::gguf
