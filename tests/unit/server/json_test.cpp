// SPDX-License-Identifier: Apache-2.0
//
// Bodies that are hostile, and typed reading of their members.
#include "server/json.h"

#include <gtest/gtest.h>

#include "server/api_error.h"
#include "server/fields.h"

namespace glint::server {
namespace {

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, limits);
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), 400);
    return error.what();
  }
  return "taken";
}

TEST(Json, KeepsTheOrderOfMembers) {
  EXPECT_EQ(to_text(parse_json(R"({"b":1,"a":[true,null,"x",-1,2.5,{}],"c":{"z":0,"y":0}})")),
            R"({"b":1,"a":[true,null,"x",-1,2.5,{}],"c":{"z":0,"y":0}})");
}

TEST(Json, RefusesWhatIsNoJsonInUtf8) {
  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "nul", "{\"a\":1} x", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\\ud800\"",
                           "NaN", "\"\xe2\x80\""}) {
    EXPECT_NE(refusal(text), "taken") << text;
  }
}

TEST(Json, RefusesNamesThatComeTwice) {
  EXPECT_NE(refusal(R"({"a":1,"b":2,"a":3})").find("twice"), std::string::npos);
  EXPECT_EQ(refusal(R"([{"a":1},{"a":1}])"), "taken");
}

TEST(Json, BoundsNestingAndValues) {
  const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');
  EXPECT_NE(refusal(deep).find("nested"), std::string::npos);
  EXPECT_EQ(refusal(std::string(128, '[') + std::string(128, ']')), "taken");
  EXPECT_NE(refusal("[1,2,3,4]", {.nesting = 8, .values = 4}).find("more than 4"), std::string::npos);
}

TEST(Json, ManyMembersTakeLinearTime) {
  // A look through all earlier members for each would be 2 * 10^10 comparisons here.
  std::string text = "{\"n\":0";
  for (int i = 0; i < 200'000; ++i) text += ",\"" + std::to_string(i) + "\":0";
  EXPECT_EQ(parse_json(text + "}").size(), 200'001u);
}

TEST(Fields, ReadTypesAndNameWhatIsWrong) {
  const Json body = Json::parse(R"({"i":5,"f":5.0,"half":5.5,"s":"5","no":null,"big":18446744073709551615,"huge":1e308,
                                    "list":["a","b"],"mixed":["a",1],"b":true})");
  const Fields fields(body, "in.");
  EXPECT_EQ(fields.count("i", 0), 5);
  EXPECT_EQ(fields.count("f", 0), 5);
  EXPECT_EQ(fields.count("no", 0), std::nullopt);
  EXPECT_EQ(fields.count("absent", 0), std::nullopt);
  EXPECT_EQ(fields.number("half"), 5.5f);
  EXPECT_EQ(fields.boolean("b"), true);
  EXPECT_EQ(fields.strings("s"), std::vector<std::string>{"5"});
  EXPECT_EQ(fields.strings("list"), (std::vector<std::string>{"a", "b"}));
  for (const char* name : {"half", "s", "big", "huge", "list", "b"}) {
    try {
      fields.count(name, 0);
      ADD_FAILURE() << name;
    } catch (const ApiError& error) {
      EXPECT_EQ(std::string(error.what()).rfind(std::string("in.") + name, 0), 0u) << error.what();
    }
  }
  EXPECT_THROW(fields.number("huge"), ApiError);
  EXPECT_THROW(fields.strings("mixed"), ApiError);
  EXPECT_THROW(fields.count("i", 6), ApiError);
  EXPECT_THROW(fields.required_string("absent"), ApiError);
  EXPECT_THROW(Fields(Json::array(), "list."), ApiError);
}

}  // namespace
}  // namespace glint::server
