// SPDX-License-Identifier: Apache-2.0
//
// Typed access to metadata: what each getter takes, and what its refusals say.
#include "gguf/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"

namespace glint::gguf {
namespace {

using testing::ElementsAre;

Metadata sample() {
  Metadata metadata("m.gguf");
  metadata.add("count", {ValueType::kUint32, uint64_t{47}});
  metadata.add("negative", {ValueType::kInt32, int64_t{-1}});
  metadata.add("huge", {ValueType::kUint64, ~uint64_t{0}});
  metadata.add("eps", {ValueType::kFloat32, 1e-5});
  metadata.add("flag", {ValueType::kBool, true});
  metadata.add("name", {ValueType::kString, std::string_view("glm")});
  metadata.add("words", {ValueType::kArray, Array{ValueType::kString, std::vector<std::string_view>{"a", "b"}}});
  metadata.add("sizes", {ValueType::kArray, Array{ValueType::kUint64, std::vector<uint64_t>{1, ~uint64_t{0}}}});
  return metadata;
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

TEST(Metadata, GettersReadTheirKinds) {
  const Metadata metadata = sample();
  EXPECT_EQ(metadata.integer("count"), 47);
  EXPECT_EQ(metadata.integer("negative"), -1);
  EXPECT_EQ(metadata.number("eps"), 1e-5);
  EXPECT_EQ(metadata.number("count"), 47.0);
  EXPECT_EQ(metadata.number("negative"), -1.0);
  EXPECT_EQ(metadata.number("huge"), 0x1p64);
  EXPECT_TRUE(metadata.boolean("flag"));
  EXPECT_EQ(metadata.string("name"), "glm");
  EXPECT_THAT(metadata.strings("words"), ElementsAre("a", "b"));
  EXPECT_THAT(metadata.numbers("sizes"), ElementsAre(1.0, 0x1p64));
}

TEST(Metadata, RefusalsNameFileKeyExpectedAndFound) {
  const Metadata metadata = sample();
  EXPECT_EQ(refusal([&] { metadata.integer("absent"); }), "m.gguf: key absent is missing (expected an integer)");
  EXPECT_EQ(refusal([&] { metadata.integer("eps"); }), "m.gguf: key eps is f32, expected an integer");
  EXPECT_EQ(refusal([&] { metadata.integer("words"); }), "m.gguf: key words is array of 2 string, expected an integer");
  EXPECT_EQ(refusal([&] { metadata.integer("huge"); }),
            "m.gguf: key huge is 18446744073709551615, expected at most 9223372036854775807");
  EXPECT_EQ(refusal([&] { metadata.number("name"); }), "m.gguf: key name is string, expected a number");
  EXPECT_EQ(refusal([&] { metadata.boolean("count"); }), "m.gguf: key count is u32, expected a bool");
  EXPECT_EQ(refusal([&] { metadata.string("flag"); }), "m.gguf: key flag is bool, expected a string");
  EXPECT_EQ(refusal([&] { metadata.strings("name"); }), "m.gguf: key name is string, expected an array of strings");
  EXPECT_EQ(refusal([&] { metadata.integers("words"); }),
            "m.gguf: key words is array of 2 string, expected an array of integers");
  EXPECT_EQ(refusal([&] { metadata.integers("sizes"); }),
            "m.gguf: key sizes: element 1 is 18446744073709551615, expected at most 9223372036854775807");
  EXPECT_EQ(refusal([&] { metadata.booleans("sizes"); }),
            "m.gguf: key sizes is array of 2 u64, expected an array of bools");
  EXPECT_EQ(refusal([&] { metadata.numbers("count"); }), "m.gguf: key count is u32, expected an array of numbers");
}

TEST(Metadata, DefaultsAreForAbsentKeysOnly) {
  const Metadata metadata = sample();
  EXPECT_EQ(metadata.integer_or("absent", 5), 5);
  EXPECT_EQ(metadata.integer_or("count", 5), 47);
  EXPECT_EQ(metadata.number_or("absent", 0.5), 0.5);
  EXPECT_EQ(metadata.number_or("eps", 0.5), 1e-5);
  EXPECT_TRUE(metadata.boolean_or("absent", true));
  EXPECT_EQ(metadata.string_or("absent", "x"), "x");
  EXPECT_THROW(metadata.integer_or("name", 5), Error);
  EXPECT_THROW(metadata.number_or("name", 5), Error);
  EXPECT_THROW(metadata.boolean_or("name", true), Error);
  EXPECT_THROW(metadata.string_or("count", "x"), Error);
}

TEST(Metadata, AddRefusesSetReplaces) {
  Metadata metadata = sample();
  EXPECT_THROW(metadata.add("count", {ValueType::kUint32, uint64_t{1}}), Error);
  EXPECT_EQ(metadata.integer("count"), 47);
  metadata.set("count", {ValueType::kString, std::string_view("x")});
  EXPECT_EQ(metadata.string("count"), "x");
  EXPECT_EQ(metadata.entries().size(), 8u);
  EXPECT_TRUE(metadata.entries()[0].overridden);
  EXPECT_FALSE(metadata.entries()[1].overridden);
}

TEST(Metadata, SetKeepsItsOwnCopiesEvenInCopiesOfTheMetadata) {
  Metadata copy;
  {
    Metadata metadata = sample();
    std::string key = "a key that is too long for small strings";
    std::string text = "a value that is too long for small strings";
    metadata.set(key, {ValueType::kString, std::string_view(text)});
    metadata.set("list", {ValueType::kArray, Array{ValueType::kString, std::vector<std::string_view>{text}}});
    key.assign(key.size(), '?');
    text.assign(text.size(), '?');
    copy = metadata;
  }
  EXPECT_EQ(copy.string("a key that is too long for small strings"), "a value that is too long for small strings");
  EXPECT_THAT(copy.strings("list"), ElementsAre("a value that is too long for small strings"));
}

TEST(Metadata, ValueTypeNames) {
  EXPECT_EQ(value_type_name(ValueType::kUint8), "u8");
  EXPECT_EQ(value_type_name(ValueType::kFloat64), "f64");
  EXPECT_THROW(value_type_name(static_cast<ValueType>(13)), InternalError);
}

}  // namespace
}  // namespace glint::gguf
