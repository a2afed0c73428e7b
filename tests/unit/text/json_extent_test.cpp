// SPDX-License-Identifier: Apache-2.0
#include "text/json_extent.h"

#include <gmock/gmock.h>

namespace glint {
namespace {

using Status = JsonExtent::Status;

TEST(JsonExtent, EndsWithTheLastBracketWhereverTheTextIsCut) {
  const std::string value = R"({"a": "}\"]\\", "b": [1, {"c": null}], "d": true})";
  for (const std::string& rest : {std::string(), std::string("} more")}) {
    const std::string text = value + rest;
    JsonExtent extent;
    for (size_t n = 0; n < value.size(); ++n) ASSERT_EQ(extent.read(text.substr(0, n)), Status::kMore) << n;
    EXPECT_EQ(extent.read(text), Status::kDone);
    EXPECT_EQ(extent.size(), value.size());
  }
}

TEST(JsonExtent, IsBrokenByWhatCannotBeJson) {
  for (const char* text : {"{]", "[}", "{<", "{x", "x", "{\"a\" = 1", "[(", "5"}) {
    JsonExtent extent;
    EXPECT_EQ(extent.read(text), Status::kBroken) << text;
  }
  JsonExtent deep;
  EXPECT_EQ(deep.read(std::string(kMaxJsonNesting + 1, '[')), Status::kBroken);
}

TEST(JsonExtent, MembersKeepWhatWasWritten) {
  const auto members = json_members(R"( {"n" : 12345678901234567890123 ,"t":"aé", "o": { "x" : [ ] }, "":-1.50e1} )");
  EXPECT_FALSE(members);  // it begins with a blank
  const auto found = json_members(R"({"n" : 12345678901234567890123 ,"té":"a\"", "o": { "x" : [ ] }, "":-1.50e1})");
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 4u);
  EXPECT_EQ((*found)[0].value, "12345678901234567890123");
  EXPECT_EQ((*found)[1].key, "té");
  EXPECT_EQ((*found)[1].value, R"("a\"")");
  EXPECT_EQ((*found)[2].value, R"({ "x" : [ ] })");
  EXPECT_EQ((*found)[3].key, "");
  EXPECT_EQ((*found)[3].value, "-1.50e1");
  EXPECT_TRUE(json_members("{}")->empty());
  for (const char* text : {"", "[]", "{\"a\":1,}", "{\"a\":1} x", "{\"a\":\"\xff\"}", "{'a':1}"}) EXPECT_FALSE(json_members(text)) << text;
}

TEST(JsonExtent, Items) {
  const auto items = json_items(R"([1, {"a": [2]} ,"x,]"])");
  ASSERT_TRUE(items);
  EXPECT_THAT(*items, testing::ElementsAre("1", R"({"a": [2]})", R"("x,]")"));
  EXPECT_TRUE(json_items("[ ]")->empty());
  EXPECT_FALSE(json_items("{}"));
}

TEST(JsonExtent, Strings) {
  EXPECT_EQ(json_string(R"("a\u00e9\n")"), "a\xC3\xA9\n");
  EXPECT_FALSE(json_string("5"));
  EXPECT_FALSE(json_string("\"a"));
  EXPECT_EQ(json_quoted("a\"\n"), R"("a\"\n")");
  EXPECT_EQ(json_quoted("\xff"), "\"\xEF\xBF\xBD\"");
  EXPECT_TRUE(is_json(" 1.5 "));
  EXPECT_FALSE(is_json("1.5x"));
  EXPECT_FALSE(is_json(""));
  EXPECT_FALSE(is_json(std::string_view("null\0", 5)));
  EXPECT_FALSE(is_json(std::string_view("[1]\0", 4)));
  EXPECT_FALSE(is_json(std::string(100000, '[')));
}

}  // namespace
}  // namespace glint
