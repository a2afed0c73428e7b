// SPDX-License-Identifier: Apache-2.0
#include "grammar/tagged_arguments.h"

#include <gmock/gmock.h>

#include "base/check.h"
#include "grammar/machine.h"

namespace glint::grammar {
namespace {

using Json = nlohmann::ordered_json;

const ArgumentTags kTags = {"<k>", "</k>", "<v>", "</v>", true};

std::shared_ptr<const Grammar> grammar_of(const std::string& schema, bool strict = true) {
  Builder builder;
  JsonSchemaOptions options;
  options.strict = strict;
  std::vector<std::string> warnings;
  const Json parsed = Json::parse(schema);
  const Builder::Expr body = add_tagged_arguments(builder, parsed, kTags, options, warnings);
  const int32_t root = builder.declare("arguments");
  builder.define(root, body);
  return std::make_shared<const Grammar>(builder.finish(root));
}

TEST(TaggedArguments, StringsStandBareAndTheRestIsJson) {
  const auto grammar = grammar_of(R"({"type":"object","properties":{"s":{"type":"string"},"n":{"type":"integer"},
    "o":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}},"required":["s"]})");
  EXPECT_TRUE(matches(grammar, "<k>s</k><v>a <b> \"c\" </w>\n</v>"));
  EXPECT_TRUE(matches(grammar, "<k>s</k>\n<v></v>\n<k>n</k><v>5</v><k>o</k><v>{\"x\": \"y\"}</v>\n"));
  EXPECT_FALSE(matches(grammar, "<k>n</k><v>5</v>"));                     // s is required
  EXPECT_FALSE(matches(grammar, "<k>n</k><v>5</v><k>s</k><v>a</v>"));     // not in this order
  EXPECT_FALSE(matches(grammar, "<k>s</k><v>a</v>b</v>"));                // the tag ends the value
  EXPECT_FALSE(matches(grammar, "<k>s</k><v>a</v><k>n</k><v>\"5\"</v>"));
  EXPECT_FALSE(matches(grammar, "<k>s</k><v>a</v><k>q</k><v>1</v>"));
}

TEST(TaggedArguments, BareStringsKeepTheirBounds) {
  const auto lengths = grammar_of(R"({"properties":{"s":{"type":"string","minLength":2,"maxLength":3}},"required":["s"]})");
  EXPECT_TRUE(matches(lengths, "<k>s</k><v>é\"</v>"));
  EXPECT_FALSE(matches(lengths, "<k>s</k><v>a</v>"));
  EXPECT_FALSE(matches(lengths, "<k>s</k><v>abcd</v>"));
  const auto pattern = grammar_of(R"({"properties":{"s":{"type":"string","pattern":"^x.*$"}},"required":["s"]})");
  EXPECT_TRUE(matches(pattern, "<k>s</k><v>x<v></v>"));
  EXPECT_FALSE(matches(pattern, "<k>s</k><v>y</v>"));
  EXPECT_FALSE(matches(pattern, "<k>s</k><v>x</v>x</v>"));
  const auto listed = grammar_of(R"({"properties":{"s":{"enum":["a b",1,null,"</v>"]}},"required":["s"]})");
  for (const char* text : {"a b", "1", "null"}) EXPECT_TRUE(matches(listed, "<k>s</k><v>" + std::string(text) + "</v>")) << text;
  for (const char* text : {"\"a b\"", "</v>", "2"}) EXPECT_FALSE(matches(listed, "<k>s</k><v>" + std::string(text) + "</v>")) << text;
  const auto either = grammar_of(R"({"properties":{"s":{"type":["string","number"],"maxLength":3}},"required":["s"]})");
  EXPECT_TRUE(matches(either, "<k>s</k><v>abc</v>"));
  EXPECT_TRUE(matches(either, "<k>s</k><v>12345</v>"));
  EXPECT_FALSE(matches(either, "<k>s</k><v>abcd</v>"));
}

TEST(TaggedArguments, ReferencesAndOpenObjects) {
  const auto tree = grammar_of(R"({"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{"kids":{"type":"array",
    "items":{"$ref":"#/$defs/t"}}},"required":["kids"]}}})");
  EXPECT_TRUE(matches(tree, "<k>kids</k><v>[{\"kids\": []}]</v>"));
  const auto open = grammar_of(R"({"type":"object"})");
  EXPECT_TRUE(matches(open, ""));
  EXPECT_TRUE(matches(open, "<k>any</k><v>1</v><k>more</k><v>text</v>"));
  EXPECT_FALSE(matches(open, "<k></k><v>1</v>"));
  const auto closed = grammar_of(R"({"type":"object","properties":{},"additionalProperties":false})");
  EXPECT_TRUE(matches(closed, ""));
  EXPECT_FALSE(matches(closed, "<k>any</k><v>1</v>"));
}

TEST(TaggedArguments, RefusesWhatItCannotKeep) {
  EXPECT_THROW(grammar_of(R"({"type":"string"})"), Error);
  EXPECT_THROW(grammar_of(R"({"type":"object","maxProperties":1})"), Error);
  EXPECT_THROW(grammar_of(R"({"type":"object","patternProperties":{"^a":{"type":"string"}}})"), Error);
  EXPECT_NO_THROW(grammar_of(R"({"type":"object","maxProperties":1})", false));
}

}  // namespace
}  // namespace glint::grammar
