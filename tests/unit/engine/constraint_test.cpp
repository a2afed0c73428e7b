// SPDX-License-Identifier: Apache-2.0
//
// Constraints on real generations: the demo model, at a temperature that makes it babble, writes what the constraint
// says and ends there, alone and among others; calls of every syntax come out of the parser as the tools' schemas want.
#include "engine/constraint.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/regex.h"
#include "tests/unit/engine/batch_fixture.h"
#include "tests/unit/sanitizers.h"
#include "text/reply_parser.h"

namespace glint {
namespace {

using namespace batch;
using Json = nlohmann::ordered_json;
using Kind = ConstraintSpec::Kind;
using Calls = ConstraintSpec::Calls;
using testing::HasSubstr;
using testing::StartsWith;

std::shared_ptr<const grammar::Grammar> schema_grammar(const std::string& schema) {
  return std::make_shared<const grammar::Grammar>(grammar::compile_json_schema_text(schema).grammar);
}

class ConstraintTest : public testing::Test {
 protected:
  ConstraintTest() : engine_(open("demo", 1024, 1)) {}

  ConstraintCompiler compiler(ReplyFormat format = {}) {
    return {engine_.tokenizer().vocab(), engine_.model().spec.n_vocab, std::move(format)};
  }
  Request request(const std::shared_ptr<const Constraint>& constraint, int64_t seed, int n_predict = 500) {
    Request made = request_of(engine_.tokenizer().encode("Once upon a time"), n_predict, seed, 1.5f);
    made.output.constraint = constraint;
    return made;
  }

  Engine engine_;
};

const std::vector<std::string>& schemas() {
  static const std::vector<std::string> kSchemas = {
      R"({"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0,"maximum":120}},"required":["name","age"]})",
      R"({"enum":["red","green",3,null,{"a":[1]}]})",
      R"({"type":"array","items":{"type":"number","minimum":-5,"maximum":5},"minItems":2,"maxItems":5})",
      R"({"type":"object","properties":{"z":{"type":"boolean"},"a":{"type":"string","pattern":"^[a-c]{2,4}$"},"k":{"$ref":"#/$defs/leaf"}},"required":["z","a"],"$defs":{"leaf":{"type":"string","format":"date"}}})",
      R"({"anyOf":[{"type":"string","maxLength":5},{"type":"integer"},{"type":"object","properties":{"id":{"const":7}},"required":["id"]}]})",
      R"({"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","maxItems":2,"items":{"type":"object","properties":{"v":{"type":"integer"}},"required":["v"]}}},"required":["v"]})",
      R"({"type":"string","minLength":3,"maxLength":12})",
      R"({"type":"object","properties":{"t":{"enum":["x","y"]}},"required":["t"],"additionalProperties":false})",
  };
  return kSchemas;
}

TEST_F(ConstraintTest, EveryAnswerKeepsItsSchema) {
  ConstraintCompiler compiler = this->compiler();
  BatchEngine batch(open("demo", 512, 12), {.check_invariants = true});
  struct Asked {
    size_t schema;
    Request request;
    std::unique_ptr<Stream> stream;
  };
  std::vector<Asked> asked;
  constexpr int kSeeds = kSanitized ? 8 : 30;
  for (int seed = 0; seed < kSeeds; ++seed) {
    for (size_t i = 0; i < schemas().size(); ++i) {
      Request made = request(compiler.compile({.text = schemas()[i]}), seed, 300);
      std::unique_ptr<Stream> stream = batch.submit(made);
      asked.push_back({i, std::move(made), std::move(stream)});
    }
  }
  std::vector<int> n_complete(schemas().size());
  for (Asked& one : asked) {
    const Told told = read_all(*one.stream)[0];
    ASSERT_TRUE(told.finish);
    EXPECT_EQ(told.finish->error, "");
    EXPECT_EQ(told.finish->reason, FinishReason::kEndOfText) << told.text;
    EXPECT_TRUE(Json::accept(told.text)) << told.text;
    EXPECT_TRUE(grammar::matches(schema_grammar(schemas()[one.schema]), told.text)) << told.text;
    n_complete[one.schema] += told.finish->reason == FinishReason::kEndOfText;
    if (one.schema == 0 || one.schema == 3) {
      EXPECT_EQ(told.ids, alone(engine_, one.request).ids);
    }
  }
  EXPECT_THAT(n_complete, testing::Each(kSeeds));
}

TEST_F(ConstraintTest, SurvivesPreemption) {
  const std::string schema =
      R"({"type":"array","items":{"type":"integer","minimum":100,"maximum":999},"minItems":50,"maxItems":55})";
  const auto constraint = compiler().compile({.text = schema});
  // Four pages for eight answers of three pages each.
  BatchEngine batch(open("demo", 256, 8), {.check_invariants = true});
  std::vector<Request> requests;
  std::vector<std::unique_ptr<Stream>> streams;
  for (int seed = 0; seed < 8; ++seed) {
    requests.push_back(request(constraint, seed));
    streams.push_back(batch.submit(requests.back()));
  }
  for (size_t i = 0; i < streams.size(); ++i) {
    const Told told = read_all(*streams[i])[0];
    EXPECT_EQ(told.finish->reason, FinishReason::kEndOfText);
    EXPECT_TRUE(grammar::matches(schema_grammar(schema), told.text)) << told.text;
    if (!kSanitized || i >= 6) {
      EXPECT_EQ(told.ids, alone(engine_, requests[i]).ids);  // the last gave way most often
    }
  }
  EXPECT_GT(batch.status().counts.n_preempted, 0);
}

TEST_F(ConstraintTest, EachCompletionHasItsOwnPlace) {
  BatchEngine batch(open("demo", 1024, 8), {});
  Request made = request(compiler().compile({.text = schemas()[0]}), 5);
  made.n = 6;
  const std::unique_ptr<Stream> stream = batch.submit(made);
  const std::vector<Told> told = read_all(*stream, 6);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(told[static_cast<size_t>(i)].ids, alone(engine_, made, i).ids);
    EXPECT_TRUE(Json::accept(told[static_cast<size_t>(i)].text));
  }
  EXPECT_NE(told[0].text, told[1].text);
}

TEST_F(ConstraintTest, RegularExpressionsAndGrammars) {
  ConstraintCompiler compiler = this->compiler();
  const std::string pattern = "(yes|no), [a-z]{3,8}\\.";
  const std::string gbnf = "root ::= \"<\" [0-9]{2,4} \">\" \"\\n\"?";
  for (int64_t seed = 0; seed < 10; ++seed) {
    const GenerateResult by_regex =
        alone(engine_, request(compiler.compile({.kind = Kind::kRegex, .text = pattern}), seed));
    EXPECT_TRUE(grammar::matches(std::make_shared<grammar::Grammar>(grammar::compile_regex(pattern)), by_regex.text))
        << by_regex.text;
    const GenerateResult by_gbnf = alone(engine_, request(compiler.compile({.kind = Kind::kGbnf, .text = gbnf}), seed));
    EXPECT_TRUE(grammar::matches(std::make_shared<grammar::Grammar>(grammar::compile_gbnf(gbnf)), by_gbnf.text))
        << by_gbnf.text;
  }
}

TEST_F(ConstraintTest, EndsWhereNothingCanFollowAndNotBefore) {
  ConstraintCompiler compiler = this->compiler();
  Request made = request(compiler.compile({.text = schemas()[0]}), 1);
  made.output.ignore_eos = true;  // the end is the grammar's, not a token
  const GenerateResult result = alone(engine_, made);
  EXPECT_EQ(result.reason, FinishReason::kEndOfText);
  EXPECT_EQ(result.end_id, -1);
  EXPECT_TRUE(Json::accept(result.text)) << result.text;
  // A number may end or go on: an end token is what ends it, and never comes first.
  const GenerateResult number = alone(engine_, request(compiler.compile({.text = R"({"type":"integer"})"}), 2));
  EXPECT_FALSE(number.text.empty());
  EXPECT_TRUE(Json::accept(number.text)) << number.text;
  made.output.ignore_eos = false;
  made.output.n_predict = 3;
  EXPECT_EQ(alone(engine_, made).reason, FinishReason::kLimit);
}

TEST_F(ConstraintTest, ControlTokensAreNeverChosen) {  // REPORTS E07
  ConstraintCompiler compiler = this->compiler();
  const Vocab& vocab = engine_.tokenizer().vocab();
  int n_control = 0;
  Request made = request(compiler.compile({.text = R"({"type":"array","items":{"type":"string"},"minItems":5})"}), 1, 200);
  for (int32_t id = 0; id < vocab.size(); ++id) {
    if (!vocab.is_special(id)) continue;
    ++n_control;
    made.sampling.params.logit_bias.emplace_back(id, 1000.0f);  // the model wants nothing else
  }
  ASSERT_GT(n_control, 10);
  for (int64_t seed = 0; seed < 5; ++seed) {
    made.sampling.params.seed = seed;
    const GenerateResult result = alone(engine_, made);
    for (const int32_t id : result.ids) EXPECT_FALSE(vocab.is_special(id)) << vocab.bytes(id);
    EXPECT_GT(result.ids.size(), 5u);
    EXPECT_TRUE(result.reason == FinishReason::kLimit || Json::accept(result.text)) << result.text;
  }
}

TEST_F(ConstraintTest, RefusesWhatItCannotKeepAndKnowsWhatItHasMade) {
  ConstraintCompiler compiler = this->compiler();
  const auto message = [&](const ConstraintSpec& spec) {
    try {
      compiler.compile(spec);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message({.text = R"({"type":"array","uniqueItems":true})"}), HasSubstr("#/uniqueItems"));
  EXPECT_THAT(message({.text = R"({"type":"integer","minimum":5,"maximum":4})"}), HasSubstr("schema"));
  EXPECT_THAT(message({.text = "{"}), StartsWith("schema: not JSON"));
  EXPECT_THAT(message({.text = std::string(5000, '[')}), HasSubstr("deep"));
  EXPECT_THAT(message({.kind = Kind::kRegex, .text = "(?=x)"}), HasSubstr("regular expression"));
  EXPECT_THAT(message({.kind = Kind::kGbnf, .text = "root ::= root"}), HasSubstr("root"));
  EXPECT_THAT(message({.kind = Kind::kTools, .text = "[]"}), HasSubstr("no tools"));
  EXPECT_THAT(message({.kind = Kind::kTools, .text = R"([{"name":"f"}])"}), HasSubstr("template"));
  const auto lenient = compiler.compile({.text = R"({"type":"array","uniqueItems":true})", .strict = false});
  EXPECT_EQ(lenient->warnings.size(), 1u);
  EXPECT_EQ(compiler.compile({.text = schemas()[0]}), compiler.compile({.text = schemas()[0]}));
  EXPECT_NE(compiler.compile({.text = schemas()[0]}),
            compiler.compile({.text = schemas()[0], .thinking = ThinkingStart::kInside}));
}

TEST_F(ConstraintTest, BeginsAfterThinkingWhichABudgetEnds) {
  ReplyFormat format;
  ConstraintCompiler compiler = this->compiler(format);
  for (int64_t seed = 0; seed < 10; ++seed) {
    Request made = request(compiler.compile({.text = schemas()[0], .thinking = ThinkingStart::kInside}), seed);
    made.output.thinking_budget =
        ThinkingBudget{.n_tokens = 12, .end_ids = engine_.tokenizer().encode("</think>"), .tags = {}};
    const GenerateResult result = alone(engine_, made);
    EXPECT_EQ(result.reason, FinishReason::kEndOfText);
    ReplyParser parser(format, {.inside_thinking = true});
    ReplyDelta delta = parser.push(result.text);
    const ReplyDelta rest = parser.finish();
    EXPECT_NE(delta.reasoning, "");
    const std::string content = delta.content + rest.content;
    EXPECT_TRUE(grammar::matches(schema_grammar(schemas()[0]), content)) << result.text;
    const size_t end = result.text.find("</think>");
    const Ids thought(result.ids.begin(), result.ids.begin() + 12);
    EXPECT_THAT(result.text.substr(0, end),
                StartsWith(engine_.tokenizer().decode(thought, {.continues = true}).substr(0, 5)));
  }
  // It may as well not think.
  Request made = request(compiler.compile({.text = R"({"const":5})", .thinking = ThinkingStart::kMayOpen}), 1);
  const GenerateResult result = alone(engine_, made);
  EXPECT_TRUE(result.text == "5" || result.text.starts_with("<think>")) << result.text;
}

TEST_F(ConstraintTest, ASchemaOrCallsButNothingElse) {
  ReplyFormat format;
  format.calls = CallSyntax::kHermes;
  ConstraintSpec spec{
      .text = R"({"enum":["yes","no"]})",
      .calls = Calls::kOne,
      .or_calls_of = R"([{"name":"look","parameters":{"type":"object","properties":{"n":{"type":"integer"}},
                                         "required":["n"],"additionalProperties":false}}])"};
  const auto either = compiler(format).compile(spec);
  const auto matches = [&](const Constraint& constraint, std::string_view text) {
    return grammar::matches(constraint.sets->grammar(), text);
  };
  EXPECT_TRUE(matches(*either, "\"yes\""));
  EXPECT_TRUE(matches(*either, "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"n\": 3}}\n</tool_call>"));
  EXPECT_FALSE(matches(*either, "Let me see. \"yes\""));
  EXPECT_FALSE(matches(*either, "\"yes\"<tool_call>\n{\"name\": \"look\", \"arguments\": {\"n\": 3}}\n</tool_call>"));
  EXPECT_FALSE(matches(*either, "<tool_call>\n{\"name\": \"leap\", \"arguments\": {\"n\": 3}}\n</tool_call>"));
  spec.thinking = ThinkingStart::kInside;
  const auto thoughtful = compiler(format).compile(spec);
  EXPECT_TRUE(matches(*thoughtful, "Hm.</think>\"no\""));
  EXPECT_FALSE(matches(*thoughtful, "<tool_call></think>\"no\""));  // would be read as a call
  // Bare calls are JSON like the answer.
  format.calls = CallSyntax::kLlama;
  EXPECT_THROW(compiler(format).compile(spec), Error);
}

TEST_F(ConstraintTest, ABudgetAloneForcesTheEndOfThinking) {
  Request made = request(nullptr, 4, 40);
  made.output.ignore_eos = true;
  const Ids free = alone(engine_, made).ids;
  const Ids end = engine_.tokenizer().encode("</think>");
  for (const int n : {0, 7}) {
    made.output.thinking_budget = ThinkingBudget{.n_tokens = n, .end_ids = end, .tags = {}};
    const Ids ids = alone(engine_, made).ids;
    ASSERT_EQ(ids.size(), 40u);
    EXPECT_EQ(Ids(ids.begin(), ids.begin() + n), Ids(free.begin(), free.begin() + n));
    EXPECT_EQ(Ids(ids.begin() + n, ids.begin() + n + static_cast<int>(end.size())), end);
  }
  made.output.thinking_budget->inside = false;  // nobody thinks: nothing to end
  EXPECT_EQ(alone(engine_, made).ids, free);
}

constexpr const char* kTools = R"([
  {"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{
    "city":{"type":"string","maxLength":12},"unit":{"enum":["C","F"]},"days":{"type":"integer","minimum":1,"maximum":9},
    "opts":{"type":"object","properties":{"wet":{"type":"boolean"}},"required":["wet"]}},"required":["city","days"]}}},
  {"type":"function","function":{"name":"now","parameters":{"type":"object","properties":{}}}},
  {"type":"function","function":{"name":"find","strict":true,"parameters":{"type":"object","properties":{
    "code":{"type":"string","pattern":"^[A-Z]{2}[0-9]+<?$","maxLength":6},"either":{"type":["number","null"],"minimum":0,"maximum":9}},
    "required":["code"]}}}])";

class ToolConstraint : public ConstraintTest, public testing::WithParamInterface<std::pair<CallSyntax, bool>> {
 protected:
  ReplyFormat format() const {
    ReplyFormat made;
    made.calls = GetParam().first;
    made.older_calls = GetParam().second;
    return made;
  }
  std::vector<ToolCallDelta> calls_in(const std::string& text, std::string* content = nullptr) {
    const Json tools = Json::parse(kTools);
    ReplyParser parser(format(), {.tools = &tools});
    ReplyDelta delta = parser.push(text);
    ReplyDelta rest = parser.finish();
    delta.calls.insert(delta.calls.end(), rest.calls.begin(), rest.calls.end());
    if (content != nullptr) *content = delta.content + rest.content;
    return delta.calls;
  }
  static void expect_valid(const ToolCallDelta& call) {
    for (const Json& tool : Json::parse(kTools)) {
      if (tool["function"]["name"] != call.name) continue;
      EXPECT_TRUE(grammar::matches(schema_grammar(tool["function"]["parameters"].dump()), call.arguments_delta))
          << call.name << " " << call.arguments_delta;
      return;
    }
    ADD_FAILURE() << "no tool " << call.name;
  }
};

TEST_P(ToolConstraint, ARequiredCallIsOneOfTheTools) {
  ConstraintCompiler compiler = this->compiler(format());
  for (int64_t seed = 0; seed < 5; ++seed) {
    const GenerateResult result = alone(
        engine_, request(compiler.compile({.kind = Kind::kTools, .text = kTools, .calls = Calls::kOne}), seed, 600));
    if (result.text.starts_with("<|channel|>analysis")) continue;  // it may think as long as it likes
    ASSERT_EQ(result.reason, FinishReason::kEndOfText) << result.text;
    std::string content;
    const std::vector<ToolCallDelta> calls = calls_in(result.text, &content);
    ASSERT_EQ(calls.size(), 1u) << result.text;
    EXPECT_EQ(content, "") << result.text;
    expect_valid(calls[0]);
  }
}

TEST_P(ToolConstraint, ANamedCallIsOfThatTool) {
  ConstraintCompiler compiler = this->compiler(format());
  const ConstraintSpec spec{.kind = Kind::kTools, .text = kTools, .calls = Calls::kSome, .tool = "find"};
  const GenerateResult result = alone(engine_, request(compiler.compile(spec), 2, 600));
  if (result.text.starts_with("<|channel|>analysis")) return;
  const std::vector<ToolCallDelta> calls = calls_in(result.text);
  ASSERT_GE(calls.size(), 1u) << result.text;
  for (const ToolCallDelta& call : calls) {
    EXPECT_EQ(call.name, "find");
    expect_valid(call);
  }
  EXPECT_THROW(compiler.compile({.kind = Kind::kTools, .text = kTools, .tool = "nobody"}), Error);
}

TEST_P(ToolConstraint, FreeCallsAreBoundOnceTheyBegin) {
  ConstraintCompiler compiler = this->compiler(format());
  const ConstraintSpec spec{.kind = Kind::kTools, .text = kTools, .calls = Calls::kAuto};
  std::shared_ptr<const Constraint> constraint;
  try {
    constraint = compiler.compile(spec);
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot be bound"));
    return;
  }
  grammar::Matcher matcher(constraint->sets);
  ASSERT_TRUE(matcher.accept_bytes("Some <tool text, [TOOL and "));
  EXPECT_TRUE(matcher.is_complete());
  const bool mistral = GetParam().first == CallSyntax::kMistral;
  ASSERT_TRUE(matcher.accept_bytes(mistral ? "[TOOL_CALLS]" : "<tool_call>"));
  EXPECT_FALSE(matcher.is_complete());
  EXPECT_FALSE(matcher.accept_bytes("nobody"));
}

INSTANTIATE_TEST_SUITE_P(Syntaxes, ToolConstraint,
                         testing::Values(std::pair{CallSyntax::kGlm, false}, std::pair{CallSyntax::kFunction, false},
                                         std::pair{CallSyntax::kHermes, false}, std::pair{CallSyntax::kLlama, false},
                                         std::pair{CallSyntax::kMistral, false}, std::pair{CallSyntax::kMistral, true},
                                         std::pair{CallSyntax::kDeepSeek, false},
                                         std::pair{CallSyntax::kDeepSeek, true},
                                         std::pair{CallSyntax::kHarmony, false}),
                         [](const auto& info) {
                           return std::string(name_of(info.param.first)) + (info.param.second ? "_older" : "");
                         });

}  // namespace
}  // namespace glint
