// SPDX-License-Identifier: Apache-2.0
//
// Masks against the plain definition (each token tried byte by byte), rollback, ends, and bounds on memory.
#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include <random>

#include "base/check.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"

namespace glint::grammar {
namespace {

constexpr std::string_view kJson = R"(root ::= object
value ::= object | array | string | number | "true" | "null"
object ::= "{" (string ":" value ("," string ":" value)*)? "}"
array ::= "[" (value ("," value)*)? "]"
string ::= "\"" char* "\""
char ::= [^"\\\x00-\x1F] | "\\" ["\\nt]
number ::= "-"? [0-9]+ ("." [0-9]+)?
)";

/// All bytes, tokens across the borders of rules, long ones, an unused id and an end token.
struct Vocabulary {
  std::vector<std::string> texts;
  int32_t end = 0;
  std::shared_ptr<const TokenTrie> trie;

  Vocabulary() {
    for (int byte = 0; byte < 256; ++byte) texts.emplace_back(1, static_cast<char>(byte));
    for (const char* text : {"{\"",      "\":",
                             "\",\"",    "\"}",
                             "}}",       "]}",
                             "},{",      "true",
                             "tru",      "12",
                             "3.5",      "-",
                             "hello",    "[[",
                             "\\\"",     "\":\"",
                             "\":{\"",   "1]",
                             "1,2",      "aaaa",
                             "\"a\":1",  "\xC3\xA9t\xC3\xA9",
                             "\xF0\x9F", "\x98\x80\""}) {
      texts.emplace_back(text);
    }
    texts.emplace_back(40, 'a');
    texts.emplace_back(60, '[');
    texts.push_back(std::string(50, 'b') + "\"}");
    texts.emplace_back("");
    texts.emplace_back("");
    end = static_cast<int32_t>(texts.size()) - 1;
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    trie = std::make_shared<const TokenTrie>(views, std::span(&end, 1));
  }
};

const Vocabulary& vocabulary() {
  static const Vocabulary shared;
  return shared;
}

std::shared_ptr<TokenSets> sets_of(Grammar grammar, const MachineLimits& limits = {}) {
  return std::make_shared<TokenSets>(std::make_shared<const Grammar>(std::move(grammar)), vocabulary().trie, limits);
}

bool bit(const std::vector<uint64_t>& words, int32_t id) {
  return (words[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0;
}

/// Walks at random; at every step the mask must be what the machine says token by token. Returns the text.
std::string walk(const std::shared_ptr<TokenSets>& sets, uint32_t seed, int max_tokens, int* n_masks) {
  std::mt19937 random(seed);
  Matcher matcher(sets);
  Machine machine(sets->grammar(), sets->limits());
  Machine::Config config = machine.start();
  std::vector<uint64_t> mask(matcher.mask_words());
  std::string text;
  for (int n = 0; n < max_tokens; ++n) {
    EXPECT_TRUE(matcher.mask(mask)) << "a dead end after " << text;
    ++*n_masks;
    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < sets->trie()->n_vocab(); ++id) {
      bool expected = sets->trie()->is_end(id) ? machine.complete(config) : !vocabulary().texts[id].empty();
      Machine::Config at = config;
      machine.begin_operation();
      for (const char c : vocabulary().texts[id]) at = machine.step(at, static_cast<uint8_t>(c));
      expected = expected && at != Machine::kDead;
      EXPECT_EQ(bit(mask, id), expected) << "token \"" << vocabulary().texts[id] << "\" after " << text;
      if (expected) allowed.push_back(id);
    }
    if (::testing::Test::HasFailure() || allowed.empty()) return text;
    const int32_t id = allowed[random() % allowed.size()];
    EXPECT_TRUE(matcher.accept(id));
    if (matcher.is_finished()) return text;
    text += vocabulary().texts[id];
    for (const char c : vocabulary().texts[id]) config = machine.step(config, static_cast<uint8_t>(c));
  }
  return text;
}

TEST(Matcher, MasksAreWhatTheGrammarAllows) {
  int n_masks = 0;
  const auto json = sets_of(compile_gbnf(kJson));
  const auto counted = sets_of(compile_gbnf("root ::= (\"\\\"\" [a-z\xC3\xA9]{3,70} \"\\\"}\"?){1,40} [0-9,]{0,35}"));
  const auto regex = sets_of(compile_regex("(a{2,50}|hello|\\[+)*b{40,60}\"}"));
  const auto schema = sets_of(compile_json_schema_text(R"({"type":"object","properties":{"a":{"type":"integer"},
    "b":{"type":"string","minLength":2,"maxLength":45},"c":{"type":"array","items":{"$ref":"#"},"maxItems":2}}})")
                                  .grammar);
  const auto shallow = sets_of(compile_gbnf(kJson), {.max_depth = 14});
  for (uint32_t seed = 0; seed < 12 && !HasFailure(); ++seed) {
    for (const auto& sets : {json, counted, regex, schema, shallow}) walk(sets, seed, 40, &n_masks);
  }
  EXPECT_GT(n_masks, 1000);
}

TEST(Matcher, AcceptsOnlyWhatIsAllowedAndStaysPutOtherwise) {
  Matcher matcher(sets_of(compile_gbnf(kJson)));
  EXPECT_FALSE(matcher.accept('x'));
  EXPECT_FALSE(matcher.accept(vocabulary().end));
  EXPECT_FALSE(matcher.accept(vocabulary().end - 1)) << "an unused token";
  EXPECT_TRUE(matcher.accept('{'));
  EXPECT_FALSE(matcher.accept(','));
  EXPECT_FALSE(matcher.is_complete());
  EXPECT_TRUE(matcher.accept_bytes("\"a\":[1,2"));
  EXPECT_TRUE(matcher.accept_bytes("]}"));
  EXPECT_TRUE(matcher.is_complete());
  EXPECT_FALSE(matcher.accept('{'));
  EXPECT_TRUE(matcher.accept(vocabulary().end));
  EXPECT_TRUE(matcher.is_finished());
  EXPECT_FALSE(matcher.accept(vocabulary().end));
  EXPECT_FALSE(matcher.accept_bytes(""));
  std::vector<uint64_t> mask(matcher.mask_words());
  EXPECT_FALSE(matcher.mask(mask));
  EXPECT_THROW(matcher.accept(100000), Error);
  EXPECT_THROW(matcher.accept(-1), Error);
}

TEST(Matcher, RollsBackToTheSameMasks) {
  Matcher matcher(sets_of(compile_gbnf(kJson)));
  std::vector<std::vector<uint64_t>> masks;
  const std::string text = "{\"a\":[1,2,{\"b\":\"x\"}],\"c\":-1.5}";
  const auto mask_now = [&] {
    std::vector<uint64_t> mask(matcher.mask_words());
    matcher.mask(mask);
    return mask;
  };
  for (const char c : text) {
    masks.push_back(mask_now());
    ASSERT_TRUE(matcher.accept(static_cast<uint8_t>(c)));
  }
  ASSERT_TRUE(matcher.accept(vocabulary().end));
  matcher.rollback(1);
  EXPECT_FALSE(matcher.is_finished());
  for (size_t i = text.size(); i > 0; --i) {
    matcher.rollback(1);
    ASSERT_EQ(mask_now(), masks[i - 1]) << i;
  }
  EXPECT_TRUE(matcher.accept_bytes(text));
  matcher.rollback(0);
  EXPECT_TRUE(matcher.is_complete());
  EXPECT_THROW(matcher.rollback(2), Error);
}

TEST(Matcher, ForgetsButKeepsWhatRollbackNeeds) {
  // A counter makes every position new, so the machine must forget many times.
  Matcher matcher(sets_of(compile_gbnf("root ::= \"[\" ([a-z]{0,30} \",\"){0,1000000} \"]\"")));
  ASSERT_TRUE(matcher.accept('['));
  std::mt19937 random(3);
  for (int i = 0; i < 30000; ++i)
    ASSERT_TRUE(matcher.accept(random() % 20 == 0 ? ','
                               : i % 30 == 0      ? ','
                                                  : 'a' + random() % 26) ||
                matcher.accept(','));
  std::vector<uint64_t> before(matcher.mask_words()), after(before);
  matcher.mask(before);
  ASSERT_TRUE(matcher.accept(','));
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(matcher.accept(','));
  matcher.rollback(401);
  matcher.mask(after);
  EXPECT_EQ(before, after);
  ASSERT_TRUE(matcher.accept_bytes(",]"));
  EXPECT_TRUE(matcher.is_complete());
}

TEST(Matcher, AtTheDepthLimitOnlyWaysOutAreAllowed) {
  const auto sets = sets_of(compile_gbnf(kJson), {.max_depth = 20});
  Matcher matcher(sets);
  int depth = 0;
  while (matcher.accept_bytes("{\"a\":")) ++depth;
  EXPECT_GT(depth, 5);
  EXPECT_LE(depth, 20);
  std::vector<uint64_t> mask(matcher.mask_words());
  ASSERT_TRUE(matcher.mask(mask));
  EXPECT_TRUE(matcher.accept_bytes("{}") || matcher.accept_bytes("1"));
  for (int i = 0; i < depth; ++i) ASSERT_TRUE(matcher.accept_bytes("}")) << i;
  EXPECT_TRUE(matcher.is_complete());
}

TEST(Matcher, BoundsTheWorkOnAmbiguousGrammars) {
  // Every "a" doubles the readings; beyond the limit some are dropped, and what is kept can still end.
  const char* const ambiguous = "root ::= \"a\" (x | y) | \"d\"\nx ::= root \"b\"\ny ::= root \"c\"";
  Matcher matcher(sets_of(compile_gbnf(ambiguous), {.max_threads = 50}));
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(matcher.accept('a'));
  ASSERT_TRUE(matcher.accept('d'));
  std::vector<uint64_t> mask(matcher.mask_words());
  for (int i = 0; i < 1000 && !matcher.is_complete(); ++i) {
    ASSERT_TRUE(matcher.mask(mask));
    ASSERT_TRUE(matcher.accept('b') || matcher.accept('c'));
  }
  EXPECT_TRUE(matcher.is_complete());
  Matcher costly(sets_of(compile_gbnf(ambiguous), {.max_threads = 1000000, .max_work = 20000}));
  EXPECT_THROW(for (int i = 0; i < 200; ++i) costly.accept('a'), Error);
}

}  // namespace
}  // namespace glint::grammar
