// SPDX-License-Identifier: Apache-2.0
//
// Sessions on the golden models: a prompt gives the same bits whole, in chunks, token by token and out of a cache that
// held something else; generation gives Hugging Face's ids, one text for one seed, and ends for the reason it should.
#include "engine/session.h"

#include <gmock/gmock.h>

#include <fstream>
#include <span>

#include "base/check.h"
#include "base/utf8.h"
#include "tests/unit/model/golden.h"

namespace glint {
namespace {

using Ids = std::vector<int32_t>;

EngineOptions options_of(const std::string& backend = "cpu", int n_ubatch = 512, int n_threads = 2) {
  EngineOptions options;
  options.backend = backend;
  options.n_threads = n_threads;
  options.n_ctx = 256;
  options.n_ubatch = n_ubatch;
  return options;
}

Engine open(const std::string& model, const EngineOptions& options = options_of()) {
  return Engine::open(gguf::File::open(golden::folder() + "/" + model + ".gguf"), options);
}

std::vector<float> logits_of(const Session& session) {
  return {session.logits().begin(), session.logits().end()};
}

Sampler sampler_of(SamplingParams params, SamplerVocab vocab = {}) {
  return Sampler(resolve_sampling(params, {}, gguf::Metadata()), std::move(vocab));
}
Sampler greedy() {
  SamplingParams params;
  params.temperature = 0;
  return sampler_of(params);
}
/// Wide open, so that a difference of one draw shows.
Sampler seeded(int64_t seed) {
  SamplingParams params;
  params.temperature = 1;
  params.top_k = 0;
  params.top_p = 1;
  params.min_p = 0;
  params.seed = seed;
  return sampler_of(params);
}

GenerateOptions limited(int n_predict) {
  GenerateOptions options;
  options.n_predict = n_predict;
  options.ignore_eos = true;
  return options;
}

Ids joined(Ids ids, const Ids& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

/// One model of each kind of attention and cache use.
class SessionBits : public golden::Test, public testing::WithParamInterface<const char*> {
 protected:
  Ids prompt() const { return golden::prompt_ids(GetParam(), "p64"); }
  std::vector<float> fresh(const Ids& ids, const EngineOptions& options = options_of()) const {
    Engine engine = open(GetParam(), options);
    Session session(engine);
    EXPECT_TRUE(session.sync(ids));
    return logits_of(session);
  }
};

TEST_P(SessionBits, WholeChunkedAndOneByOne) {
  for (const char* backend : {"cpu", "ref"}) {
    const std::vector<float> whole = fresh(prompt(), options_of(backend));
    EXPECT_EQ(fresh(prompt(), options_of(backend, 7)), whole) << backend;
    EXPECT_EQ(fresh(prompt(), options_of(backend, 63)), whole) << backend;
    Engine engine = open(GetParam(), options_of(backend));
    Session session(engine);
    const Ids text = prompt();
    for (size_t n = 1; n <= text.size(); ++n) session.sync(std::span(text).first(n));
    EXPECT_EQ(logits_of(session), whole) << backend;
    EXPECT_EQ(session.timings().n_prompt, 1);
    EXPECT_EQ(session.timings().n_cached, 63);
  }
}

TEST_P(SessionBits, ACacheThatHeldSomethingElseEqualsAFreshOne) {
  Engine engine = open(GetParam());
  Session session(engine);
  const Ids text = prompt();
  Ids branch = text;
  std::reverse(branch.begin() + 20, branch.end());
  const Ids shorter(text.begin(), text.begin() + 30);
  const Ids one = {text[0]};
  const Ids other = {text[1], text[0]};
  struct Turn {
    Ids ids;
    int n_cached;  // what must be reused
  };
  // The last id is computed again even when everything is in the cache.
  const std::vector<Turn> turns = {{text, 0},  {text, 63}, {shorter, 29}, {branch, 20},
                                   {text, 20}, {one, 0},   {other, 0},    {text, 0}};
  for (size_t i = 0; i < turns.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_TRUE(session.sync(turns[i].ids));
    EXPECT_EQ(session.timings().n_cached, turns[i].n_cached);
    EXPECT_EQ(session.timings().n_prompt, static_cast<int>(turns[i].ids.size()) - turns[i].n_cached);
    EXPECT_EQ(logits_of(session), fresh(turns[i].ids));
    EXPECT_EQ(Ids(session.ids().begin(), session.ids().end()), turns[i].ids);
  }
}

TEST_P(SessionBits, ATurnThatHoldsTheAnswerReusesIt) {
  Engine engine = open(GetParam());
  Session session(engine);
  session.sync(prompt());
  Sampler sampler = greedy();
  const Ids answer = session.generate(sampler, limited(10)).ids;
  const Ids next = joined(joined(prompt(), answer), {5, 6, 7});
  session.sync(next);
  EXPECT_EQ(session.timings().n_cached, 64 + 9);  // the last id of an answer is not computed
  EXPECT_EQ(logits_of(session), fresh(next));
}

TEST_P(SessionBits, AnInterruptedPromptCanBeTriedAgain) {
  Engine engine = open(GetParam(), options_of("cpu", 10));
  Session session(engine);
  session.sync(Ids{1, 2, 3});
  std::atomic<bool> cancel = false;
  std::vector<int> done;
  const auto progress = [&](int n_done, int n_total) {
    EXPECT_EQ(n_total, 64);
    done.push_back(n_done);
    cancel = n_done >= 30;
  };
  EXPECT_FALSE(session.sync(prompt(), progress, &cancel));
  EXPECT_THAT(done, testing::ElementsAre(10, 20, 30));
  EXPECT_EQ(session.ids().size(), 30u);
  // What was known of the text before must not be continued.
  EXPECT_TRUE(session.logits().empty());
  Sampler sampler = greedy();
  EXPECT_THROW(session.generate(sampler, limited(1)), InternalError);
  EXPECT_TRUE(session.sync(prompt()));
  EXPECT_EQ(session.timings().n_cached, 30);
  EXPECT_EQ(logits_of(session), fresh(prompt()));
}

TEST_P(SessionBits, TwoSequencesSideBySideEqualEachAlone) {
  EngineOptions options = options_of();
  options.n_sequences = 2;
  Engine engine = open(GetParam(), options);
  Session a(engine, 0), b(engine, 1);
  Ids mine = prompt(), yours = prompt();
  std::reverse(yours.begin(), yours.end());
  for (size_t n = 16; n <= 64; n += 16) {
    a.sync(std::span(mine).first(n));
    b.sync(std::span(yours).first(n));
  }
  EXPECT_EQ(logits_of(a), fresh(mine));
  EXPECT_EQ(logits_of(b), fresh(yours));
  Sampler one = seeded(3), two = seeded(3);
  const Ids from_a = a.generate(one, limited(12)).ids;
  Engine alone = open(GetParam());
  Session session(alone);
  session.sync(mine);
  EXPECT_EQ(from_a, session.generate(two, limited(12)).ids);
}

/// Sessions that share a sequence, and a pass over all logits, overwrite the cache; nobody may believe in what was
/// there.
TEST_P(SessionBits, SessionsThatTakeTurnsOnOneSequence) {
  Engine engine = open(GetParam());
  Session a(engine), b(engine);
  const Ids text = prompt();
  Ids branch = text;
  std::reverse(branch.begin() + 40, branch.end());
  a.sync(text);
  b.sync(branch);
  EXPECT_EQ(b.timings().n_cached, 40);
  a.sync(text);
  EXPECT_EQ(a.timings().n_cached, 40);
  EXPECT_EQ(logits_of(a), fresh(text));
  std::vector<float> last;
  engine.for_each_logits(branch, false, [&](std::span<const float> row) { last.assign(row.begin(), row.end()); });
  EXPECT_EQ(last, fresh(branch));
  a.sync(text);
  EXPECT_EQ(a.timings().n_cached, 40);
  EXPECT_EQ(logits_of(a), fresh(text));
  EXPECT_THROW(Session(engine, 1), Error);
}

TEST_P(SessionBits, OneSeedOneText) {
  const auto text = [&](const EngineOptions& options, int64_t seed) {
    Engine engine = open(GetParam(), options);
    Session session(engine);
    session.sync(prompt());
    Sampler sampler = seeded(seed);
    return session.generate(sampler, limited(40)).ids;
  };
  const Ids expected = text(options_of("cpu", 512, 1), 42);
  EXPECT_EQ(text(options_of("cpu", 512, 3), 42), expected);
  EXPECT_EQ(text(options_of("cpu", 9, 2), 42), expected);
  EXPECT_NE(text(options_of(), 43), expected);
}

TEST_P(SessionBits, ASeedHoldsAfterOtherTraffic) {
  Engine engine = open(GetParam());
  Session session(engine);
  const auto text = [&](const Ids& ids, int64_t seed) {
    session.sync(ids);
    Sampler sampler = seeded(seed);
    return session.generate(sampler, limited(20)).ids;
  };
  const Ids first = text(prompt(), 42);
  text(Ids{9, 8, 7}, 1);
  EXPECT_EQ(text(prompt(), 42), first);
  int n_differing = 0;
  for (int64_t seed = 0; seed < 10; ++seed) n_differing += text(prompt(), seed) != first;
  EXPECT_GE(n_differing, 9);
}

TEST_P(SessionBits, StoppedAndContinuedEqualsInOne) {
  Engine engine = open(GetParam());
  Session session(engine);
  session.sync(prompt());
  Sampler whole = seeded(7);
  const Ids expected = session.generate(whole, limited(16)).ids;
  session.sync(prompt());
  Sampler parts = seeded(7);
  Ids ids;
  for (int i = 0; i < 4; ++i) {
    ids = joined(ids, session.generate(parts, limited(4)).ids);
    session.sync(joined(prompt(), ids));
  }
  EXPECT_EQ(ids, expected);
}

INSTANTIATE_TEST_SUITE_P(Models, SessionBits, testing::Values("glm4_moe_lite", "gpt_oss", "gemma2", "qwen3"),
                         [](const auto& tested) { return std::string(tested.param); });

class SessionGolden : public golden::Test, public testing::WithParamInterface<std::string> {};

TEST_P(SessionGolden, GreedyIdsAreHuggingFaces) {
  EngineOptions options = options_of("cpu", 16);
  options.k_dtype = options.v_dtype = DType::kF32;
  Engine engine = open(GetParam(), options);
  Session session(engine);
  const nlohmann::json answers = golden::answers(GetParam());
  ASSERT_FALSE(answers["prompts"].empty());
  for (const auto& answer : answers["prompts"]) {
    const auto ids = answer["ids"].get<Ids>();
    const auto expected = answer["greedy"].get<Ids>();
    if (ids.size() + expected.size() > 256) continue;
    session.sync(ids);
    Sampler sampler = greedy();
    EXPECT_EQ(session.generate(sampler, limited(static_cast<int>(expected.size()))).ids, expected) << answer["name"];
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SessionGolden, testing::ValuesIn(golden::names()));

/// How a generation ends, and what it gives out on the way.
class SessionEnds : public golden::Test {
 protected:
  void SetUp() override {
    golden::Test::SetUp();
    if (IsSkipped()) return;
    engine.emplace(open("llama"));
    session.emplace(*engine);
    session->sync(prompt);
  }
  Ids prompt = golden::available() ? golden::prompt_ids("llama", "p7") : Ids{};
  std::optional<Engine> engine;
  std::optional<Session> session;

  /// The greedy text after the prompt, with this many ids.
  GenerateResult greedy_result(int n) {
    session->sync(prompt);
    Sampler sampler = greedy();
    return session->generate(sampler, limited(n));
  }
};

TEST_F(SessionEnds, AtTheLimit) {
  Sampler sampler = greedy();
  int n_pieces = 0;
  std::string text;
  const GenerateResult result = session->generate(sampler, limited(12), [&](const Piece& piece) {
    n_pieces += piece.id >= 0;
    text += piece.text;
    return true;
  });
  EXPECT_EQ(result.reason, FinishReason::kLimit);
  EXPECT_EQ(result.ids.size(), 12u);
  EXPECT_EQ(n_pieces, 12);
  EXPECT_EQ(text, result.text);
  EXPECT_EQ(result.end_id, -1);
  EXPECT_EQ(session->timings().n_predicted, 12);
  EXPECT_GT(session->timings().predicted_seconds, 0);
  const GenerateResult none = session->generate(sampler, limited(0));
  EXPECT_EQ(none.reason, FinishReason::kLimit);
  EXPECT_TRUE(none.ids.empty());
}

/// Without a limit a model that never ends must still end: when the context is full.
TEST_F(SessionEnds, WhenTheContextIsFull) {
  EngineOptions options = options_of();
  options.n_ctx = 40;
  Engine small = open("llama", options);
  Session in_small(small);
  in_small.sync(prompt);
  Sampler sampler = greedy();
  const GenerateResult result = in_small.generate(sampler, limited(-1));
  EXPECT_EQ(result.reason, FinishReason::kContextFull);
  EXPECT_EQ(in_small.ids().size(), 40u);
  EXPECT_EQ(result.ids.size(), 40 - 7 + 1u);  // one more follows from the last that found room
  EXPECT_EQ(result.ids, greedy_result(34).ids);
  // The session is usable afterwards.
  in_small.sync(prompt);
  EXPECT_EQ(in_small.generate(sampler, limited(5)).ids, greedy_result(5).ids);
}

TEST_F(SessionEnds, AtTheEndOfText) {
  const int32_t end = engine->tokenizer().vocab().end_of_generation()[0];
  SamplingParams params;
  params.temperature = 0;
  params.logit_bias = {{end, 1e4f}};
  Sampler sampler = sampler_of(params);
  GenerateOptions options;
  const GenerateResult result = session->generate(sampler, options);
  EXPECT_EQ(result.reason, FinishReason::kEndOfText);
  EXPECT_EQ(result.end_id, end);
  EXPECT_TRUE(result.ids.empty());
  EXPECT_TRUE(result.text.empty());
  // Under ignore_eos it is never chosen, whatever its logit.
  options.ignore_eos = true;
  options.n_predict = 20;
  Sampler without = sampler_of(params, engine->sampler_vocab(true, {}));
  const GenerateResult ignored = session->generate(without, options);
  EXPECT_EQ(ignored.reason, FinishReason::kLimit);
  EXPECT_THAT(ignored.ids, testing::Not(testing::Contains(end)));
}

TEST_F(SessionEnds, AVocabularyWithoutAnEndIsWarnedOf) {  // REPORTS C10
  const auto warnings = [](const Engine& opened) {
    std::string texts;
    for (const Finding& finding : opened.model().findings) texts += finding.text + "\n";
    return texts;
  };
  EXPECT_THAT(warnings(*engine), testing::Not(testing::HasSubstr("ends an answer")));
  // Neither named nor known by its text.
  const std::vector<std::string> overrides = {"tokenizer.ggml.eos_token_id=int:-1"};
  std::ifstream file(golden::folder() + "/llama2.gguf", std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  for (size_t at = 0; (at = bytes.find("</s>", at)) != std::string::npos;) bytes.replace(at, 4, "<_s>");
  Engine endless = Engine::open(gguf::File::parse(std::as_bytes(std::span(bytes)), "llama2", overrides), options_of());
  ASSERT_TRUE(endless.tokenizer().vocab().end_of_generation().empty());
  EXPECT_THAT(warnings(endless), testing::HasSubstr("ends an answer"));
  Session in_endless(endless);
  in_endless.sync(endless.tokenizer().encode("a", {.add_special = true}));
  Sampler sampler = greedy();
  GenerateOptions options;
  EXPECT_EQ(in_endless.generate(sampler, options).reason, FinishReason::kContextFull);
}

TEST_F(SessionEnds, BeforeAStopString) {
  const GenerateResult whole = greedy_result(30);
  // The stop string spans pieces: it begins inside one id's text and ends inside another's.
  ASSERT_GT(whole.text.size(), 25u);
  const size_t at = 10;
  const std::string stop = whole.text.substr(at, 9);
  ASSERT_EQ(whole.text.find(stop), at);
  session->sync(prompt);
  Sampler sampler = greedy();
  GenerateOptions options = limited(30);
  options.stop_strings = {"never in the text", stop};
  std::string shown;
  const GenerateResult result = session->generate(sampler, options, [&](const Piece& piece) {
    shown += piece.text;
    return true;
  });
  EXPECT_EQ(result.reason, FinishReason::kStopString);
  EXPECT_EQ(result.stopping_string, stop);
  EXPECT_EQ(result.text, whole.text.substr(0, at));
  EXPECT_EQ(shown, result.text);
  EXPECT_LT(result.ids.size(), whole.ids.size());
  EXPECT_TRUE(std::equal(result.ids.begin(), result.ids.end(), whole.ids.begin()));
}

TEST_F(SessionEnds, WhatAStopStringHeldBackIsShownAtTheLimit) {
  const GenerateResult whole = greedy_result(10);
  session->sync(prompt);
  Sampler sampler = greedy();
  GenerateOptions options = limited(10);
  options.stop_strings = {whole.text.substr(whole.text.size() - 3) + " and more"};
  EXPECT_EQ(session->generate(sampler, options).text, whole.text);
}

TEST_F(SessionEnds, WhenCancelled) {
  Sampler sampler = greedy();
  std::atomic<bool> cancel = true;
  GenerateOptions options = limited(-1);
  GenerateResult result = session->generate(sampler, options, {}, &cancel);
  EXPECT_EQ(result.reason, FinishReason::kCancelled);
  EXPECT_TRUE(result.ids.empty());

  cancel = false;
  int n = 0;
  result = session->generate(sampler, options, [&](const Piece&) {
    cancel = ++n == 5;
    return true;
  }, &cancel);
  EXPECT_EQ(result.reason, FinishReason::kCancelled);
  EXPECT_EQ(result.ids.size(), 5u);

  cancel = false;
  n = 0;
  session->sync(prompt);
  result = session->generate(sampler, options, [&](const Piece& piece) { return piece.id < 0 || ++n < 3; });
  EXPECT_EQ(result.reason, FinishReason::kCancelled);
  EXPECT_EQ(result.ids, greedy_result(3).ids);
}

/// Random ids give broken UTF-8; what is shown is whole code points all the same.
TEST_F(SessionEnds, PiecesAreWholeCodePoints) {
  session->sync(prompt);
  Sampler sampler = seeded(5);
  std::string text;
  bool saw_empty = false;
  const GenerateResult result = session->generate(sampler, limited(200), [&](const Piece& piece) {
    EXPECT_TRUE(utf8::is_valid(piece.text)) << text;
    saw_empty |= piece.text.empty();
    text += piece.text;
    return true;
  });
  EXPECT_TRUE(saw_empty);
  EXPECT_EQ(text, result.text);
  EXPECT_EQ(result.text, engine->tokenizer().decode(result.ids, {.skip_special = true, .continues = true}));
}

TEST_F(SessionEnds, BadPromptsChangeNothing) {
  session->sync(prompt);
  const std::vector<float> before = logits_of(*session);
  const auto message = [&](const Ids& ids) {
    try {
      session->sync(ids);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({}), "the prompt is empty");
  EXPECT_EQ(message({1, 2, -1}), "token id -1 is outside the vocabulary of 896");
  EXPECT_EQ(message({1, 896}), "token id 896 is outside the vocabulary of 896");
  EXPECT_EQ(message(Ids(257, 1)), "the prompt has 257 tokens and the context 256; raise it with -c");
  EXPECT_EQ(Ids(session->ids().begin(), session->ids().end()), prompt);
  session->sync(prompt);
  EXPECT_EQ(session->timings().n_cached, 6);
  EXPECT_EQ(logits_of(*session), before);
  EXPECT_TRUE(session->sync(Ids(256, 1)));  // exactly full
}

}  // namespace
}  // namespace glint
