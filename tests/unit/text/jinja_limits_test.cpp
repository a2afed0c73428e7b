// SPDX-License-Identifier: Apache-2.0
//
// Hostile templates: each ends in an error that says so, and none of them crashes, hangs or fills the memory. Nothing
// is timed here; a bound that failed to hold would run into the test's time limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/text/jinja_render.h"

namespace glint::jinja {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

std::string repeated(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(JinjaLimits, ExpensiveTemplatesStop) {
  const char* const kTemplates[] = {
      "{% for i in range(1000000000) %}{% endfor %}",
      "{{ range(1000000000) | list }}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{{ 'x' * 10000000000 }}",
      "{{ [0] * 10000000000 }}",
      "{{ ('x' * 100000000) * 100000000 }}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m(x) %}{% call m(x) %}{{ caller() }}{% endcall %}{% endmacro %}{{ m(1) }}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(100000) %}{% set ns.s = [ns.s] %}{% endfor %}",
      "{% set ns = namespace(s={}) %}{% for i in range(100000) %}{% set ns.s = {'a': ns.s} %}{% endfor %}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(100000) %}{% set ns.s = ns.s|map('string') %}{% endfor %}{{ "
      "ns.s|list }}",
      "{% set ns = namespace(s='a') %}{% for i in range(100000) %}{% set ns.s = [ns.s].count %}{% endfor %}",
      "{% set ns = namespace() %}{% set ns.n = ns %}{{ [ns] }}",
      "{{ 'x'.center(10000000000) }}",
      "{{ 'x'.ljust(10000000000) }}",
      "{{ 'x'.zfill(10000000000) }}",
      "{{ 'x' | indent(1000000000000) | indent(100000, true) | length }}{{ ('a\n' * 100000) | indent(100000) }}",
      "{{ '%1000000000d' % 1 }}",
      "{{ '%.1000000000f' % 1 }}",
      "{{ '%*d' % (1000000000, 1) }}",
      "{{ '{:1000000000}'.format(1) }}",
      "{{ '{:.1000000000f}'.format(1.5) }}",
      "{{ '{:{}}'.format(1, 1000000000) }}",
      "{% for i in range(100000) %}{{ 'x' * 10000 }}{% endfor %}",
      "{% set s = 'x' * 10000000 %}{% for i in range(100000) %}{% if s == s ~ '' %}{% endif %}{% endfor %}",
      "{% set s = 'x' * 10000000 %}{% for i in range(100000) %}{% if 'y' in s %}{% endif %}{% endfor %}",
      "{% set s = 'a' * 5000000 %}{% set t = 'a' * 1000000 ~ 'b' %}{% for i in range(1000) %}{{ s.rfind(t) }}{% endfor "
      "%}",
      "{% set s = 'é' * 1000000 %}{% for i in range(100000) %}{{ s[999999] }}{% endfor %}",
      "{% set x = range(100000) | list %}{% for i in range(100000) %}{% set y = x | sort %}{% endfor %}",
      "{% set x = range(100000) | list %}{% for i in range(100000) %}{{ 100001 in x }}{% endfor %}",
      "{% set x = range(100000) | list %}{% for i in range(100000) %}{{ x | string | length }}{% endfor %}",
      "{% set x = range(100000) | list %}{% for i in range(100000) %}{{ x | tojson | length }}{% endfor %}",
      "{% for i in range(100000) %}{{ range(100000) | list | unique | list | length }}{% endfor %}",
      "{{ ('x' * 1000000) | list | map('list') | map('list') | list | batch(1) | list | tojson | length }}{% for i in "
      "range(100000) %}{{ 'x' * 1000000 }}{% endfor %}",
      "{% set ns = namespace(m=none) %}{% macro mk(p) %}{% macro f() %}{{ p }}{% endmacro %}{% set ns.m = f %}{% "
      "endmacro %}{% for i in range(100000) %}{{ mk(ns.m) }}{% for j in range(1000) %}{% endfor %}{% endfor %}",
      "{{ ('0' * 30000000) | int }}{{ 'x' * 300000000 }}",
      "{{ ('x ' * 20000000).split() | length }}",
      "{{ ('x' * 20000000) | list | length }}",
      "{{ ('x' * 10000000) | replace('', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy') | length }}",
      "{{ ('x' * 1000000) | replace('x', 'y' * 1000) | length }}",
  };
  for (const char* source : kTemplates) {
    EXPECT_THAT(error_of(source), HasSubstr("template too expensive")) << source;
  }
}

TEST(JinjaLimits, DeepTextIsRefusedWhenParsed) {
  const std::string kDeep[] = {
      "{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}",
      "{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}",
      "{{ " + repeated("-", 100000) + "1 }}",
      "{{ " + repeated("not ", 100000) + "1 }}",
      "{{ 1" + repeated("+1", 100000) + " }}",
      "{{ x" + repeated(".y", 100000) + " }}",
      "{{ x" + repeated("[0]", 100000) + " }}",
      "{{ x" + repeated("()", 100000) + " }}",
      "{{ x" + repeated("|string", 100000) + " }}",
      "{{ x" + repeated(" is string", 1) + repeated(" and x", 100000) + " }}",
      "{{ 1" + repeated(" if 1 else 1", 100000) + " }}",
      "{{ 1" + repeated(" if 1", 100000) + " }}",
      repeated("{% if 1 %}", 100000) + repeated("{% endif %}", 100000),
      repeated("{% for x in y %}", 1000) + repeated("{% endfor %}", 1000),
      "{% for " + repeated("(", 1000) + "x" + repeated(",)", 1000) + " in y %}{% endfor %}",
  };
  for (const std::string& source : kDeep)
    EXPECT_THAT(error_of(source), HasSubstr("nested more than")) << source.substr(0, 40);
  EXPECT_THAT(error_of(std::string(kMaxTemplateBytes + 1, 'x')), HasSubstr("at most"));
}

TEST(JinjaLimits, LongFlatTextIsFine) {
  EXPECT_EQ(render("{{ 1" + repeated(" ~ 1", 10000) + " }}"), repeated("1", 10001));
  EXPECT_EQ(
      render(repeated("{% if no %}a{% elif no %}b", 1) + repeated("{% elif no %}c", 10000) + "{% else %}d{% endif %}"),
      "d");
  EXPECT_EQ(render(repeated("{{ 1 }}", 20000)), repeated("1", 20000));
}

TEST(JinjaLimits, ManyNamesAndBranchesAreResolvedInLinearTime) {
  std::string source;
  for (int i = 0; i < 20000; ++i) source += fmt::format("{{% if v{} %}}{{% set v{} = 1 %}}{{% endif %}}", i, i + 1);
  EXPECT_EQ(render(source), "");
}

TEST(JinjaLimits, DeepInputIsAnError) {
  Json deep = 1;
  for (int i = 0; i < 5000; ++i) deep = Json::array({std::move(deep)});
  EXPECT_THAT(error_of("{{ x }}", {{"x", std::move(deep)}}), HasSubstr("nested more than"));
}

TEST(JinjaLimits, TheCallerSetsTheBounds) {
  RenderOptions options;
  options.limits.max_steps = 1000;
  EXPECT_THAT(error_of("{% for i in range(1000) %}{% endfor %}", Json::object(), options),
              HasSubstr("more than 1000 steps"));
  EXPECT_EQ(error_of("{% for i in range(100) %}{% endfor %}", Json::object(), options), "");
  options.limits = {};
  options.limits.max_output_bytes = 10;
  EXPECT_THAT(error_of("{{ '12345678901' }}", Json::object(), options), HasSubstr("exceeds 10 bytes"));
  options.limits = {};
  options.limits.max_live_bytes = 10000;
  EXPECT_THAT(error_of("{{ 'x' * 10000 }}", Json::object(), options), HasSubstr("more than 10000 bytes"));
  options.limits = {};
  options.limits.max_depth = 20;
  EXPECT_THAT(
      error_of("{{ ((((((((((((1+1)+1)+1)+1)+1)+1)+1)+1)+1)+1)+1)+1)+1+1+1+1+1+1+1+1+1+1 }}", Json::object(), options),
      HasSubstr("nested more than 20"));
}

TEST(JinjaLimits, LongConversationsFit) {
  Json messages = Json::array();
  for (int i = 0; i < 4000; ++i)
    messages.push_back({{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", std::string(2000, 'x')}});
  const std::string source =
      "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 "
      "%}{% endif %}{% endfor %}"
      "{% for m in messages %}<|{{ m.role }}|>{{ (m.content.split('</think>')[-1]).strip() | trim }}{% endfor %}{{ "
      "ns.last }}";
  const std::string prompt = render(source, {{"messages", messages}});
  EXPECT_GT(prompt.size(), 8'000'000u);
}

TEST(JinjaLimits, CyclesAreFreed) {
  // The address sanitizer's job finds the leak if they are not.
  EXPECT_EQ(
      render("{% set ns = namespace() %}{% set ns.me = ns %}{% macro m() %}{{ ns }}{% endmacro %}{% set ns.m = m %}ok"),
      "ok");
  EXPECT_EQ(render("{% macro o() %}{% macro i() %}{% endmacro %}{% set x = i %}{% endmacro %}{{ o() }}ok"), "ok");
  EXPECT_EQ(render("{% for x in [1, 2] if x %}{% if loop.changed(loop) %}{% endif %}{% endfor %}ok"), "ok");
  EXPECT_THAT(error_of("{% for x in [1, 2] if x %}{{ loop.length }}{{ 1/0 }}{% endfor %}"), HasSubstr("division"));
}

}  // namespace
}  // namespace glint::jinja
