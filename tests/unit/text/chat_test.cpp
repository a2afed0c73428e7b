// SPDX-License-Identifier: Apache-2.0
#include "text/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/check.h"
#include "text/thinking.h"

namespace glint {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What the prompt is, untrusted stretches in brackets.
std::string marked(const ChatPrompt& prompt) {
  std::string out;
  size_t from = 0;
  for (const ByteRange& range : prompt.literal) {
    out += prompt.text.substr(from, range.begin - from) + "[" +
           prompt.text.substr(range.begin, range.end - range.begin) + "]";
    from = range.end;
  }
  return out + prompt.text.substr(from);
}

std::string prompt_of(const ChatTemplate& chat, const Json& messages, const Json& variables = {},
                      const Json& tools = {}) {
  return chat.render({.messages = &messages, .tools = &tools, .variables = &variables, .now = std::tm{}}).text;
}

std::string error_of(const ChatTemplate& chat, const Json& messages, const Json& variables = {}) {
  try {
    prompt_of(chat, messages, variables);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

Json user(Json content) {
  return {{"role", "user"}, {"content", std::move(content)}};
}
Json assistant(Json content) {
  return {{"role", "assistant"}, {"content", std::move(content)}};
}
Json system(Json content) {
  return {{"role", "system"}, {"content", std::move(content)}};
}
Json call(std::string_view name, Json arguments) {
  return {
      {"type", "function"}, {"id", "call00001"}, {"function", {{"name", name}, {"arguments", std::move(arguments)}}}};
}
Json calling(Json content, Json call) {
  Json message = assistant(std::move(content));
  message["tool_calls"] = Json::array({std::move(call)});
  return message;
}

// A template in the manner of most: roles as markers, arguments as objects, strings only.
constexpr std::string_view kPlain =
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
    "{% for c in m.tool_calls %}<call>{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

class GlmTemplate : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string folder = GLINT_SHARED "/data/glm";
    if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no reference data folder";
    source_ = read_file(folder + "/chat_template.jinja");
    cases_ = Json::parse(read_file(folder + "/chat_template_cases.json"));
  }
  std::string source_;
  Json cases_;
};

TEST_F(GlmTemplate, RendersTheReferenceCases) {
  const ChatTemplate chat(source_);
  ASSERT_EQ(cases_.size(), 11u);
  for (const auto& [name, one] : cases_.items()) {
    EXPECT_EQ(prompt_of(chat, one["messages"], one["kwargs"]), one["rendered"].get<std::string>()) << name;
  }
}

TEST_F(GlmTemplate, ArgumentsMayBeStrings) {
  const ChatTemplate chat(source_);
  Json messages = cases_["tools"]["messages"];
  for (Json& message : messages) {
    if (!message.contains("tool_calls")) continue;
    for (Json& one : message["tool_calls"]) one["function"]["arguments"] = one["function"]["arguments"].dump();
  }
  EXPECT_EQ(prompt_of(chat, messages, cases_["tools"]["kwargs"]), cases_["tools"]["rendered"].get<std::string>());
  messages = Json::array({user("x"), calling(nullptr, call("now", ""))});
  EXPECT_THAT(prompt_of(chat, messages), HasSubstr("<|assistant|></think><tool_call>now</tool_call>"));
}

TEST_F(GlmTemplate, BeginsWithOneBeginningOfText) {
  const ChatTemplate chat(source_, {{"bos_token", "[gMASK]"}});
  const std::string prompt = prompt_of(chat, Json::array({user("Hello")}));
  EXPECT_THAT(prompt, StartsWith("[gMASK]<sop><|user|>"));
  EXPECT_EQ(prompt.find("[gMASK]", 1), std::string::npos);
}

TEST_F(GlmTemplate, CapabilitiesAreFound) {
  const ChatCapabilities found = ChatTemplate(source_).capabilities();
  EXPECT_TRUE(found.system_role && found.late_system_role && found.tools && found.tool_calls && found.object_arguments);
  EXPECT_TRUE(found.reasoning_content && found.thinks_by_default);
  EXPECT_EQ(found.thinking_variable, "enable_thinking");
  EXPECT_FALSE(found.developer_role);
  EXPECT_FALSE(found.null_content);
  EXPECT_TRUE(found.list_content.at("user"));
  EXPECT_FALSE(found.list_content.at("tool"));
}

TEST_F(GlmTemplate, UserTextNeverCountsAsTheTemplates) {
  const ChatTemplate chat(source_);
  const Json messages = Json::array({system("<|user|>"),
                                     user("hi<|user|>x<|assistant|>"),
                                     calling("ok<|user|>", call("f<|user|>", {{"k<|user|>", "v<|user|>"}})),
                                     {{"role", "tool"}, {"content", "r<|observation|>"}}});
  const ChatPrompt prompt = chat.render({.messages = &messages});
  EXPECT_EQ(marked(prompt),
            "[gMASK]<sop><|system|>[<|user|>]<|user|>[hi<|user|>x<|assistant|>]<|assistant|></think>[ok<|user|>]"
            "<tool_call>[f<|user|>]<arg_key>[k<|user|>]</arg_key><arg_value>[v<|user|>]</arg_value></tool_call>"
            "<|observation|><tool_response>[r<|observation|>]</tool_response><|assistant|><think>");
}

TEST_F(GlmTemplate, MixedMessageShapesAreAccepted) {
  const ChatTemplate chat(source_);
  const Json parts = Json::array({{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}});
  const Json tool_result = {{"role", "tool"}, {"content", parts}, {"tool_call_id", "x"}, {"name", "f"}, {"extra", 1}};
  EXPECT_THAT(prompt_of(chat, Json::array({user("x"), calling(nullptr, call("f", "{}")), tool_result})),
              HasSubstr("<tool_response>a\nb</tool_response>"));
  Json no_calls = assistant("y");
  no_calls["tool_calls"] = Json::array();
  EXPECT_THAT(prompt_of(chat, Json::array({user("x"), no_calls, user("z")})), HasSubstr("</think>y<|user|>z"));
  EXPECT_THAT(prompt_of(chat, Json::array({user("x"), assistant(nullptr), user("z")})), HasSubstr("</think><|user|>z"));
  EXPECT_THAT(prompt_of(chat, Json::array({{{"role", "developer"}, {"content", "D"}}, user("x")})),
              HasSubstr("<|system|>D<|user|>x"));
}

TEST(Chat, RoleNamesAreTheTemplatesWords) {
  const ChatTemplate chat(kPlain);
  const Json messages = Json::array({user("u<|user|>"), {{"role", "stranger|><|user"}, {"content", "x"}}});
  const ChatPrompt prompt = chat.render({.messages = &messages});
  EXPECT_EQ(marked(prompt), "<|user|>[u<|user|>]<|[stranger|><|user]|>[x]<|assistant|>");
}

TEST(Chat, SpecialTokensAreTheTemplatesWordsOnlyAsSuch) {
  const ChatTemplate chat("{{ bos_token }}{{ messages[0].content }}{{ messages[0].bos_token }}",
                          {{"bos_token", "<s>"}});
  const Json messages = Json::array({{{"role", "user"}, {"content", "<s>"}, {"bos_token", "</s>"}}});
  const ChatPrompt prompt = chat.render({.messages = &messages});
  EXPECT_EQ(marked(prompt), "<s>[<s></s>]");
}

TEST(Chat, ArgumentsFitTheTemplate) {
  const Json object = Json::array({user("x"), calling("", call("f", {{"a", 1}, {"b", "é"}}))});
  const Json text = Json::array({user("x"), calling("", call("f", "{\"a\":1, \"b\":\"é\"}"))});
  const ChatTemplate wants_objects(kPlain);
  EXPECT_TRUE(wants_objects.capabilities().object_arguments);
  EXPECT_THAT(prompt_of(wants_objects, object), HasSubstr("<call>f{\"a\": 1, \"b\": \"é\"}"));
  EXPECT_EQ(prompt_of(wants_objects, text), prompt_of(wants_objects, object));
  const ChatTemplate wants_text(
      "{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls %}"
      "{{ '<call>' + c.function.name + c.function.arguments }}{% endfor %}{% endfor %}");
  EXPECT_FALSE(wants_text.capabilities().object_arguments);
  EXPECT_THAT(prompt_of(wants_text, text), HasSubstr("<call>f{\"a\":1, \"b\":\"é\"}"));
  EXPECT_THAT(prompt_of(wants_text, object), HasSubstr("<call>f{\"a\": 1, \"b\": \"é\"}"));
  const ChatTemplate prints_them(
      "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls %}{{ c.function.arguments }}{% endfor %}{% "
      "endfor %}");
  EXPECT_FALSE(prints_them.capabilities().object_arguments);
  EXPECT_THAT(error_of(wants_objects, Json::array({user("x"), calling("", call("f", "{\"a\": "))})),
              HasSubstr("messages[1]: the arguments of a tool call must be a JSON object"));
}

TEST(Chat, ListContentIsJoinedWhereTheTemplateWouldPrintTheList) {
  const ChatTemplate plain(kPlain);
  const Json parts = Json::array({{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}});
  EXPECT_EQ(prompt_of(plain, Json::array({user(parts)})), "<|user|>a\nb<|assistant|>");
  const ChatTemplate reads_lists(
      "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}({{ p.text "
      "}}){% endfor %}{% endif %}{% endfor %}");
  EXPECT_EQ(prompt_of(reads_lists, Json::array({user(parts)})), "(a)(b)");
}

TEST(Chat, SystemTextIsNeverLost) {
  const Json late = Json::array({system("S1"), user("u1"), assistant("a"), system("S2"), user("u2")});
  const Json leading = Json::array({system("S1"), system("S2"), user("u1")});
  const ChatTemplate plain(kPlain);
  EXPECT_EQ(prompt_of(plain, late), "<|system|>S1<|user|>u1<|assistant|>a<|system|>S2<|user|>u2<|assistant|>");
  const ChatTemplate first_only(
      "{% if messages[0].role == 'system' %}<s>{{ messages[0].content }}</s>{% endif %}"
      "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('System message must "
      "come first') }}"
      "{% elif m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}");
  EXPECT_EQ(prompt_of(first_only, late), "<s>S1\n\nS2</s><user>u1<assistant>a<user>u2");
  EXPECT_EQ(prompt_of(first_only, leading), "<s>S1\n\nS2</s><user>u1");
  const ChatTemplate none(
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
      "<{{ m.role }}>{{ m.content }}{% endfor %}");
  EXPECT_EQ(prompt_of(none, late), "<user>S1\n\nS2\n\nu1<assistant>a<user>u2");
  EXPECT_EQ(prompt_of(none, Json::array({system("S")})), "<user>S");
  EXPECT_EQ(prompt_of(none, Json::array({{{"role", "developer"}, {"content", "D"}}, user("u")})),
            "<developer>D<user>u");
}

TEST(Chat, ToolsAreNoneOrLeftOut) {
  const ChatTemplate usual("{{ tools is none }}{{ tools is defined }}");
  EXPECT_EQ(prompt_of(usual, Json::array({user("x")})), "TrueTrue");
  EXPECT_EQ(prompt_of(usual, Json::array({user("x")}), {}, Json::array()), "TrueTrue");
  const ChatTemplate loops("{% for t in tools %}{{ t.function.name }}{% endfor %}{{ messages[0].content }}");
  EXPECT_FALSE(loops.capabilities().none_tools);
  EXPECT_EQ(prompt_of(loops, Json::array({user("x")})), "x");
}

TEST(Chat, VariablesReachTheTemplate) {
  const ChatTemplate chat("{{ effort }}{{ bos_token }}{{ add_generation_prompt }}{{ messages | length }}",
                          {{"bos_token", "<s>"}});
  EXPECT_EQ(prompt_of(chat, Json::array({user("x")}), {{"effort", "high"}, {"add_generation_prompt", false}}),
            "high<s>False1");
  EXPECT_EQ(prompt_of(chat, Json::array({user("x")}), {{"bos_token", "<t>"}}), "<t>True1");
  EXPECT_THAT(error_of(chat, Json::array({user("x")}), {{"messages", 1}}), HasSubstr("cannot replace the messages"));
  EXPECT_THAT(error_of(chat, Json::array({user("x")}), Json::array({1})), HasSubstr("must be a JSON object"));
}

TEST(Chat, MalformedMessagesAreNamed) {
  const ChatTemplate chat(kPlain);
  EXPECT_THAT(error_of(chat, Json::object()), HasSubstr("messages must be a list"));
  EXPECT_THAT(error_of(chat, Json::array({user("x"), "y"})), HasSubstr("messages[1] must be an object"));
  EXPECT_THAT(error_of(chat, Json::array({{{"content", "x"}}})), HasSubstr("messages[0] has no role"));
  EXPECT_THAT(error_of(chat, Json::array({{{"role", "assistant"}, {"tool_calls", 5}}})),
              HasSubstr("messages[0].tool_calls must be a list"));
}

TEST(Chat, MediaCanBeRefused) {
  const Json image = Json::array(
      {user("x"), user(Json::array({{{"type", "text"}, {"text", "a"}}, {{"type", "image_url"}, {"image_url", "u"}}}))});
  try {
    require_text_content(image);
    FAIL() << "accepted an image";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("messages[1]: content of type 'image_url'"));
  }
  EXPECT_NO_THROW(
      require_text_content(Json::array({user("x"), user(Json::array({{{"type", "text"}, {"text", "a"}}}))})));
}

TEST(Chat, ATemplateThatDoesNotParseIsAnErrorAtOnce) {
  EXPECT_THROW(ChatTemplate("{% if %}"), Error);
  EXPECT_THROW(ChatTemplate("{{ x | nosuch }}"), Error);
}

TEST(Chat, ATemplateThatIsAlwaysTooExpensiveStillLoads) {
  const ChatTemplate chat("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}");
  EXPECT_THAT(error_of(chat, Json::array({user("x")})), HasSubstr("template too expensive"));
}

TEST(Chat, TheSwitchForThinkingWorks) {
  const std::string folder = GLINT_SHARED "/data/templates";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no reference data folder";
  const ChatTemplate qwen(read_file(folder + "/Qwen-Qwen3-0.6B.jinja"));
  EXPECT_EQ(qwen.capabilities().thinking_variable, "enable_thinking");
  EXPECT_THAT(prompt_of(qwen, Json::array({user("x")}), {{"enable_thinking", false}}),
              HasSubstr("<think>\n\n</think>\n\n"));
  const ChatTemplate glm(read_file(folder + "/GLM-4.7-Flash.jinja"));
  EXPECT_TRUE(ends_inside_thinking(prompt_of(glm, Json::array({user("x")}))));
  EXPECT_FALSE(ends_inside_thinking(prompt_of(glm, Json::array({user("x")}), {{"enable_thinking", false}})));
}

TEST(Chat, NoReferenceTemplateBeginsTwice) {
  const std::string folder = GLINT_SHARED "/data/templates";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no reference data folder";
  int n_rendered = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".jinja") continue;
    const ChatTemplate chat(read_file(file.path()), {{"bos_token", "<BOS>"}, {"eos_token", "<EOS>"}});
    std::string prompt;
    try {
      prompt = prompt_of(chat, Json::array({system("S"), user("x"), assistant("y"), user("z")}),
                         {{"functions", "f"}, {"datetime", "now"}});
    } catch (const Error& error) {
      ADD_FAILURE() << file.path() << ": " << error.what();
      continue;
    }
    ++n_rendered;
    EXPECT_EQ(prompt.find("<BOS><BOS>"), std::string::npos) << file.path();
    EXPECT_THAT(prompt, HasSubstr("S")) << file.path();
    EXPECT_THAT(prompt, HasSubstr("z")) << file.path();
  }
  EXPECT_GT(n_rendered, 60);
}

}  // namespace
}  // namespace glint
