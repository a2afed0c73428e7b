// SPDX-License-Identifier: Apache-2.0
//
// The language: every stored snippet gives Jinja2's answer, and errors say where and what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/text/jinja_render.h"

namespace glint::jinja {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

TEST(JinjaLanguage, StoredSnippetsGiveJinjasAnswers) {
  std::ifstream file(GLINT_TEST_DATA "/jinja_cases.json");
  const Json stored = Json::parse(file);
  ASSERT_GT(stored["cases"].size(), 1000u);
  int n_errors = 0;
  for (const Json& stored_case : stored["cases"]) {
    const std::string source = stored_case[0];
    Json variables = {{"messages", Json::array()}, {"documents", nullptr}, {"add_generation_prompt", true}};
    variables.update(stored["variables"]);
    std::optional<std::string> found;
    try {
      found = render(source, variables);
    } catch (const Error&) {
      ++n_errors;
    }
    if (stored_case[1].is_null()) {
      EXPECT_FALSE(found) << source << "\ngives " << *found;
    } else {
      ASSERT_TRUE(found) << source << "\n" << error_of(source, variables);
      EXPECT_EQ(*found, stored_case[1].get<std::string>()) << source;
    }
  }
  EXPECT_GT(n_errors, 200);
}

TEST(JinjaLanguage, ErrorsNameTheLineAndTheConstruct) {
  EXPECT_EQ(error_of("a\n{{ missing.x }}"), "chat template: line 2: 'missing' is undefined");
  EXPECT_EQ(error_of("\n\n{{ d.a.b.c }}", {{"d", {{"a", {{"k", 1}}}}}}),
            "chat template: line 3: 'dict object' has no attribute 'b'");
  EXPECT_EQ(error_of("{% if x %}\n{{ raise_exception('No ' ~ x) }}\n{% endif %}", {{"x", "luck"}}),
            "chat template: line 2: No luck");
  EXPECT_THAT(error_of("{% for x in y %}\n{% endif %}"),
              HasSubstr("line 2: unknown or misplaced tag 'endif' inside the 'for' of line 1"));
  EXPECT_THAT(error_of("a\n{% if x %}\nb"), HasSubstr("the 'if' of line 2 is not closed"));
  EXPECT_THAT(error_of("\n{{ 1 + }}"), HasSubstr("line 2: unexpected 'end of print statement'"));
  EXPECT_THAT(error_of("\n\n{{ x | nosuch }}"), HasSubstr("line 3: no filter named 'nosuch'"));
  EXPECT_THAT(error_of("{% include 'other' %}"), HasSubstr("{% include %} is not supported"));
  EXPECT_THAT(error_of("{{ [].append(1) }}"), HasSubstr("access to attribute 'append' of 'list' object is unsafe"));
  EXPECT_THAT(error_of("{{ ''.__class__.__mro__ }}"),
              HasSubstr("access to attribute '__class__' of 'str' object is unsafe"));
  EXPECT_THAT(error_of("{{ 1 + 'a' }}"), HasSubstr("unsupported operand type(s) for +: 'int' and 'str'"));
}

TEST(JinjaLanguage, AnErrorInAMacroNamesItsOwnLine) {
  EXPECT_THAT(error_of("{% macro m() %}\n{{ 1/0 }}\n{% endmacro %}\n\n{{ m() }}"),
              HasSubstr("line 2: division by zero"));
  EXPECT_THAT(error_of("{% macro m() %}\nx\n{% endmacro %}\n\n{{ m() + 1 }}"), HasSubstr("line 5"));
}

TEST(JinjaLanguage, TextThatIsNotUtf8IsRefused) {
  EXPECT_THAT(error_of("ab\xff"), HasSubstr("not valid UTF-8 at byte 2"));
  EXPECT_THAT(error_of("{{ x }}", {{"x", "a\xc0\x80"}}), HasSubstr("not valid UTF-8 at byte 1"));
}

TEST(JinjaLanguage, TheDateIsAnInput) {
  std::tm date{};
  date.tm_year = 126;
  date.tm_mon = 1;
  date.tm_mday = 3;
  date.tm_hour = 4;
  RenderOptions options;
  options.now = date;
  EXPECT_EQ(render("{{ strftime_now('%Y-%m-%d %H:%M') }}", Json::object(), options), "2026-02-03 04:00");
  EXPECT_EQ(render("{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%-d') }}|{{ strftime_now('%B 100%%') }}",
                   Json::object(), options),
            "03 Feb 2026|3|February 100%");
  EXPECT_THAT(error_of("{{ strftime_now('%1000000000d') }}"), HasSubstr("directive '%1' is not supported"));
}

TEST(JinjaLanguage, OneTemplateRendersManyTimes) {
  const Template greeting("{% set n = namespace(c=0) %}{% for x in xs %}{% set n.c = n.c + x %}{% endfor %}{{ n.c }}");
  EXPECT_EQ(join(greeting.render({{"xs", {1, 2}}})), "3");
  EXPECT_EQ(join(greeting.render({{"xs", {5, 6}}})), "11");
}

TEST(JinjaLanguage, IntegersBeyond64BitsAreErrorsNotWrong) {
  EXPECT_THAT(error_of("{{ 9223372036854775807 + 1 }}"), HasSubstr("integer overflow"));
  EXPECT_THAT(error_of("{{ 2 ** 63 }}"), HasSubstr("integer overflow"));
  EXPECT_THAT(error_of("{{ -(-9223372036854775807 - 1) }}"), HasSubstr("integer overflow"));
  EXPECT_EQ(render("{{ -9223372036854775807 - 1 }}"), "-9223372036854775808");
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) % 3 }}|{{ (-9223372036854775807 - 1) // -1 if no else 'x' }}"),
            "1|x");
}

}  // namespace
}  // namespace glint::jinja
