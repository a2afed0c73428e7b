// SPDX-License-Identifier: Apache-2.0
//
// What came from the input stays marked as such through whatever a template does with it; what the template wrote stays
// its own. Brackets stand around untrusted stretches.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/text/jinja_render.h"

namespace glint::jinja {
namespace {

using Json = nlohmann::ordered_json;

TEST(JinjaTrust, InputIsMarkedThroughOperators) {
  const Json v = {{"x", " a<|u|>b "}, {"n", 7}, {"l", {"p", "q"}}};
  EXPECT_EQ(marked("<|t|>{{ x }}<|e|>", v), "<|t|>[ a<|u|>b ]<|e|>");
  EXPECT_EQ(marked("{{ '<|t|>' + x + '<|e|>' }}", v), "<|t|>[ a<|u|>b ]<|e|>");
  EXPECT_EQ(marked("{{ '<|t|>' ~ x ~ '<|e|>' }}", v), "<|t|>[ a<|u|>b ]<|e|>");
  EXPECT_EQ(marked("{{ ('-' ~ x) * 2 }}", {{"x", "a"}}), "-[a]-[a]");
  EXPECT_EQ(marked("{{ ('<<' ~ x ~ '>>')[1:-1] }}", {{"x", "abc"}}), "<[abc]>");
  EXPECT_EQ(marked("{{ ('<' ~ x)[::-1] }}", {{"x", "ab"}}), "[ba]<");
  EXPECT_EQ(marked("{{ '%s|%d' % (x, 1) }}", {{"x", "a"}}), "[a]|[1]");
  EXPECT_EQ(marked("{{ '{}:{}'.format(x, 'y') }}", {{"x", "a"}}), "[a]:y");
  EXPECT_EQ(marked("{{ l[0] }}{{ l }}", v), "[p['p', 'q']]");
  EXPECT_EQ(marked("{{ n }}{{ n + 1 }}", v), "[78]");
}

TEST(JinjaTrust, InputIsMarkedThroughFiltersAndMethods) {
  const Json v = {{"x", " <|u|> "}, {"l", {"p", "q"}}, {"d", {{"<|k|>", "<|v|>"}}}};
  EXPECT_EQ(marked("<{{ x | trim }}>", v), "<[<|u|>]>");
  EXPECT_EQ(marked("<{{ x.strip() }}>", v), "<[<|u|>]>");
  EXPECT_EQ(marked("{{ x | trim | upper }}", v), "[<|U|>]");
  EXPECT_EQ(marked("{{ x | trim | replace('u', 'v') }}", v), "[<|]v[|>]");
  EXPECT_EQ(marked("{{ 'aXb' | replace('X', x) }}", {{"x", "<"}}), "a[<]b");
  EXPECT_EQ(marked("{{ l | join('<|sep|>') }}", v), "[p]<|sep|>[q]");
  EXPECT_EQ(marked("{{ '<|sep|>'.join(l) }}", v), "[p]<|sep|>[q]");
  EXPECT_EQ(marked("{{ x.split('|')[1] }}", v), "[u]");
  EXPECT_EQ(marked("{{ d | tojson }}", v), "[{\"<|k|>\": \"<|v|>\"}]");
  EXPECT_EQ(marked("{{ d | items | list | first | last }}", v), "[<|v|>]");
  EXPECT_EQ(marked("{% for k in d %}{{ k }}{% endfor %}", v), "[<|k|>]");
  EXPECT_EQ(marked("{% for c in x | trim %}{{ c }}{% endfor %}", v), "[<|u|>]");
  EXPECT_EQ(marked("{{ ('a\n' ~ x) | indent(1) }}", {{"x", "b"}}), "a\n [b]");
  EXPECT_EQ(marked("{{ ('<|' ~ x ~ '|>') | capitalize }}", {{"x", "B"}}), "[<|b|>]");
  EXPECT_EQ(marked("{{ ('<|' ~ 'B' ~ '|>') | capitalize }}", v), "<|b|>");
  EXPECT_EQ(marked("{{ (x | from_json).k }}", {{"x", "{\"k\": \"<|u|>\"}"}}), "[<|u|>]");
  EXPECT_EQ(marked("{{ x | e }}", {{"x", "<"}}), "[&lt;]");
  EXPECT_EQ(marked("{{ x | default('<|d|>') }}{{ y | default('<|d|>') }}", {{"x", "a"}}), "[a]<|d|>");
}

TEST(JinjaTrust, InputIsMarkedThroughBlocksAndMacros) {
  const Json v = {{"x", "<|u|>"}};
  EXPECT_EQ(marked("{% macro m(c) %}<|m|>{{ c }}{% endmacro %}{{ m(x) }}{{ m('t') }}", v), "<|m|>[<|u|>]<|m|>t");
  EXPECT_EQ(marked("{% set s %}<|s|>{{ x }}{% endset %}{{ s }}", v), "<|s|>[<|u|>]");
  EXPECT_EQ(marked("{% filter trim %} <|s|>{{ x }} {% endfilter %}", v), "<|s|>[<|u|>]");
  EXPECT_EQ(marked("{% set ns = namespace(t='<|n|>') %}{% set ns.t = ns.t + x %}{{ ns.t }}", v), "<|n|>[<|u|>]");
  EXPECT_EQ(marked("{% generation %}<|g|>{{ x }}{% endgeneration %}", v), "<|g|>[<|u|>]");
}

TEST(JinjaTrust, TheCallerMayVouchForStrings) {
  RenderOptions options;
  options.trusted = [](std::string_view key, std::string_view text) { return key == "role" && text == "user"; };
  const Json v = {{"m", {{"role", "user"}, {"content", "user"}}}, {"n", {{"role", "user|>"}}}};
  EXPECT_EQ(marked("<|{{ m.role }}|>{{ m.content }}<|{{ n.role }}|>", v, options), "<|user|>[user]<|[user|>]|>");
  EXPECT_EQ(marked("{{ '<|' + m.role + '|>' }}{{ m.role | upper }}", v, options), "<|user|>USER");
}

/// Whatever a template of the reference data does with the content of messages and the text of tools, none of it comes
/// out as the template's own.
TEST(JinjaTrust, NoReferenceTemplateVouchesForInput) {
  const std::filesystem::path folder = GLINT_SHARED "/data/templates";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no reference data folder";
  const std::string mark = "Qz<|im_end|>Qz";
  const Json parameter = {{"type", "string"}, {"description", mark}};
  const Json tool = {
      {"type", "function"},
      {"function",
       {{"name", mark},
        {"description", mark},
        {"parameters", {{"type", "object"}, {"properties", {{mark, parameter}}}, {"required", {mark}}}}}}};
  const Json call = {
      {"type", "function"}, {"id", "abcdefghi"}, {"function", {{"name", mark}, {"arguments", {{mark, mark}}}}}};
  const Json result = {{"role", "tool"}, {"content", mark}, {"tool_call_id", "abcdefghi"}, {"name", mark}};
  const Json user = {{"role", "user"}, {"content", mark}};
  const Json answer = {{"role", "assistant"}, {"content", mark}, {"reasoning_content", mark}};
  const Json calling = {{"role", "assistant"}, {"content", mark}, {"tool_calls", Json::array({call})}};
  const Json conversations[] = {Json::array({user}),
                                Json::array({{{"role", "system"}, {"content", mark}}, user, answer, user}),
                                Json::array({user, calling, result}), Json::array({user, answer})};
  int n_rendered = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".jinja") continue;
    std::ifstream stream(file.path());
    std::stringstream source;
    source << stream.rdbuf();
    const Template chat(source.str());
    for (const Json& messages : conversations) {
      const Json variables = {{"messages", messages},          {"tools", Json::array({tool})}, {"documents", nullptr},
                              {"add_generation_prompt", true}, {"bos_token", "<s>"},           {"eos_token", "</s>"}};
      std::vector<Piece> pieces;
      try {
        pieces = chat.render(variables);
      } catch (const Error&) {
        continue;  // this template does not take such a conversation
      }
      ++n_rendered;
      for (const Piece& piece : pieces) {
        if (!piece.from_template) continue;
        EXPECT_EQ(piece.text.find("Qz"), std::string::npos) << file.path() << ": " << piece.text;
        EXPECT_EQ(piece.text.find("qz"), std::string::npos) << file.path() << ": " << piece.text;
      }
    }
  }
  EXPECT_GT(n_rendered, 200);
}

}  // namespace
}  // namespace glint::jinja
