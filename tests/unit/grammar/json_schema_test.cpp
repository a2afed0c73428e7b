// SPDX-License-Identifier: Apache-2.0
//
// What schemas become: accepted and refused texts keyword by keyword, messages, and bounds. The official test suite and
// random generation are integration tests.
#include "grammar/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "grammar/machine.h"

namespace glint::grammar {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::ordered_json;

struct Texts {
  std::vector<std::string> valid, invalid;
};

void expect_texts(std::string_view schema, const Texts& texts, const JsonSchemaOptions& options = {}) {
  SCOPED_TRACE(std::string(schema));
  const auto grammar = std::make_shared<const Grammar>(compile_json_schema_text(schema, options).grammar);
  for (const std::string& text : texts.valid) EXPECT_TRUE(matches(grammar, text)) << text;
  for (const std::string& text : texts.invalid) EXPECT_FALSE(matches(grammar, text)) << text;
}

std::string problem(std::string_view schema, const JsonSchemaOptions& options = {}) {
  try {
    compile_json_schema_text(schema, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(JsonSchema, TypesAndWhiteSpace) {
  expect_texts(R"({"type":["object","array"]})",
               {{"{}", "[]", R"({"a": [1, 2,{"b":null}]})", R"([true,"x"])"},
                {"null", "{ }", "[ ]", R"({"a" :1})", R"({"a":  1})", "{\"a\":\n1}", "[1 ,2]", "[1,]", " {}", "{} "}});
  expect_texts(R"({"type":"integer"})", {{"0", "-7", "120"}, {"1.0", "01", "1e3", "-", "+1", std::string(65, '1')}});
  expect_texts(R"({"type":"number"})", {{"0", "-0.5", "1e3", "2.5E-10"}, {".5", "1.", "1e", "NaN", "1e999"}});
  expect_texts(R"({"type":["string","null"]})",
               {{"null", "\"\"", R"("a\"\\\u00e9\ud83d\ude00é")"},
                {"\"\n\"", R"("\ud83d")", R"("\x")", "\"\xFF\"", R"("\u00g0")", "nul"}});
  expect_texts("true", {{"1", "[]", "\"x\""}, {"", "x"}});
}

TEST(JsonSchema, PropertiesComeInTheirOrder) {  // REPORTS E10
  expect_texts(
      R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"a_summary":{"type":"string"}},
                   "required":["a_summary","age","name"]})",
      {{R"({"name":"x","age":1,"a_summary":"y"})"},
       {R"({"age":1,"name":"x","a_summary":"y"})", R"({"name":"x","age":1})",
        R"({"name":"x","age":1,"a_summary":"y","z":1})"}});
  expect_texts(
      R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},"required":["b"]})",
      {{R"({"b":2})", R"({"a":1,"b":2})", R"({"b":2,"c":3})", R"({"a":1, "b":2, "c":3})"},
       {"{}", R"({"a":1})", R"({"a":1"b":2})", R"({"b":2,})", R"({,"b":2})", R"({"b":2,"a":1})", R"({"b":2,"b":2})"}});
}

TEST(JsonSchema, NestedPropertiesComeInTheirOrderToo) {  // REPORTS E10
  const std::string inner = R"({"type":"object","properties":{"z":{"const":1},"a":{"const":2}},"required":["a","z"]})";
  expect_texts(R"({"type":"object","properties":{"y":)" + inner + R"(,"b":{"type":"array","items":)" + inner + R"(}}})",
               {{R"({"y":{"z":1,"a":2},"b":[{"z":1,"a":2}]})"},
                {R"({"y":{"a":2,"z":1}})", R"({"b":[{"a":2,"z":1}]})", R"({"b":[],"y":{"z":1,"a":2}})"}});
}

TEST(JsonSchema, UndeclaredPropertiesNeedPermissionUnlessOpen) {
  const std::string_view schema = R"({"type":"object","properties":{"a":{"type":"integer"}}})";
  expect_texts(schema, {{"{}", R"({"a":1})"}, {R"({"b":1})", R"({"a":1,"b":2})"}});
  expect_texts(schema, {{R"({"a":1,"b":[2]})", R"({"b":1})"}, {R"({"b":1,"a":1})", R"({"a":1,"a":2})"}},
               {.open = true});
  expect_texts(
      R"({"type":"object","properties":{"a":true},"additionalProperties":{"type":"null"},"patternProperties":{"^n":{"type":"number"}}})",
      {{R"({"a":"x","b":null,"n1":2})", R"({"n":5,"x":null})"},
       {R"({"b":1})", R"({"n":null})", R"({"b":null,"a":1})"}});
  expect_texts(
      R"({"type":"object","additionalProperties":{"type":"integer"},"propertyNames":{"pattern":"^[a-z]+$"},"minProperties":1,"maxProperties":2})",
      {{R"({"x":1})", R"({"x":1,"yz":2})"}, {"{}", R"({"X":1})", R"({"x":1,"y":2,"z":3})", R"({"":1})"}});
  expect_texts(
      R"({"type":"object","properties":{"a":true,"b":true,"c":true},"minProperties":2,"maxProperties":2})",
      {{R"({"a":1,"b":2})", R"({"a":1,"c":2})", R"({"b":1,"c":2})"}, {"{}", R"({"a":1})", R"({"a":1,"b":2,"c":3})"}});
  expect_texts(R"({"type":"object","required":["q\"é"],"properties":{"x":true}})",
               {{R"({"q\"é":1})", R"({"x":0,"q\"é":1})"}, {"{}", R"({"x":0})"}});
}

TEST(JsonSchema, Arrays) {
  expect_texts(R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})",
               {{"[1,2]", "[1, 2, 3]"}, {"[]", "[1]", "[1,2,3,4]", "[1,\"a\"]"}});
  expect_texts(R"({"type":"array","prefixItems":[{"const":1},{"const":2}],"items":{"const":3}})",
               {{"[]", "[1]", "[1,2]", "[1,2,3,3]"}, {"[2]", "[1,3]", "[1,2,1]"}});
  expect_texts(R"({"type":"array","prefixItems":[{"const":1},false]})", {{"[]", "[1]"}, {"[1,2]"}});
  expect_texts(R"({"type":"array","prefixItems":[{"const":1}]})", {{"[1]"}, {"[1,2]"}});
  expect_texts(R"({"type":"array","prefixItems":[{"const":1}]})", {{"[1]", "[1,2]"}, {"[2]"}}, {.open = true});
  expect_texts(R"({"type":"array","items":{"enum":["a","b",1,1.0]},"uniqueItems":true,"minItems":1})",
               {{R"(["a"])", R"([1,"b", "a"])", R"(["b",1])"}, {"[]", R"(["a","a"])", "[1,1]", R"(["a","b",1,"a"])"}});
  expect_texts(R"({"type":"array","items":{"type":"boolean"},"uniqueItems":true,"maxItems":1})",
               {{"[]", "[true]"}, {"[true,false]"}});
  expect_texts(R"({"type":"array","items":{"type":"integer"},"contains":{"const":5}})",
               {{"[5]", "[1,5,2]"}, {"[]", "[1,2]"}});
}

TEST(JsonSchema, StringsAndFormats) {
  expect_texts(R"({"type":"string","minLength":2,"maxLength":3})",
               {{"\"ab\"", R"("\n\u00e9\"")", "\"éé\""}, {"\"a\"", "\"abcd\"", R"("\n")"}});
  expect_texts(R"({"type":"string","pattern":"abc"})", {{"\"xxabcyy\"", "\"abc\""}, {"\"ab\""}});
  expect_texts(
      R"({"type":"string","pattern":"^[^a]$"})",
      {{"\"b\"", R"("\"")", R"("\\")", R"("\n")", R"("\u0001")", R"("\u001F")"}, {"\"a\"", "\"\"\"", "\"\n\""}});
  expect_texts(R"({"type":"string","pattern":"^x","minLength":2,"maxLength":3})",
               {{"\"xy\"", "\"xyz\""}, {"\"x\"", "\"xyzz\"", "\"yx\""}});
  expect_texts(R"({"type":"string","format":"date"})",
               {{"\"2024-02-29\"", "\"2000-02-29\"", "\"2023-12-31\""},
                {"\"2023-02-29\"", "\"1900-02-29\"", "\"2023-13-01\"", "\"2023-04-31\"", "\"23-01-01\""}});
  expect_texts(R"({"type":"string","format":"date-time"})",
               {{"\"2024-01-31T23:59:59Z\"", "\"2024-01-31T23:59:59.123+05:30\""},
                {"\"2024-01-31 23:59:59Z\"", "\"2024-01-31T24:00:00Z\"", "\"2024-01-31T23:59:59\""}});
  expect_texts(R"({"type":"string","format":"uuid"})",
               {{"\"123e4567-e89b-12d3-a456-426614174000\""}, {"\"123e4567-e89b-12d3-a456-42661417400\""}});
  expect_texts(R"({"type":"string","format":"email"})",
               {{"\"a.b+c@example.org\""}, {"\"a b@c.d\"", "\"a@\"", "\".a@b\"", "\"a@-b\""}});
  expect_texts(R"({"type":"string","format":"ipv4"})",
               {{"\"255.0.10.1\""}, {"\"256.1.1.1\"", "\"01.1.1.1\"", "\"1.1.1\""}});
  expect_texts(
      R"({"type":"string","format":"ipv6"})",
      {{"\"::1\"", "\"2001:db8::8:800:200c:417a\"", "\"::ffff:1.2.3.4\""}, {"\"1::2::3\"", "\":::\"", "\"12345::\""}});
  expect_texts(
      R"({"type":"string","format":"uri"})",
      {{"\"https://user@example.org:8080/a/b?c=d#e\"", "\"urn:isbn:1\""}, {"\"example.org\"", "\"http://a b\""}});
}

TEST(JsonSchema, LengthsCostNothing) {  // REPORTS E01, E08
  for (const char* length : {"0", "1", "1999", "2000", "2001", "100000", "1000000000", "1e300"}) {
    const std::string schema = std::string(R"({"type":"string","maxLength":)") + length + "}";
    EXPECT_LT(compile_json_schema_text(schema).grammar.states.size(), 200u) << length;
  }
  const std::string two_thousand(2000, 'x');
  expect_texts(R"({"type":"string","maxLength":2000})", {{"\"" + two_thousand + "\""}, {"\"" + two_thousand + "x\""}});
  expect_texts(R"({"type":"string","maxLength":1000000000})", {{"\"" + two_thousand + "x\""}, {}});
  for (const char* length : {"0", "1", "1999", "2000", "2001", "100000", "1000000000"}) {
    const std::string schema = std::string(R"({"type":"array","items":{"type":"number"},"maxItems":)") + length + "}";
    EXPECT_LT(compile_json_schema_text(schema).grammar.states.size(), 200u) << length;
  }
  expect_texts(R"({"type":"array","items":{"type":"null"},"minItems":10,"maxItems":1000})", {{}, {"[null]"}});
}

TEST(JsonSchema, Numbers) {
  expect_texts(R"({"type":"integer","minimum":-5,"exclusiveMaximum":120})",
               {{"-5", "0", "119", "99"}, {"-6", "120", "1.5", "200", "-0"}});
  expect_texts(R"({"type":"number","minimum":0,"maximum":1})",
               {{"0", "0.5", "1", "1.0", "0.999"}, {"-0.1", "1.01", "2", "1e-1"}});
  expect_texts(R"({"type":"integer","multipleOf":7,"minimum":0})", {{"0", "7", "49", "700"}, {"8", "-7", "71"}});
  expect_texts(R"({"type":"number","multipleOf":0.01})", {{"1.25", "3", "-0.1"}, {"1.255"}});
  expect_texts(R"({"type":"integer","format":"int32","minimum":1})", {{"12"}, {"0"}});
}

TEST(JsonSchema, EnumAndConst) {  // REPORTS E08: 5,000 strings
  expect_texts(
      R"({"enum":["a",1,1.50,null,[1,{"b":2}],true]})",
      {{"\"a\"", "1", "1.5", "null", R"([1, {"b": 2}])", R"([1,{"b":2}])", "true"}, {"\"b\"", "1.50", "2", "[]"}});
  expect_texts(R"({"const":"q\"\\\né"})", {{R"("q\"\\\né")"}, {"\"q\""}});
  expect_texts(R"({"enum":["a",1,"bb",2],"type":"string","minLength":2})", {{"\"bb\""}, {"\"a\"", "1"}});
  std::string many = R"({"enum":[)";
  for (int i = 0; i < 5000; ++i)
    many += (i > 0 ? ",\"" : "\"") + std::string("choice number ") + std::to_string(i) + "\"";
  expect_texts(many + "]}",
               {{"\"choice number 4999\"", "\"choice number 0\""}, {"\"choice number 5000\"", "\"choice number \""}});
}

TEST(JsonSchema, ManyOptionalPropertiesStaySmall) {  // REPORTS E08
  Json schema = {{"type", "object"}, {"properties", Json::object()}};
  for (int i = 0; i < 80; ++i) schema["properties"]["property_" + std::to_string(i)] = {{"type", "integer"}};
  const auto grammar = std::make_shared<const Grammar>(compile_json_schema(schema).grammar);
  EXPECT_LT(grammar->states.size(), 30000u);
  EXPECT_TRUE(matches(grammar, R"({"property_3":1,"property_79":2})"));
  EXPECT_FALSE(matches(grammar, R"({"property_79":1,"property_3":2})"));
}

TEST(JsonSchema, ReferencesAndRecursion) {  // REPORTS E05
  std::string tree = "{\"value\":1}", deep;
  for (int i = 0; i < 50; ++i) tree = "{\"value\":1,\"kids\":[" + tree + "]}";
  expect_texts(
      R"({"type":"object","properties":{"value":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#"}}},"required":["value"]})",
      {{tree}, {R"({"value":1,"kids":[{}]})"}});
  expect_texts(
      R"({"properties":{"a":{"anyOf":[{"const":7},{"const":8}]},"b":{"$ref":"#/properties/a/anyOf/0"}},"type":"object"})",
      {{R"({"b":7})"}, {R"({"b":8})"}});
  expect_texts(R"({"$ref":"#/$defs/a~1b%25","$defs":{"a/b%":{"enum":["x"]}}})", {{"\"x\""}, {"\"y\""}});
  expect_texts(
      R"({"$id":"http://example.org/root","$ref":"item","$defs":{"i":{"$id":"/item","type":"array","items":{"$ref":"#num"},"$defs":{"n":{"$anchor":"num","type":"null"}}}}})",
      {{"[null]"}, {"[1]"}});
  EXPECT_THAT(problem(R"({"$ref":"#"})"), HasSubstr("applies itself"));
  EXPECT_THAT(
      problem(
          R"({"properties":{"a":{"$ref":"#/properties/b"},"b":{"anyOf":[{"$ref":"#/properties/a"},{"type":"null"}]}}})"),
      HasSubstr("applies itself"));
  EXPECT_THAT(problem(R"({"items":{"$ref":"http://other.org/x"}})"),
              HasSubstr("schema #/items: \"$ref\": \"http://other.org/x\" is not in this document"));
  EXPECT_THAT(problem(R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})"),
              HasSubstr("no value satisfies"));
}

TEST(JsonSchema, Combinations) {
  expect_texts(R"({"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]})",
               {{"12", "\"a\""}, {"\"ab\"", "null"}});
  expect_texts(
      R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"anyOf":[{"required":["a"]},{"required":["b"]}]})",
      {{R"({"a":1})", R"({"b":1})", R"({"a":1,"b":2})"}, {"{}"}});
  expect_texts(
      R"({"allOf":[{"type":"object","properties":{"a":{"minimum":3}}},{"properties":{"a":{"type":"integer"},"b":{"const":1}},"required":["a"]}]})",
      {{R"({"a":3,"b":1})", R"({"a":30})"}, {R"({"a":2})", R"({"b":1})", R"({"a":3.5})"}});
  expect_texts(
      R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind"]},
                            {"type":"object","properties":{"kind":{"const":"b"},"y":{"type":"integer"}},"required":["kind"]}]})",
      {{R"({"kind":"a","x":1})", R"({"kind":"b"})"}, {R"({"kind":"a","y":1})", R"({"kind":"c"})"}});
  EXPECT_THAT(problem(R"({"oneOf":[{"type":"integer"},{"minimum":3}]})"),
              HasSubstr("schema #/oneOf: oneOf is supported where"));
  expect_texts(R"({"dependentRequired":{"a":["b"]},"type":"object","properties":{"a":true,"b":true}})",
               {{"{}", R"({"b":1})", R"({"a":1,"b":1})"}, {R"({"a":1})"}});
  expect_texts(R"({"not":{"enum":["a","b"]},"type":"string","pattern":"^[abc]$"})",
               {{"\"c\""}, {"\"a\"", "\"b\"", "\"d\""}});
  expect_texts(R"({"not":{"type":["object","array","string"]}})", {{"1", "null"}, {"{}", "\"\""}});
}

TEST(JsonSchema, Conditions) {
  expect_texts(R"({"type":"object","properties":{"kind":{"type":"string"},"a":true,"b":true},
                   "if":{"properties":{"kind":{"const":"x"}},"required":["kind"]},"then":{"required":["a"]},"else":{"required":["b"]}})",
               {{R"({"kind":"x","a":1})", R"({"kind":"y","b":1})", R"({"b":1})", R"({"kind":"x","a":1,"b":2})"},
                {R"({"kind":"x","b":1})", R"({"kind":"y","a":1})", "{}"}});
  expect_texts(
      R"({"type":"object","properties":{"a":true,"b":true},"dependentSchemas":{"a":{"properties":{"b":{"const":1}},"required":["b"]}}})",
      {{"{}", R"({"b":2})", R"({"a":0,"b":1})"}, {R"({"a":0})", R"({"a":0,"b":2})"}});
}

TEST(JsonSchema, UnevaluatedPropertiesAndItems) {
  expect_texts(
      R"({"allOf":[{"type":"object","properties":{"a":true}}],"properties":{"b":true},"unevaluatedProperties":false})",
      {{"{}", R"({"a":1})", R"({"a":1,"b":1})", R"({"b":1})"}, {R"({"c":1})"}}, {.open = true});
  expect_texts(
      R"({"type":"object","anyOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":true},"required":["b"]}],
                   "unevaluatedProperties":{"type":"null"}})",
      {{R"({"a":1})", R"({"b":1})", R"({"b":1,"c":null})", R"({"a":1,"b":null})"},
       {R"({"c":null})", R"({"a":2})", R"({"b":1,"c":1})"}},
      {.open = true});
  expect_texts(R"({"type":"array","prefixItems":[{"const":1}],"unevaluatedItems":{"type":"string"}})",
               {{"[]", "[1]", "[1,\"x\"]"}, {"[1,2]"}}, {.open = true});
  EXPECT_THAT(problem(R"({"allOf":[{"properties":{"a":true},"unevaluatedProperties":false}],"properties":{"b":true}})"),
              HasSubstr("schema #/allOf/0/unevaluatedProperties"));
}

TEST(JsonSchema, RefusesWithAPointerAndAdvice) {
  EXPECT_EQ(problem(R"({"type":"string","minLength":5,"maxLength":3})"),
            "schema #/minLength: minLength 5 is above maxLength 3");
  EXPECT_THAT(problem(R"x({"properties":{"a/b":{"pattern":"(?=x)"}}})x"),
              HasSubstr("schema #/properties/a~1b/pattern: regular expression \"(?=x)\": look-around"));
  EXPECT_THAT(problem(R"({"properties":{"a":{"type":"strin"}}})"),
              HasSubstr("schema #/properties/a/type: unknown type \"strin\""));
  EXPECT_THAT(problem(R"({"type":"string","maxLenght":3})"), HasSubstr("schema #/maxLenght: unknown keyword"));
  EXPECT_THAT(problem(R"({"type":"string","nullable":true})"), HasSubstr("\"null\"]"));
  EXPECT_THAT(problem(R"({"type":"array","uniqueItems":true})"), HasSubstr("schema #/uniqueItems"));
  EXPECT_THAT(problem(R"({"if":{"minLength":3},"then":{"pattern":"a"}})"), HasSubstr("schema #/if"));
  EXPECT_THAT(problem(R"({"minLength":-1})"), HasSubstr("schema #/minLength: expected a whole number"));
  EXPECT_THAT(problem(R"({"properties":[]})"), HasSubstr("schema #/properties: expected an object"));
  EXPECT_THAT(problem(R"({"items":[{}]})"), HasSubstr("prefixItems"));
  EXPECT_THAT(
      problem(
          R"({"type":"object","properties":{"v":{"type":"integer","exclusiveMinimum":1,"exclusiveMaximum":2}},"required":["v"]})"),
      HasSubstr("schema #/properties/v: no value"));
  EXPECT_THAT(problem("false"), HasSubstr("schema #: no value"));
  EXPECT_THAT(problem("3"), HasSubstr("schema #: expected a schema"));
  EXPECT_THAT(problem("{"), HasSubstr("not JSON"));
  EXPECT_EQ(
      problem(
          R"({"title":"t","description":"d","default":1,"examples":[1],"$schema":"s","$comment":"c","x-note":1,"deprecated":true})"),
      "accepted");
}

TEST(JsonSchema, IgnoresWithAWarningWhenNotStrict) {
  const CompiledSchema compiled = compile_json_schema_text(
      R"x({"type":["string","array"],"pattern":"(?=x)","uniqueItems":true,"foo":1})x", {.strict = false});
  EXPECT_THAT(compiled.warnings,
              UnorderedElementsAre(HasSubstr("#/pattern"), HasSubstr("#/uniqueItems"), HasSubstr("#/foo")));
  EXPECT_TRUE(matches(std::make_shared<const Grammar>(compiled.grammar), "\"anything\""));
  EXPECT_THAT(compile_json_schema_text(R"({"type":"string"})").warnings, IsEmpty());
  EXPECT_THAT(problem(R"({"type":"strin"})", {.strict = false}), HasSubstr("unknown type"))
      << "malformed is never ignored";
}

TEST(JsonSchema, ASchemaMayBeLenientByItself) {
  const CompiledSchema compiled = compile_json_schema_text(R"x({"x-strict":false,"type":"string","pattern":"(?=x)"})x");
  EXPECT_THAT(compiled.warnings, UnorderedElementsAre(HasSubstr("#/pattern")));
  EXPECT_THAT(problem(R"x({"x-strict":true,"type":"string","pattern":"(?=x)"})x"), HasSubstr("#/pattern"));
  EXPECT_THAT(problem(R"x({"x-strict":1})x"), HasSubstr("schema #/x-strict: expected true or false"));
  EXPECT_THAT(problem(R"x({"type":"string","x-strict":true})x", {.strict = false}), "accepted") << "who asks may be lenient too";
  const std::string inner = R"x({"properties":{"a":{"x-strict":false,"pattern":"(?=x)"}}})x";
  EXPECT_THAT(problem(inner.c_str()), HasSubstr("#/properties/a/pattern")) << "only the root speaks for the whole";
}

TEST(JsonSchema, HostileSchemasAreBounded) {
  std::string nested, closing;
  for (int i = 0; i < 10000; ++i) nested += R"({"items":)", closing += "}";
  EXPECT_THAT(problem(nested + "true" + closing), HasSubstr("nested more than"));
  Json product = {{"allOf", Json::array()}};
  for (int i = 0; i < 30; ++i) {
    Json any = Json::array();
    for (int j = 0; j < 10; ++j) any.push_back({{"required", {"k" + std::to_string(i) + "_" + std::to_string(j)}}});
    product["allOf"].push_back({{"anyOf", any}});
  }
  EXPECT_THAT(problem(product.dump()), HasSubstr("combinations"));
  std::string doubling = R"({"$defs":{"d0":{"type":"null"})";
  for (int i = 1; i < 40; ++i) {
    doubling +=
        fmt::format(R"(,"d{}":{{"type":"array","prefixItems":[{{"$ref":"#/$defs/d{}"}},{{"$ref":"#/$defs/d{}"}}]}})", i,
                    i - 1, i - 1);
  }
  EXPECT_EQ(problem(doubling + R"(},"$ref":"#/$defs/d39"})"), "accepted");
  EXPECT_THAT(problem(R"({"type":"string","pattern":"^(a|b)*a(a|b){40}$"})"), HasSubstr("schema #/pattern"));
  EXPECT_THAT(problem(R"({"type":"string","pattern":"(((a{1000}){1000}){1000}){1000}"})"),
              HasSubstr("schema #/pattern"));
  EXPECT_THAT(problem(R"({"type":"string","pattern":"a","maxLength":1000000000})"), HasSubstr("needs more than"));
}

}  // namespace
}  // namespace glint::grammar
