// SPDX-License-Identifier: Apache-2.0
//
// KEY=TYPE:VALUE overrides: they win for every key and type, and malformed text says what the right form is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/check.h"
#include "gguf/metadata.h"

namespace glint::gguf {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Metadata sample() {
  Metadata metadata("m.gguf");
  metadata.add("deepseek2.expert_gating_func", {ValueType::kUint32, uint64_t{1}});
  metadata.add("general.name", {ValueType::kString, std::string_view("glm")});
  metadata.add("list", {ValueType::kArray, Array{ValueType::kUint32, std::vector<uint64_t>{1, 2}}});
  return metadata;
}

std::string refusal(std::string_view text) {
  Metadata metadata = sample();
  try {
    metadata.apply_override(text);
  } catch (const Error& error) {
    for (const auto& entry : metadata.entries()) EXPECT_FALSE(entry.overridden) << text;
    return error.what();
  }
  return "";
}

TEST(Override, EachTypeReplacesAndAdds) {
  Metadata metadata = sample();
  metadata.apply_override("deepseek2.expert_gating_func=int:2");
  metadata.apply_override("a=int:-9223372036854775808");
  metadata.apply_override("b=float:1e-6");
  metadata.apply_override("c=bool:true");
  metadata.apply_override("d=bool:false");
  metadata.apply_override("e=str:x=y:z");
  metadata.apply_override("f=str:");
  EXPECT_EQ(metadata.integer("deepseek2.expert_gating_func"), 2);
  EXPECT_EQ(metadata.integer("a"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(metadata.number("b"), 1e-6);
  EXPECT_TRUE(metadata.boolean("c"));
  EXPECT_FALSE(metadata.boolean("d"));
  EXPECT_EQ(metadata.string("e"), "x=y:z");
  EXPECT_EQ(metadata.string("f"), "");
}

TEST(Override, WinsWhateverTheTypeInTheFile) {
  Metadata metadata = sample();
  metadata.apply_override("general.name=int:3,list=bool:true");
  EXPECT_EQ(metadata.integer("general.name"), 3);
  EXPECT_TRUE(metadata.boolean("list"));
}

TEST(Override, SeveralInOneTextTheLastOfAKeyWins) {
  Metadata metadata = sample();
  metadata.apply_override("a=int:1,b=str:two,a=int:+3");
  EXPECT_EQ(metadata.integer("a"), 3);
  EXPECT_EQ(metadata.string("b"), "two");
}

TEST(Override, QuotedItemsMayHoldCommas) {
  Metadata metadata = sample();
  metadata.apply_override("\"a=str:one, \"\"two\"\"\",b=int:1");
  EXPECT_EQ(metadata.string("a"), "one, \"two\"");
  EXPECT_EQ(metadata.integer("b"), 1);
}

TEST(Override, MalformedTextShowsTheRightFormAndChangesNothing) {
  for (const char* text : {"",
                           "a",
                           "=int:1",
                           "a=1",
                           "a=int",
                           "a=int:",
                           "a=int:x",
                           "a=int:1.5",
                           "a=int:0x10",
                           "a=int:1 ",
                           "a=int:9223372036854775808",
                           "a=int:+-1",
                           "a=float:",
                           "a=float:1.5.2",
                           "a=bool:1",
                           "a=bool:True",
                           "a=long:1",
                           "a=string:x",
                           "a=INT:1",
                           "ok=int:1,",
                           "ok=int:1,a",
                           "\"a=str:x"}) {
    EXPECT_THAT(refusal(text), AllOf(HasSubstr("expected KEY=TYPE:VALUE"), HasSubstr("expert_gating_func=int:2")))
        << text;
  }
  EXPECT_THAT(refusal("a=long:1"), HasSubstr("unknown type \"long\""));
  EXPECT_THAT(refusal("a=int:x\n"), HasSubstr("\"x\\x0a\" is not an integer"));
}

TEST(Override, LayoutKeysAreRefused) {
  EXPECT_THAT(refusal("general.alignment=int:64"), HasSubstr("cannot be overridden"));
  EXPECT_THAT(refusal("ok=int:1,split.count=int:1"), HasSubstr("cannot be overridden"));
}

}  // namespace
}  // namespace glint::gguf
