// SPDX-License-Identifier: Apache-2.0
//
// Replies of every syntax, each read in every cut: what comes out must be the same. The faults that users of other
// servers met are marked by their place in REPORTS.md.
#include "text/reply_parser.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <random>

namespace glint {
namespace {

using Json = nlohmann::ordered_json;
using testing::ElementsAre;
using testing::IsEmpty;

struct Reply {
  std::string reasoning, content;
  std::vector<std::string> calls;  // "name arguments"
  std::vector<std::string> ids;

  void add(const ReplyDelta& delta) {
    reasoning += delta.reasoning;
    content += delta.content;
    for (const ToolCallDelta& call : delta.calls) {
      EXPECT_EQ(call.index, static_cast<int>(calls.size()));
      EXPECT_TRUE(Json::accept(call.arguments_delta)) << call.arguments_delta;
      calls.push_back(call.name + " " + call.arguments_delta);
      ids.push_back(call.id);
    }
  }
  bool operator==(const Reply&) const = default;
};
void PrintTo(const Reply& reply, std::ostream* out) {
  *out << "reasoning '" << reply.reasoning << "' content '" << reply.content << "'";
  for (const std::string& call : reply.calls) *out << " call " << call;
}

Json tool(const char* name, Json properties, Json required = Json::array()) {
  return {{"type", "function"},
          {"function",
           {{"name", name},
            {"parameters", {{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}}}}}};
}
Json of_type(Json type) {
  return {{"type", std::move(type)}};
}
const Json& tools() {
  static const Json value = Json::array(
      {tool("get_weather", {{"city", of_type("string")}, {"days", of_type("integer")}, {"opts", of_type("object")},
                            {"f", of_type("boolean")}, {"either", of_type(Json::array({"string", "number"}))}}, {"city"}),
       tool("write", {{"code", of_type("string")}}), tool("now", Json::object()), tool("f", {{"path", Json::object()}}),
       tool("ls", Json::object())});
  return value;
}

ReplyFormat format_of(CallSyntax calls, bool thinking_anywhere = true) {
  ReplyFormat format;
  format.calls = calls;
  format.thinking_anywhere = thinking_anywhere;
  return format;
}

template <class Cut>
Reply read_cut(const ReplyFormat& format, const ReplyOptions& options, std::string_view text, Cut&& next) {
  ReplyParser parser(format, options);
  Reply reply;
  for (size_t at = 0; at < text.size();) {
    const size_t n = std::min<size_t>(next(), text.size() - at);
    reply.add(parser.push(text.substr(at, n)));
    at += n;
  }
  reply.add(parser.finish());
  EXPECT_EQ(parser.n_calls(), static_cast<int>(reply.calls.size()));
  return reply;
}

/// The reply, which must be the same whole, byte by byte, in two parts cut anywhere, and in random parts.
Reply read(const ReplyFormat& format, std::string_view text, bool inside = false, const Json* with = &tools()) {
  const ReplyOptions options{.tools = with, .inside_thinking = inside, .id_seed = 7};
  const Reply whole = read_cut(format, options, text, [&] { return text.size(); });
  EXPECT_EQ(read_cut(format, options, text, [] { return 1; }), whole);
  for (size_t cut = 1; cut < text.size(); ++cut) {
    bool first = true;
    const auto halves = [&] { return std::exchange(first, false) ? cut : text.size(); };
    EXPECT_EQ(read_cut(format, options, text, halves), whole) << "cut at " << cut;
  }
  std::minstd_rand random(3);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(read_cut(format, options, text, [&] { return 1 + random() % 9; }), whole);
  return whole;
}
Reply read(CallSyntax syntax, std::string_view text, bool inside = false) {
  return read(format_of(syntax), text, inside);
}

TEST(ReplyParser, SplitsThinkingFromContent) {
  const ReplyFormat plain = format_of(CallSyntax::kNone);
  Reply reply = read(plain, "plan</think>answer", true, nullptr);  // A14
  EXPECT_EQ(reply.reasoning, "plan");
  EXPECT_EQ(reply.content, "answer");
  reply = read(plain, "answer", false, nullptr);
  EXPECT_EQ(reply.reasoning, "");
  EXPECT_EQ(reply.content, "answer");
  EXPECT_EQ(read(plain, "cut off", true, nullptr).reasoning, "cut off");
  reply = read(plain, "<think>a</think>\n\nb<think>c</think>d", false, nullptr);
  EXPECT_EQ(reply.reasoning, "ac");
  EXPECT_EQ(reply.content, "bd");
  EXPECT_EQ(read(plain, "x</think>y", false, nullptr).content, "xy");
  EXPECT_EQ(read(plain, "a<think>b</think>c", true, nullptr).reasoning, "ab");
  EXPECT_EQ(read(plain, " 1 < 2 <thin <\n", false, nullptr).content, " 1 < 2 <thin <\n");
}

TEST(ReplyParser, TagsAreTextWhereTheModelHasNone) {
  const ReplyFormat format = format_of(CallSyntax::kNone, false);
  Reply reply = read(format, "\n<think>a</think>say <think> or </think>.", false, nullptr);
  EXPECT_EQ(reply.reasoning, "a");
  EXPECT_EQ(reply.content, "say <think> or </think>.");
  EXPECT_EQ(read(format, "In HTML: <think>x</think>", false, nullptr).content, "In HTML: <think>x</think>");
  reply = read(format, "a</think>{\"x\": \"</think><think>\"}", true, nullptr);
  EXPECT_EQ(reply.content, "{\"x\": \"</think><think>\"}");
}

TEST(ReplyParser, WithoutToolsCallsAreText) {
  const std::string call = "<tool_call>now</tool_call>\n";
  EXPECT_EQ(read(format_of(CallSyntax::kGlm), call, false, nullptr).content, call);
  const Json none = Json::array();
  EXPECT_EQ(read(format_of(CallSyntax::kGlm), call, false, &none).content, call);
}

TEST(ReplyParser, GlmCallsHaveTypedArguments) {
  const Reply reply = read(CallSyntax::kGlm,
                           "Call twice.</think>Checking.<tool_call>get_weather<arg_key>city</arg_key><arg_value>Paris"
                           "</arg_value></tool_call><tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>5"
                           "</arg_value>\n<arg_key>days</arg_key><arg_value>3</arg_value><arg_key>opts</arg_key><arg_value>"
                           "{\"u\": \"c\"}</arg_value><arg_key>f</arg_key><arg_value>True</arg_value><arg_key>either"
                           "</arg_key><arg_value>12345678901234567890123</arg_value>\n</tool_call>",
                           true);
  EXPECT_EQ(reply.reasoning, "Call twice.");
  EXPECT_EQ(reply.content, "Checking.");
  EXPECT_THAT(reply.calls, ElementsAre("get_weather {\"city\": \"Paris\"}",
                                       "get_weather {\"city\": \"5\", \"days\": 3, \"opts\": {\"u\": \"c\"}, \"f\": true, "
                                       "\"either\": 12345678901234567890123}"));
  EXPECT_NE(reply.ids[0], reply.ids[1]);
  EXPECT_THAT(read(CallSyntax::kGlm, "</think><tool_call>now</tool_call>").calls, ElementsAre("now {}"));
}

TEST(ReplyParser, GlmValuesAreNotXml) {  // A16
  Reply reply = read(CallSyntax::kGlm,
                     "<tool_call>write<arg_key>code</arg_key><arg_value>if (a<b && c>d) {}</arg_value></tool_call>");
  EXPECT_THAT(reply.calls, ElementsAre("write {\"code\": \"if (a<b && c>d) {}\"}"));
}

TEST(ReplyParser, AClosingTagWithinJsonIsText) {  // REPORTS A15
  const auto value_of = [](const char* key, const char* value) {
    return read(CallSyntax::kGlm, std::string("<tool_call>get_weather<arg_key>city</arg_key><arg_value>x</arg_value><arg_key>") + key +
                                      "</arg_key><arg_value>" + value + "</arg_value></tool_call>").calls;
  };
  const char* const tagged = R"( {"u": "</arg_value></tool_call>\"</arg_value>", "v": ["</arg_value>"]} )";
  EXPECT_THAT(value_of("opts", tagged),
              ElementsAre(R"(get_weather {"city": "x", "opts": {"u": "</arg_value></tool_call>\"</arg_value>", "v": ["</arg_value>"]}})"));
  EXPECT_THAT(value_of("opts", R"({"u": "never closed)"), IsEmpty()) << "cut off within an object";
  EXPECT_THAT(value_of("opts", R"({"u": 1} and more)"), ElementsAre(R"(get_weather {"city": "x", "opts": "{\"u\": 1} and more"})"));
  EXPECT_THAT(value_of("opts", "[link](x)"), ElementsAre(R"x(get_weather {"city": "x", "opts": "[link](x)"})x"));
  EXPECT_THAT(value_of("city", R"(["a)"), ElementsAre(R"(get_weather {"city": "[\"a"})")) << "what is a string ends at the first tag";
  const Reply open = read(CallSyntax::kGlm, "<tool_call>f<arg_key>path</arg_key><arg_value>{\"u\": \"x</arg_value></tool_call>");
  EXPECT_THAT(open.calls, ElementsAre(R"(f {"path": "{\"u\": \"x"})")) << "which a string may be";
  EXPECT_THAT(read(CallSyntax::kFunction, "<tool_call>\n<function=f>\n<parameter=path>\n[\"</parameter>\"]\n</parameter>\n</function>\n"
                                          "</tool_call>").calls,
              ElementsAre(R"(f {"path": ["</parameter>"]})"));
}

TEST(ReplyParser, ManyCallsWithAndWithoutBlanksBetween) {  // A17
  for (const char* between : {"", "\n", " \n\n "}) {
    const std::string one = "<tool_call>f<arg_key>path</arg_key><arg_value>1</arg_value></tool_call>";
    const std::string two = "<tool_call>f<arg_key>path</arg_key><arg_value>2</arg_value></tool_call>";
    const Reply reply = read(CallSyntax::kGlm, between + one + between + two + between);
    EXPECT_THAT(reply.calls, ElementsAre("f {\"path\": 1}", "f {\"path\": 2}"));
    EXPECT_EQ(reply.content, "");
  }
}

TEST(ReplyParser, ACallEndsThinking) {  // A20
  Reply reply = read(CallSyntax::kGlm, "hmm <tool_call>ls</tool_call></think>", true);
  EXPECT_EQ(reply.reasoning, "hmm ");
  EXPECT_THAT(reply.calls, ElementsAre("ls {}"));
  EXPECT_EQ(reply.content, "");
  // Drafted in thinking, then made: once.
  reply = read(CallSyntax::kGlm, "hmm <tool_call>ls</tool_call></think><tool_call>ls</tool_call><tool_call>now</tool_call>", true);
  EXPECT_THAT(reply.calls, ElementsAre("ls {}", "now {}"));
  // What is no call stays thought.
  reply = read(CallSyntax::kGlm, "I could write <tool_call> ... </tool_call>, but no.</think>Hi", true);
  EXPECT_EQ(reply.reasoning, "I could write <tool_call> ... </tool_call>, but no.");
  EXPECT_EQ(reply.content, "Hi");
  reply = read(CallSyntax::kGlm, "So <tool_call>name</tool_call> it is.</think>Hi", true);
  EXPECT_EQ(reply.reasoning, "So <tool_call>name</tool_call> it is.");
  EXPECT_THAT(reply.calls, IsEmpty());
  EXPECT_THAT(read(CallSyntax::kGlm, "<tool_call>name</tool_call>").calls, ElementsAre("name {}"));
}

TEST(ReplyParser, BrokenCallsAreTextWordForWord) {
  for (const std::string text : {
           "<tool_call>", "<tool_call>no", "<tool_call>not a name</tool_call>", "<tool_call>f<arg_key>path</arg_key>oops",
           "<tool_call>f<arg_key>path</arg_key><arg_value>cut o", "<tool_call>f<arg_value>x</arg_value></tool_call>",
           "<tool_call>get_weather<arg_key>days</arg_key><arg_value>1</arg_value>",  // the city is missing
           "<tool_call></tool_call>", "a <tool_call> b <tool_call> c"}) {
    const Reply reply = read(CallSyntax::kGlm, text);
    EXPECT_EQ(reply.content, text);
    EXPECT_THAT(reply.calls, IsEmpty());
  }
  // A good one behind a broken one counts, and a forgotten last tag is forgiven.
  const Reply reply = read(CallSyntax::kGlm,
                           "<tool_call>f <b> <tool_call>f<arg_key>path</arg_key><arg_value>x</arg_value>");
  EXPECT_EQ(reply.content, "<tool_call>f <b>");
  EXPECT_THAT(reply.calls, ElementsAre("f {\"path\": \"x\"}"));
}

TEST(ReplyParser, HermesCalls) {
  Reply reply = read(CallSyntax::kHermes,
                     "<think>\nx\n</think>\n\nSure.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"path\": \"</tool_call>\"}}\n"
                     "</tool_call>\n<tool_call>\n{\"arguments\": \"{\\\"path\\\": 1.50}\", \"name\": \"f\"}\n</tool_call>");
  EXPECT_EQ(reply.reasoning, "\nx\n");
  EXPECT_EQ(reply.content, "Sure.");
  EXPECT_THAT(reply.calls, ElementsAre("f {\"path\": \"</tool_call>\"}", "f {\"path\": 1.50}"));
  for (const std::string text : {"<tool_call>{\"name\": \"f\", oops}</tool_call>", "<tool_call>{\"arguments\": {}}</tool_call>",
                                 "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>", "<tool_call>{\"name\": \"f",
                                 "<tool_call>[1]</tool_call>", "<tool_call>{\"name\": 5}</tool_call>"}) {
    reply = read(CallSyntax::kHermes, text);
    EXPECT_EQ(reply.content, text);
    EXPECT_THAT(reply.calls, IsEmpty());
  }
}

TEST(ReplyParser, FunctionTagCalls) {
  const Reply reply = read(CallSyntax::kFunction,
                           "<tool_call>\n<function=get_weather>\n<parameter=city>\nNew\nYork\n</parameter>\n<parameter=days>\n2\n"
                           "</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>");
  EXPECT_THAT(reply.calls, ElementsAre("get_weather {\"city\": \"New\\nYork\", \"days\": 2}", "now {}"));
  EXPECT_EQ(read(CallSyntax::kFunction, "<tool_call>\n<function=>").content, "<tool_call>\n<function=>");
}

TEST(ReplyParser, LlamaCalls) {
  EXPECT_THAT(read(CallSyntax::kLlama, "{\"name\": \"f\", \"parameters\": {\"path\": \"x\"}}").calls,
              ElementsAre("f {\"path\": \"x\"}"));
  EXPECT_THAT(read(CallSyntax::kLlama, " {\"type\": \"function\", \"name\": \"now\", \"parameters\": {}} ; {\"name\": \"ls\"}\n").calls,
              ElementsAre("now {}", "ls {}"));
  EXPECT_THAT(read(CallSyntax::kLlama, "<|python_tag|>{\"name\": \"ls\", \"parameters\": {}}").calls, ElementsAre("ls {}"));
  for (const std::string text : {"{\"answer\": 42}", "{\"name\": \"Alice\", \"age\": 5}", "Use {\"name\": \"ls\"}.",
                                 "<|python_tag|>print(1)", "{\"name\": \"ls\"", "{}"}) {
    const Reply reply = read(CallSyntax::kLlama, text);
    EXPECT_EQ(reply.content, text);
    EXPECT_THAT(reply.calls, IsEmpty());
  }
}

TEST(ReplyParser, LlamaJsonThatIsNoCallNeedNotWaitForItsEnd) {
  ReplyParser parser(format_of(CallSyntax::kLlama), {.tools = &tools()});
  EXPECT_EQ(parser.push("{\"answer\": ").content, "{\"answer\":");
}

TEST(ReplyParser, MistralCalls) {
  const Reply list = read(CallSyntax::kMistral,
                          "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"path\": \"[TOOL_CALLS]\"}, \"id\": \"abc123XYZ\"},"
                          " {\"name\": \"ls\", \"arguments\": {}}]");
  EXPECT_THAT(list.calls, ElementsAre("f {\"path\": \"[TOOL_CALLS]\"}", "ls {}"));
  EXPECT_EQ(list.ids[0], "abc123XYZ");
  EXPECT_EQ(list.ids[1].size(), 9u);
  const Reply named = read(CallSyntax::kMistral,
                           "Ok.[TOOL_CALLS]f[ARGS]{\"path\": 1}[TOOL_CALLS]f[CALL_ID]123456789[ARGS]{\"path\": 2}[TOOL_CALLS]ls{}");
  EXPECT_EQ(named.content, "Ok.");
  EXPECT_THAT(named.calls, ElementsAre("f {\"path\": 1}", "f {\"path\": 2}", "ls {}"));
  EXPECT_EQ(named.ids[1], "123456789");
  for (const std::string text : {"[TOOL_CALLS]", "[TOOL_CALLS][]", "[TOOL_CALLS][ARGS]{}", "[TOOL_CALLS]f[ARGS]{1}",
                                 "[TOOL_CALLS][{\"name\": \"f\"}, 5]", "[TOOL_CALLS]f o{}"}) {
    EXPECT_EQ(read(CallSyntax::kMistral, text).content, text);
  }
}

TEST(ReplyParser, DeepSeekCalls) {
  const Reply old = read(CallSyntax::kDeepSeek,
                         "Let me see.\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"path\": 1}\n```"
                         "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>ls\n```json\n{}\n```<｜tool▁call▁end｜>"
                         "<｜tool▁calls▁end｜>");
  EXPECT_EQ(old.content, "Let me see.");
  EXPECT_THAT(old.calls, ElementsAre("f {\"path\": 1}", "ls {}"));
  const Reply recent = read(CallSyntax::kDeepSeek,
                            "t</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"path\": 1}<｜tool▁call▁end｜>"
                            "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", true);
  EXPECT_THAT(recent.calls, ElementsAre("f {\"path\": 1}", "function {}"));
  const std::string broken = "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"path\": }<｜tool▁call▁end｜>";
  EXPECT_EQ(read(CallSyntax::kDeepSeek, broken).content, broken);
}

TEST(ReplyParser, HarmonyChannels) {
  Reply reply = read(CallSyntax::kHarmony,
                     "<|channel|>analysis<|message|>I think.<|end|><|start|>assistant<|channel|>commentary<|message|>One moment."
                     "<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"path\": 1}<|call|>");
  EXPECT_EQ(reply.reasoning, "I think.");
  EXPECT_EQ(reply.content, "One moment.");
  EXPECT_THAT(reply.calls, ElementsAre("f {\"path\": 1}"));
  reply = read(CallSyntax::kHarmony, "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>1 < 2 <|");
  EXPECT_EQ(reply.content, "1 < 2 <|");
  // The recipient may stand in the role's place, and end tokens do not show.
  reply = read(CallSyntax::kHarmony, " to=functions.ls<|channel|>commentary<|message|>{}");
  EXPECT_THAT(reply.calls, ElementsAre("ls {}"));
  EXPECT_EQ(reply.content, "");
  reply = read(CallSyntax::kHarmony, "<|channel|>commentary to=functions.f<|message|>{\"path\": ");
  EXPECT_EQ(reply.content, "{\"path\": ");
  EXPECT_EQ(read(CallSyntax::kHarmony, "total of 5").content, "total of 5");
}

TEST(ReplyParser, HostileTextIsLinear) {
  std::string nested, json;
  for (int i = 0; i < 20000; ++i) nested += "<tool_call>f<arg_key>a</arg_key><arg_value>";
  for (int i = 0; i < 100000; ++i) json += "{\"a\": [";
  const ReplyOptions options{.tools = &tools(), .id_seed = 1};
  const auto by_3 = [] { return 3; };
  EXPECT_EQ(read_cut(format_of(CallSyntax::kGlm), options, nested, by_3).content, nested);
  EXPECT_EQ(read_cut(format_of(CallSyntax::kHermes), options, "<tool_call>" + json, by_3).content, "<tool_call>" + json);
  const std::string junk = "<tool_call>f<arg_key>path</arg_key><arg_value>\xff\xfe</arg_value></tool_call>";
  EXPECT_EQ(read_cut(format_of(CallSyntax::kGlm), options, junk, by_3).calls.size(), 1u);
}

/// Texts made of the formats' own pieces, which is where cuts hurt.
TEST(ReplyParser, NoCutChangesAnything) {
  for (const CallSyntax syntax : {CallSyntax::kNone, CallSyntax::kGlm, CallSyntax::kFunction, CallSyntax::kHermes, CallSyntax::kLlama,
                                  CallSyntax::kMistral, CallSyntax::kDeepSeek, CallSyntax::kHarmony}) {
    const ReplyFormat format = format_of(syntax);
    std::vector<std::string> pieces = format.markers();
    for (const char* other : {"f", "ls", " ", "\n", ";", "{", "}", "[", "]", "\"name\"", "\"arguments\"", ":", ",", "\"", "\"f\"", "<",
                              "text", "{\"name\": \"f\", \"arguments\": {\"path\": 1}}", "<function=f>", "</function>",
                              "<parameter=path>", "</parameter>", "```", "json", "to=functions.f", "analysis", "commentary"}) {
      pieces.emplace_back(other);
    }
    // Whole calls, so that not everything is broken.
    for (const char* call : {"<tool_call>f<arg_key>path</arg_key><arg_value>1</arg_value></tool_call>",
                             "<tool_call><function=f><parameter=path>", "[TOOL_CALLS]f[ARGS]{}",
                             "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}", "<|channel|>commentary to=functions.f<|message|>{}"}) {
      pieces.emplace_back(call);
    }
    std::minstd_rand random(11);
    size_t n_calls = 0;
    for (int round = 0; round < 1500; ++round) {
      std::string text;
      for (size_t n = 1 + random() % 14; n > 0; --n) text += pieces[random() % pieces.size()];
      const ReplyOptions options{.tools = &tools(), .inside_thinking = round % 3 == 0, .id_seed = 5};
      const Reply whole = read_cut(format, options, text, [&] { return text.size(); });
      n_calls += whole.calls.size();
      ASSERT_EQ(read_cut(format, options, text, [] { return 1; }), whole) << name_of(syntax) << ": " << text;
      ASSERT_EQ(read_cut(format, options, text, [&] { return 1 + random() % 6; }), whole) << name_of(syntax) << ": " << text;
    }
    EXPECT_EQ(n_calls > 0, syntax != CallSyntax::kNone) << name_of(syntax);  // else the rounds say nothing about calls
  }
}

}  // namespace
}  // namespace glint
