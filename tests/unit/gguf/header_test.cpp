// SPDX-License-Identifier: Apache-2.0
//
// The reader on right and hostile headers: every number a file can lie about. B01 and the like are entries of the list
// of public fault reports that a test covers.
#include "gguf/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "gguf/file.h"
#include "gguf/writer.h"
#include "tests/unit/gguf/allocation_watch.h"
#include "tests/unit/gguf/raw_file.h"

namespace glint::gguf {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr uint32_t kF32 = 0;
constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

std::vector<std::byte> text_file(std::string_view text) {
  return Bytes().text(text).get();
}

RawFile one_tensor(const std::vector<uint64_t>& ne, uint32_t type, uint64_t offset, size_t data_bytes) {
  return RawFile().tensor("t", ne, type, offset).data(data_bytes);
}

std::vector<std::byte> first_bytes(const std::vector<std::byte>& bytes, size_t size) {
  return {bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)};
}

// ---- what is no GGUF file, each with its own reason (B09)

TEST(Magic, FilesThatAreNoGgufAreNamed) {
  EXPECT_EQ(refusal(text_file("")), "t.gguf: the file is empty");
  EXPECT_THAT(refusal(text_file("GGUF")), HasSubstr("only 4 bytes"));
  EXPECT_THAT(refusal(text_file("GGU")), HasSubstr("starts with \"GGU\""));
  EXPECT_THAT(refusal(text_file("\n <!DOCTYPE html><html>")), HasSubstr("web page"));
  EXPECT_THAT(refusal(text_file("version https://git-lfs.github.com/spec/v1\n")), HasSubstr("git lfs pull"));
  EXPECT_THAT(refusal(text_file("PK\x03\x04")), HasSubstr("PyTorch"));
  EXPECT_THAT(refusal(text_file(std::string_view("\x10\0\0\0\0\0\0\0{\"a\"", 12))), HasSubstr("safetensors"));
  EXPECT_THAT(refusal(text_file("tjgg....")), HasSubstr("before GGUF"));
  EXPECT_THAT(refusal(text_file("\x1b[2Jhello")), AllOf(HasSubstr("\\x1b[2J"), HasSubstr("not a GGUF file")));
}

TEST(Magic, AHeaderWithNothingInItIsRefused) {
  EXPECT_THAT(refusal(RawFile()), HasSubstr("without metadata and without tensors"));
}

TEST(Magic, AVocabularyWithoutTensorsIsAFile) {
  const auto bytes = RawFile().u32("a", 1).bytes();
  const File file = File::parse(bytes, "t.gguf");
  EXPECT_EQ(file.metadata().integer("a"), 1);
  EXPECT_TRUE(file.tensors().empty());
  EXPECT_EQ(file.find("t"), nullptr);
}

TEST(Version, TwoAndThreeAreReadOthersRefused) {
  RawFile raw = one_tensor({8}, kF32, 0, 32);
  for (uint32_t version : {2u, 3u}) {
    raw.version = version;
    const auto bytes = raw.bytes();
    EXPECT_EQ(File::parse(bytes, "t.gguf").version(), version);
  }
  raw.version = 1;
  EXPECT_THAT(refusal(raw), AllOf(HasSubstr("version 1"), HasSubstr("convert it again")));
  for (uint32_t version : {0u, 4u, 0xffffffffu}) {
    raw.version = version;
    EXPECT_THAT(refusal(raw), HasSubstr("expected 2 or 3")) << version;
  }
  for (uint32_t version : {0x02000000u, 0x03000000u}) {
    raw.version = version;
    EXPECT_THAT(refusal(raw), HasSubstr("big-endian")) << version;
  }
}

// ---- metadata

template <class T>
RawFile one_key(ValueType type, T value) {
  return RawFile().key("k", type, Bytes().add(value));
}

TEST(Keys, AllScalarTypes) {
  RawFile raw;
  raw.key("u8", ValueType::kUint8, Bytes().add(uint8_t{255}));
  raw.key("i8", ValueType::kInt8, Bytes().add(int8_t{-128}));
  raw.key("u16", ValueType::kUint16, Bytes().add(uint16_t{65535}));
  raw.key("i16", ValueType::kInt16, Bytes().add(int16_t{-32768}));
  raw.key("u32", ValueType::kUint32, Bytes().add(uint32_t{4294967295u}));
  raw.key("i32", ValueType::kInt32, Bytes().add(int32_t{-5}));
  raw.key("f32", ValueType::kFloat32, Bytes().add(0.25f));
  raw.key("bool", ValueType::kBool, Bytes().add(uint8_t{1}));
  raw.key("string", ValueType::kString, Bytes().string(std::string_view("a\0b", 3)));
  raw.key("u64", ValueType::kUint64, Bytes().add(uint64_t{1} << 62));
  raw.key("i64", ValueType::kInt64, Bytes().add(std::numeric_limits<int64_t>::min()));
  raw.key("f64", ValueType::kFloat64, Bytes().add(-1e300));
  const auto bytes = raw.bytes();
  const File file = File::parse(bytes, "t.gguf");
  const Metadata& metadata = file.metadata();
  EXPECT_EQ(metadata.integer("u8"), 255);
  EXPECT_EQ(metadata.integer("i8"), -128);
  EXPECT_EQ(metadata.integer("u16"), 65535);
  EXPECT_EQ(metadata.integer("i16"), -32768);
  EXPECT_EQ(metadata.integer("u32"), 4294967295);
  EXPECT_EQ(metadata.integer("i32"), -5);
  EXPECT_EQ(metadata.number("f32"), 0.25);
  EXPECT_TRUE(metadata.boolean("bool"));
  EXPECT_EQ(metadata.string("string"), std::string_view("a\0b", 3));
  EXPECT_EQ(metadata.integer("u64"), int64_t{1} << 62);
  EXPECT_EQ(metadata.integer("i64"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(metadata.number("f64"), -1e300);
  EXPECT_EQ(metadata.entries().size(), 12u);
  EXPECT_EQ(metadata.entries()[3].key, "i16");
  EXPECT_EQ(metadata.entries()[3].value.type, ValueType::kInt16);
}

template <class... Values>
Bytes array_of(ValueType type, Values... values) {
  Bytes bytes;
  bytes.add(static_cast<uint32_t>(type)).add(uint64_t{sizeof...(values)});
  (bytes.add(values), ...);
  return bytes;
}

TEST(Keys, AllArrayTypes) {
  RawFile raw;
  raw.key("u8", ValueType::kArray, array_of(ValueType::kUint8, uint8_t{1}, uint8_t{255}));
  raw.key("i8", ValueType::kArray, array_of(ValueType::kInt8, int8_t{-1}));
  raw.key("u16", ValueType::kArray, array_of(ValueType::kUint16, uint16_t{65535}));
  raw.key("i16", ValueType::kArray, array_of(ValueType::kInt16, int16_t{-2}));
  raw.key("u32", ValueType::kArray, array_of(ValueType::kUint32, uint32_t{7}));
  raw.key("i32", ValueType::kArray, array_of(ValueType::kInt32, int32_t{-7}, int32_t{8}));
  raw.key("u64", ValueType::kArray, array_of(ValueType::kUint64, uint64_t{9}));
  raw.key("i64", ValueType::kArray, array_of(ValueType::kInt64, int64_t{-9}));
  raw.key("f32", ValueType::kArray, array_of(ValueType::kFloat32, 0.5f));
  raw.key("f64", ValueType::kArray, array_of(ValueType::kFloat64, 0.25));
  raw.key("bool", ValueType::kArray, array_of(ValueType::kBool, uint8_t{1}, uint8_t{0}));
  raw.key("string", ValueType::kArray, Bytes().add(uint32_t{8}).add(uint64_t{2}).string("").string("xy"));
  raw.key("none", ValueType::kArray, array_of(ValueType::kInt32));
  const auto bytes = raw.bytes();
  const File file = File::parse(bytes, "t.gguf");
  const Metadata& metadata = file.metadata();
  EXPECT_THAT(metadata.integers("u8"), ElementsAre(1, 255));
  EXPECT_THAT(metadata.integers("i8"), ElementsAre(-1));
  EXPECT_THAT(metadata.integers("u16"), ElementsAre(65535));
  EXPECT_THAT(metadata.integers("i16"), ElementsAre(-2));
  EXPECT_THAT(metadata.integers("u32"), ElementsAre(7));
  EXPECT_THAT(metadata.integers("i32"), ElementsAre(-7, 8));
  EXPECT_THAT(metadata.integers("u64"), ElementsAre(9));
  EXPECT_THAT(metadata.integers("i64"), ElementsAre(-9));
  EXPECT_THAT(metadata.numbers("f32"), ElementsAre(0.5));
  EXPECT_THAT(metadata.numbers("f64"), ElementsAre(0.25));
  EXPECT_THAT(metadata.numbers("u8"), ElementsAre(1, 255));
  EXPECT_THAT(metadata.booleans("bool"), ElementsAre(true, false));
  EXPECT_THAT(metadata.strings("string"), ElementsAre("", "xy"));
  EXPECT_TRUE(metadata.integers("none").empty());
}

TEST(Keys, StringsPointIntoTheFile) {
  const auto bytes = RawFile().key("s", ValueType::kString, Bytes().string("hello")).bytes();
  const File file = File::parse(bytes, "t.gguf");
  const auto* begin = reinterpret_cast<const char*>(bytes.data());
  const char* text = file.metadata().string("s").data();
  EXPECT_GE(text, begin);
  EXPECT_LT(text, begin + bytes.size());
}

TEST(Keys, NestedArraysAreRefusedByName) {
  const auto nested = Bytes().add(uint32_t{9}).add(uint64_t{1}).append(array_of(ValueType::kInt32, int32_t{1}));
  EXPECT_THAT(refusal(RawFile().key("outer", ValueType::kArray, nested)),
              AllOf(HasSubstr("(outer)"), HasSubstr("array of arrays")));
}

TEST(Keys, UnknownTypesAndWrongBoolsAreRefused) {
  EXPECT_THAT(refusal(RawFile().key("k", 13u, Bytes().add(uint64_t{0}))), HasSubstr("(k): unknown value type 13"));
  EXPECT_THAT(refusal(RawFile().key("k", 0xffffffffu, Bytes().add(uint64_t{0}))), HasSubstr("unknown value type"));
  const auto wrong = Bytes().add(uint32_t{99}).add(uint64_t{1}).add(uint64_t{0});
  EXPECT_THAT(refusal(RawFile().key("k", ValueType::kArray, wrong)), HasSubstr("unknown array type 99"));
  EXPECT_THAT(refusal(one_key(ValueType::kBool, uint8_t{2})), HasSubstr("a bool of value 2"));
}

TEST(Keys, ADuplicateIsRefused) {  // B12
  EXPECT_THAT(refusal(RawFile().u32("a", 1).u32("b", 2).u32("a", 3)), HasSubstr("key a is there twice"));
}

TEST(Keys, NameLengthLimits) {
  EXPECT_EQ(refusal(RawFile().u32(std::string(65535, 'k'), 1)), "");
  EXPECT_THAT(refusal(RawFile().u32(std::string(65536, 'k'), 1)), HasSubstr("a key of 65536 bytes"));
  EXPECT_THAT(refusal(RawFile().u32("", 1)), HasSubstr("a key of 0 bytes"));
}

// Lengths and counts are compared with the bytes left before anything is allocated (B05).
TEST(Keys, GiantLengthsAreRefusedWithoutAllocating) {
  for (uint64_t length : {uint64_t{1} << 63, uint64_t{1} << 31, uint64_t{200}, kHuge}) {
    const Bytes key = Bytes().text("GGUF").add(uint32_t{3}).add(uint64_t{0}).add(uint64_t{1}).add(length).zeros(40);
    const Bytes value = Bytes().add(length);
    const Bytes in_array = Bytes().add(uint32_t{8}).add(uint64_t{1}).add(length);
    const Bytes numbers = Bytes().add(uint32_t{5}).add(length);
    const Bytes bools = Bytes().add(uint32_t{7}).add(length);
    const Bytes strings = Bytes().add(uint32_t{8}).add(length);
    std::vector<std::vector<std::byte>> files = {key.get()};
    files.push_back(RawFile().key("k", ValueType::kString, value).bytes());
    for (const Bytes& array : {in_array, numbers, bools, strings}) {
      files.push_back(RawFile().key("k", ValueType::kArray, array).bytes());
    }
    for (const auto& bytes : files) {
      reset_largest_allocation();
      const std::string message = refusal(bytes);
      EXPECT_LT(largest_allocation(), 4096u) << message;
      EXPECT_THAT(message, AllOf(HasSubstr("key 1 of 1"), HasSubstr("does not fit in the file's"),
                                 HasSubstr(std::to_string(length))));
    }
  }
}

TEST(Keys, ClaimedCountsAreComparedWithTheBytesLeft) {
  for (uint64_t count : {uint64_t{100}, uint64_t{1} << 40, kHuge}) {
    RawFile keys = RawFile().u32("a", 1);
    keys.n_keys = count;
    RawFile tensors = one_tensor({8}, kF32, 0, 32);
    tensors.n_tensors = count;
    for (const RawFile& raw : {keys, tensors}) {
      const auto bytes = raw.bytes();
      reset_largest_allocation();
      EXPECT_THAT(refusal(bytes), HasSubstr("does not fit")) << count;
      EXPECT_LT(largest_allocation(), 4096u);
    }
  }
}

// ---- alignment (B07)

TEST(Alignment, PowersOfTwoAreFollowed) {
  for (uint32_t alignment : {8u, 16u, 32u, 64u, 4096u, 1u << 20}) {
    Writer writer(alignment);
    writer.add_tensor("first", DType::kF32, {3}, std::vector<std::byte>(12, std::byte{1}));
    writer.add_tensor("second", DType::kF32, {2, 2}, std::vector<std::byte>(16, std::byte{2}));
    const auto bytes = writer.image();
    const File file = File::parse(bytes, "t.gguf");
    EXPECT_EQ(file.alignment(), alignment);
    EXPECT_THAT(file.find("first")->bytes, testing::Each(std::byte{1}));
    EXPECT_THAT(file.find("second")->bytes, testing::Each(std::byte{2}));
    EXPECT_EQ(static_cast<size_t>(file.find("second")->bytes.data() - bytes.data()) % alignment, 0u);
  }
}

TEST(Alignment, OthersAreRefused) {
  for (uint32_t alignment : {0u, 1u, 3u, 4u, 24u, 1u << 21, 1u << 31, 0xffffffffu}) {
    EXPECT_THAT(refusal(one_tensor({8}, kF32, 0, 32).u32("general.alignment", alignment)),
                HasSubstr(fmt::format("general.alignment is {}, expected a power of two", alignment)));
  }
  EXPECT_THAT(refusal(RawFile().key("general.alignment", ValueType::kInt32, Bytes().add(int32_t{-32}))),
              HasSubstr("general.alignment is -32"));
  EXPECT_THAT(refusal(RawFile().key("general.alignment", ValueType::kUint64, Bytes().add(kHuge))),
              HasSubstr("general.alignment"));
  EXPECT_THAT(refusal(RawFile().key("general.alignment", ValueType::kString, Bytes().string("32"))),
              HasSubstr("general.alignment is string, expected an integer"));
}

// ---- tensors

TEST(Tensors, DimensionsAreOutermostFirst) {
  const auto bytes = RawFile().tensor("t", {4, 3, 2, 1}, kF32, 0).data(96).bytes();
  const File file = File::parse(bytes, "t.gguf");
  ASSERT_EQ(file.tensors().size(), 1u);
  EXPECT_EQ(file.tensors()[0].name, "t");
  EXPECT_THAT(file.tensors()[0].dims, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(file.tensors()[0].bytes.size(), 96u);
  EXPECT_EQ(file.tensors()[0].bytes.data() + 96, bytes.data() + bytes.size());
  EXPECT_EQ(file.find("t"), &file.tensors()[0]);
}

TEST(Tensors, AScalarIsOneElement) {
  const auto bytes = one_tensor({}, kF32, 0, 4).bytes();
  EXPECT_THAT(File::parse(bytes, "t.gguf").tensors()[0].dims, ElementsAre(1));
}

TEST(Tensors, TooManyDimensionsAreRefused) {  // B04
  EXPECT_THAT(refusal(one_tensor({1, 1, 1, 1, 1}, kF32, 0, 32)), HasSubstr("(t): 5 dimensions, expected at most 4"));
  for (uint32_t rank : {9u, 255u, 0xffffffffu}) {
    Bytes bytes;
    bytes.text("GGUF").add(uint32_t{3}).add(uint64_t{1}).add(uint64_t{0}).string("t").add(rank).zeros(4096);
    EXPECT_THAT(refusal(bytes.get()), HasSubstr(fmt::format("(t): {} dimensions", rank)));
  }
}

TEST(Tensors, ProductsThatOverflowOrLeaveTheFileAreRefused) {  // B03
  const struct {
    std::vector<uint64_t> ne;
    const char* reason;
  } kCases[] = {
      {{uint64_t{1} << 63, 2, 1, 1}, "size overflow"},
      {{uint64_t{1} << 32, uint64_t{1} << 32}, "size overflow"},
      {{uint64_t{1} << 61, 8}, "size overflow"},
      {{uint64_t{1} << 61}, "size overflow"},
      {{kHuge}, "size overflow"},
      {{uint64_t{1} << 16, uint64_t{1} << 16, uint64_t{1} << 16, uint64_t{1} << 16}, "size overflow"},
      {{0, 5}, "dimension 0 is zero"},
      {{5, 0}, "dimension 1 is zero"},
      {{uint64_t{1} << 40}, "out of file"},
      {{uint64_t{1} << 60}, "out of file"},
      {{2}, "out of file"},
  };
  for (const auto& test : kCases) {
    const auto bytes = one_tensor(test.ne, kF32, 0, 4).bytes();
    reset_largest_allocation();
    EXPECT_THAT(refusal(bytes), AllOf(HasSubstr("t"), HasSubstr(test.reason)))
        << fmt::format("{}", fmt::join(test.ne, "x"));
    EXPECT_LT(largest_allocation(), 4096u);
  }
}

TEST(Tensors, OffsetsAreChecked) {
  EXPECT_THAT(refusal(one_tensor({8}, kF32, 4, 64)), HasSubstr("(t): offset 4 is not a multiple of the alignment 32"));
  EXPECT_THAT(refusal(one_tensor({8}, kF32, 64, 64)), HasSubstr("out of file"));
  EXPECT_THAT(refusal(one_tensor({8}, kF32, kHuge - 31, 64)), HasSubstr("size overflow"));
  EXPECT_THAT(refusal(one_tensor({8}, kF32, (uint64_t{1} << 63) - 32, 64)), HasSubstr("out of file"));
  EXPECT_EQ(refusal(one_tensor({8}, kF32, 32, 64)), "");
}

TEST(Tensors, UnknownAndRemovedTypesAreRefusedByName) {  // B13
  EXPECT_THAT(refusal(one_tensor({32}, 4, 0, 64)), HasSubstr("tensor 1 of 1 (t): type id 4 (Q4_2, removed"));
  EXPECT_THAT(refusal(one_tensor({32}, 5, 0, 64)), HasSubstr("type id 5 (Q4_3, removed"));
  EXPECT_THAT(refusal(one_tensor({32}, 31, 0, 64)), HasSubstr("type id 31 (Q4_0_4_4, removed"));
  EXPECT_THAT(refusal(one_tensor({32}, 255, 0, 64)), HasSubstr("type id 255 is not supported"));
  EXPECT_THAT(refusal(one_tensor({32}, 0xffffffffu, 0, 64)), HasSubstr("type id 4294967295 is not supported"));
  for (uint32_t id = 0; id < 300; ++id) {
    EXPECT_EQ(refusal(one_tensor({256}, id, 0, 2048)).empty(), dtype_from_id(id).has_value()) << id;
  }
}

TEST(Tensors, TheFileTypeKeyIsALabelOnly) {  // B13: "Q4_0" in the metadata, Q4_1 inside
  const auto bytes = one_tensor({32}, 3, 0, 20).u32("general.file_type", 2).bytes();
  EXPECT_EQ(File::parse(bytes, "t.gguf").tensors()[0].dtype, DType::kQ4_1);
}

TEST(Tensors, RowsMustBeWholeBlocks) {
  EXPECT_THAT(refusal(one_tensor({33, 2}, 8, 0, 128)),
              HasSubstr("(t): rows of 33 elements, expected a multiple of 32 for Q8_0"));
  EXPECT_THAT(refusal(one_tensor({192, 4}, 12, 0, 1024)), HasSubstr("multiple of 256 for Q4_K"));
}

TEST(Tensors, OverlapIsRefusedGapsAreNot) {
  RawFile overlapping;
  overlapping.tensor("a", {16}, kF32, 32).tensor("b", {8}, kF32, 0).tensor("c", {8}, kF32, 64).data(128);
  EXPECT_THAT(refusal(overlapping), HasSubstr("tensors a and c overlap"));
  RawFile gaps;
  gaps.tensor("a", {8}, kF32, 96).tensor("b", {8}, kF32, 0).data(128);
  EXPECT_EQ(refusal(gaps), "");
}

TEST(Tensors, DuplicatesAndBadNamesAreRefused) {  // B12
  RawFile twice;
  twice.tensor("a", {8}, kF32, 0).tensor("b", {8}, kF32, 32).tensor("a", {8}, kF32, 64).data(96);
  EXPECT_THAT(refusal(twice), HasSubstr("tensor a is there twice"));
  EXPECT_THAT(refusal(RawFile().tensor("", {8}, kF32, 0).data(32)), HasSubstr("a name of 0 bytes"));
  EXPECT_THAT(refusal(RawFile().tensor("\x1b[2J", {33}, 8, 0).data(64)), HasSubstr("(\\x1b[2J)"));
}

TEST(Tensors, ManyTensorsAreIndexed) {  // B12: the check for duplicates is not quadratic
  constexpr size_t kCount = 100000;
  RawFile raw;
  for (size_t i = 0; i < kCount; ++i) raw.tensor("blk." + std::to_string(i) + ".x", {8}, kF32, i * 32);
  const auto bytes = raw.data(kCount * 32).bytes();
  const File file = File::parse(bytes, "t.gguf");
  ASSERT_EQ(file.tensors().size(), kCount);
  EXPECT_EQ(file.find("blk.77777.x"), &file.tensors()[77777]);
}

// ---- cut files (B01)

TEST(Cut, EveryCutOfTheDataNamesATensorItsEndAndTheRealSize) {
  Writer writer;
  writer.add_string("general.architecture", "llama");
  for (int i = 0; i < 20; ++i) {
    writer.add_tensor("blk." + std::to_string(i) + ".w", DType::kQ8_0, {64, 64}, std::vector<std::byte>(64 * 68));
  }
  const auto whole = writer.image();
  ASSERT_EQ(refusal(whole), "");
  int in_data = 0;
  for (size_t i = 0; i < 64; ++i) {
    const size_t size = whole.size() * i / 64;
    const std::string message = refusal(first_bytes(whole, size));
    ASSERT_THAT(message, StartsWith("t.gguf: ")) << size;
    if (message.find("out of file") != std::string::npos) {
      EXPECT_THAT(message, AllOf(HasSubstr("tensor blk."), HasSubstr("ends at byte "),
                                 HasSubstr(fmt::format("the file has {} bytes", size)),
                                 HasSubstr(fmt::format("expected {}", whole.size()))));
      ++in_data;
    } else if (size >= 24) {
      EXPECT_THAT(message, HasSubstr(fmt::format("does not fit in the file's {} bytes", size)));
    }
  }
  EXPECT_EQ(in_data, 63);  // the header is shorter than 1/64
}

TEST(Cut, EveryPrefixOfAHeaderIsRefused) {
  RawFile raw;
  raw.u32("a", 1).key("s", ValueType::kString, Bytes().string("text"));
  raw.key("n", ValueType::kArray, array_of(ValueType::kInt16, int16_t{1}, int16_t{2})).tensor("t", {8}, kF32, 0);
  const auto whole = raw.data(32).bytes();
  ASSERT_EQ(refusal(whole), "");
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_NE(refusal(first_bytes(whole, size)), "") << size;
}

}  // namespace
}  // namespace glint::gguf
