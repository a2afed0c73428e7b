// SPDX-License-Identifier: Apache-2.0
//
// Many requests at once: each gets, bit for bit, the answer it would get alone; ends for the reason it should; and
// what can go wrong with one is nobody else's concern.
#include "engine/batch_engine.h"

#include <gmock/gmock.h>

#include <thread>

#include "engine/constraint.h"
#include "grammar/gbnf.h"
#include "tests/unit/engine/batch_fixture.h"

namespace glint {
namespace {

using namespace batch;
using testing::HasSubstr;

/// Ids from a fixed sequence without pattern.
Ids some_ids(int from, int count, int n_vocab) {
  Ids ids;
  uint32_t state = 12345u + static_cast<uint32_t>(from) * 7919u;
  for (int i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    ids.push_back(static_cast<int32_t>((state >> 8) % static_cast<uint32_t>(n_vocab)));
  }
  return ids;
}

class BatchBits : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!has(GetParam())) GTEST_SKIP() << "the model is not here";
  }
  Ids prompt(int which, int count = 50) const { return some_ids(which, count, 200); }
  /// Id and log-probabilities of the request under test in an engine that also serves `neighbours`.
  static Told among(BatchEngine& engine, const Request& request, const std::vector<Request>& neighbours) {
    std::vector<std::unique_ptr<Stream>> others;
    for (size_t i = 0; i < neighbours.size() / 2; ++i) others.push_back(engine.submit(neighbours[i]));
    const std::unique_ptr<Stream> stream = engine.submit(request);
    for (size_t i = neighbours.size() / 2; i < neighbours.size(); ++i) others.push_back(engine.submit(neighbours[i]));
    return read_all(*stream)[0];
  }
};

TEST_P(BatchBits, TheSameAloneAndAmongNeighboursHitOrMissInAnyChunks) {
  Request request = request_of(prompt(0, 90), 20, 7);
  request.output.ignore_eos = true;
  request.n_logprobs = 50;
  Engine session_engine = open(GetParam(), 256, 1);
  const GenerateResult expected = alone(session_engine, request);
  ASSERT_EQ(expected.ids.size(), 20u);
  std::vector<double> logprobs;
  const std::vector<std::tuple<int, int, int>> settings = {{0, 128, 64}, {1, 64, 64}, {4, 40, 7}, {32, 128, 50}};
  for (const auto& [n_neighbours, n_ubatch, prompt_tokens] : settings) {
    SCOPED_TRACE(n_neighbours);
    BatchEngine engine(open(GetParam(), 256, 33, n_ubatch), {.prompt_tokens = prompt_tokens, .check_invariants = true});
    std::vector<Request> neighbours;
    for (int i = 0; i < n_neighbours; ++i) {
      // Some begin as the request does.
      Ids ids = prompt(i + 1);
      if (i % 3 == 0) std::copy_n(request.ids.begin(), 20 + i, ids.begin());
      if (i % 7 == 0) ids = request.ids;
      neighbours.push_back(request_of(ids, 30, i));
      neighbours.back().output.ignore_eos = true;
    }
    for (const bool hit : {false, true}) {
      const Told told = among(engine, request, neighbours);
      EXPECT_EQ(told.ids, expected.ids) << hit;
      EXPECT_EQ(told.text, expected.text);
      if (logprobs.empty()) logprobs = told.logprobs;
      EXPECT_EQ(told.logprobs, logprobs);
      EXPECT_EQ(told.logprobs.size(), 20u * 51);
      ASSERT_TRUE(told.finish);
      EXPECT_EQ(told.finish->reason, FinishReason::kLimit);
      if (hit || n_neighbours == 0) {
        EXPECT_EQ(told.finish->cache.n_cached, hit ? 89 : 0);
      }
    }
  }
}

TEST_P(BatchBits, CompletionsShareThePromptAndEqualOnesAlone) {
  BatchEngine engine(open(GetParam(), 256, 8), {.check_invariants = true});
  Request request = request_of(prompt(0, 100), 15, 40);
  request.output.ignore_eos = true;
  request.n = 6;
  const std::unique_ptr<Stream> stream = engine.submit(request);
  const std::vector<Told> told = read_all(*stream, 6);
  Engine session_engine = open(GetParam(), 256, 1);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(told[static_cast<size_t>(i)].ids, alone(session_engine, request, i).ids) << i;
    EXPECT_EQ(told[static_cast<size_t>(i)].finish->cache.n_cached, i == 0 ? 0 : 99);
  }
  EXPECT_NE(told[0].ids, told[1].ids);
}

INSTANTIATE_TEST_SUITE_P(Models, BatchBits, testing::Values("demo", "glm4_moe_lite", "gpt_oss", "gemma2", "qwen3"),
                         [](const auto& tested) { return std::string(tested.param); });

/// On the demo model, which is always here.
class Batch : public testing::Test {
 protected:
  void open_engine(int n_sequences = 4, BatchOptions options = {}, int n_ctx = 512) {
    options.check_invariants = true;
    engine_.emplace(open("demo", n_ctx, n_sequences), options);
  }
  Ids encode(const std::string& text) const { return engine_->engine().tokenizer().encode(text, {}); }
  Request story(int n_predict, float temperature = 0) const {
    return request_of(encode("Once upon a time"), n_predict, 1, temperature);
  }
  GenerateResult told_alone(const Request& request) {
    Engine engine = open("demo", 512, 1);
    return alone(engine, request);
  }
  /// Once all answers have ended (readers who went away do not see it) every page is free or idle.
  void expect_all_pages_back() {
    for (int i = 0; i < 5000 && engine_->status().n_open > 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const BatchEngine::Status status = engine_->status();
    EXPECT_EQ(status.n_open, 0);
    EXPECT_EQ(status.counts.n_running, 0);
    EXPECT_EQ(status.counts.n_free_pages + status.counts.n_idle_pages, status.counts.n_pages);
  }
  std::optional<BatchEngine> engine_;
};

TEST_F(Batch, OnePrefixForManyIsComputedOnce) {
  open_engine(32, {}, 1024);
  const Ids prefix = some_ids(1, 600, 8000);
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 32; ++i) {
    Ids ids = prefix;
    for (int32_t id : some_ids(100 + i, 5, 8000)) ids.push_back(id);
    streams.push_back(engine_->submit(request_of(ids, 4, i)));
    // Out of 1024 + 31 * 64 tokens; each would need 640 of its own.
  }
  int n_cached = 0;
  for (const auto& stream : streams) n_cached += read_all(*stream)[0].finish->cache.n_cached;
  EXPECT_GE(n_cached, 31 * 590);
  expect_all_pages_back();
  // The prefix, what each has for itself, and what two that began in the same step may both have done.
  EXPECT_LE(engine_->status().counts.n_rows, 605 + 32 * (10 + 5 + 3) + kPageTokens);
}

TEST_F(Batch, EndsForTheRightReason) {
  open_engine();
  const Request plain = story(30);
  const GenerateResult whole = told_alone(plain);
  Told told = read_all(*engine_->submit(plain))[0];
  EXPECT_EQ(told.ids, whole.ids);
  EXPECT_EQ(told.text, whole.text);
  EXPECT_EQ(told.finish->reason, FinishReason::kLimit);
  EXPECT_EQ(told.finish->timings.n_predicted, 30);
  EXPECT_GT(told.finish->timings.predicted_seconds, 0);

  Request stopped = plain;
  stopped.output.stop_strings = {"never said", whole.text.substr(20, 9)};
  told = read_all(*engine_->submit(stopped))[0];
  EXPECT_EQ(told.finish->reason, FinishReason::kStopString);
  EXPECT_EQ(told.finish->stopping_string, whole.text.substr(20, 9));
  EXPECT_EQ(told.text, whole.text.substr(0, whole.text.find(whole.text.substr(20, 9))));

  Request held_back = plain;
  held_back.output.stop_strings = {whole.text.substr(whole.text.size() - 3) + " and more"};
  EXPECT_EQ(read_all(*engine_->submit(held_back))[0].text, whole.text);

  Request to_the_end = story(-1);
  told = read_all(*engine_->submit(to_the_end))[0];
  EXPECT_EQ(told.finish->reason, FinishReason::kEndOfText);
  EXPECT_GE(told.finish->end_id, 0);
  EXPECT_EQ(told.text, told_alone(to_the_end).text);

  const Request nothing = story(0);
  told = read_all(*engine_->submit(nothing))[0];
  EXPECT_EQ(told.finish->reason, FinishReason::kLimit);
  EXPECT_TRUE(told.ids.empty());
}

TEST_F(Batch, AFullContextIsLengthAndTooMuchIsRefused) {
  open_engine(2, {}, 100);
  for (int n_prompt : {99, 100}) {
    Request request = request_of(some_ids(5, n_prompt, 8000), -1);
    request.output.ignore_eos = true;
    const Told told = read_all(*engine_->submit(request))[0];
    EXPECT_EQ(told.finish->reason, FinishReason::kContextFull);
    EXPECT_EQ(told.ids.size(), static_cast<size_t>(100 - n_prompt + 1));
  }
  for (int n_prompt : {101, 300}) {
    try {
      engine_->submit(request_of(some_ids(5, n_prompt, 8000), 1));
      ADD_FAILURE();
    } catch (const RequestError& error) {
      EXPECT_EQ(error.kind(), RequestError::Kind::kContextLength);
      EXPECT_THAT(error.what(), HasSubstr(std::to_string(n_prompt)));
      EXPECT_THAT(error.what(), HasSubstr("100"));
    }
  }
}

TEST_F(Batch, NonsenseIsRefused) {
  open_engine();
  const auto refused = [&](auto&& spoil) {
    Request request = story(5);
    spoil(request);
    try {
      engine_->submit(request);
    } catch (const RequestError& error) {
      return error.kind() == RequestError::Kind::kInvalid;
    }
    return false;
  };
  EXPECT_TRUE(refused([](Request& request) { request.ids.clear(); }));
  EXPECT_TRUE(refused([](Request& request) { request.ids.push_back(8192); }));
  EXPECT_TRUE(refused([](Request& request) { request.ids.push_back(-1); }));
  EXPECT_TRUE(refused([](Request& request) { request.n = 0; }));
  EXPECT_TRUE(refused([](Request& request) { request.n = 1 << 30; }));
  EXPECT_TRUE(refused([](Request& request) { request.n_logprobs = -2; }));
  EXPECT_TRUE(refused([](Request& request) { request.n_logprobs = 1 << 30; }));
  EXPECT_TRUE(refused([](Request& request) { request.sampling.params.logit_bias = {{1 << 30, 1.0f}}; }));
  EXPECT_TRUE(refused([](Request& request) { request.message_ends = {3, 1}; }));
  EXPECT_EQ(read_all(*engine_->submit(story(5)))[0].ids.size(), 5u);
}

TEST_F(Batch, AFullQueueRefuses) {
  open_engine(1, {.n_queued = 2});
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(engine_->submit(story(200)));
  try {
    engine_->submit(story(1));
    ADD_FAILURE();
  } catch (const RequestError& error) {
    EXPECT_EQ(error.kind(), RequestError::Kind::kQueueFull);
  }
  streams.clear();
  expect_all_pages_back();
  EXPECT_EQ(read_all(*engine_->submit(story(3)))[0].ids.size(), 3u);
}

TEST_F(Batch, CancelledAnswersEndSoonAndGiveTheirPagesBack) {
  open_engine(2);
  Request endless = story(-1, 1);
  endless.output.ignore_eos = true;
  const std::unique_ptr<Stream> running = engine_->submit(endless);
  std::vector<std::unique_ptr<Stream>> queued;
  for (int i = 0; i < 4; ++i) queued.push_back(engine_->submit(endless));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(running->next());
  running->cancel();
  const Told told = read_all(*running)[0];
  EXPECT_EQ(told.finish->reason, FinishReason::kCancelled);
  EXPECT_TRUE(running->is_over());
  queued.back()->cancel();
  EXPECT_EQ(read_all(*queued.back())[0].finish->reason, FinishReason::kCancelled);
  queued.clear();  // readers who go away
  expect_all_pages_back();
  EXPECT_EQ(read_all(*engine_->submit(story(30)))[0].ids, told_alone(story(30)).ids);
}

TEST_F(Batch, ASlowReaderHoldsUpNobodyAndLosesNothing) {
  open_engine(2, {.n_buffered_events = 3});
  const Request request = story(60);
  const std::unique_ptr<Stream> slow = engine_->submit(request);
  ASSERT_TRUE(slow->next());
  const Request other = request_of(encode("The dog"), 100, 3);
  EXPECT_EQ(read_all(*engine_->submit(other))[0].ids, told_alone(other).ids);
  Told told = read_all(*slow)[0];
  told.ids.insert(told.ids.begin(), told_alone(request).ids[0]);
  EXPECT_EQ(told.ids, told_alone(request).ids);
  // Two who do not read while their places are wanted.
  const std::unique_ptr<Stream> one = engine_->submit(request), two = engine_->submit(story(50));
  EXPECT_EQ(read_all(*engine_->submit(other))[0].ids, told_alone(other).ids);
  EXPECT_EQ(read_all(*two)[0].ids, told_alone(story(50)).ids);
  EXPECT_EQ(read_all(*one)[0].ids, told_alone(request).ids);
}

TEST_F(Batch, AConstraintThatCannotBeSpeltFailsAlone) {
  open_engine();
  // A vocabulary of one letter: the second one of the text has no token.
  const Vocab& vocab = engine_->engine().tokenizer().vocab();
  std::vector<std::string_view> tokens(static_cast<size_t>(engine_->engine().model().spec.n_vocab));
  const int32_t a = vocab.byte_token('a').value();
  tokens[static_cast<size_t>(a)] = "a";
  const auto trie = std::make_shared<const grammar::TokenTrie>(tokens, std::span<const int32_t>());
  const auto grammar = std::make_shared<const grammar::Grammar>(grammar::compile_gbnf("root ::= \"aab\""));
  Constraint constraint;
  constraint.sets = std::make_shared<grammar::TokenSets>(grammar, trie);
  Request failing = story(20, 1);
  failing.output.constraint = std::make_shared<const Constraint>(constraint);
  const Request plain = story(20, 1);
  const auto one = engine_->submit(failing), other = engine_->submit(plain);
  const Told failed = read_all(*one)[0];
  EXPECT_EQ(failed.finish->reason, FinishReason::kError);
  EXPECT_THAT(failed.finish->error, HasSubstr("no token can be chosen"));
  EXPECT_EQ(failed.ids, (Ids{a, a}));
  EXPECT_EQ(read_all(*other)[0].ids, told_alone(plain).ids);
}

TEST_F(Batch, ReportsWhatTheCacheHadAndWherePromptsParted) {
  open_engine();
  const Ids system =
      encode("You are a kind helper. It is Monday, and the sun is shining over the little town by the sea.");
  const Ids question = encode(" Who are you?");
  Ids first = system;
  first.insert(first.end(), question.begin(), question.end());
  Told told = read_all(*engine_->submit(request_of(first, 5)))[0];
  EXPECT_EQ(told.finish->cache.n_prompt, static_cast<int>(first.size()));
  EXPECT_EQ(told.finish->cache.n_cached, 0);
  EXPECT_FALSE(told.finish->cache.parting);

  const Ids other_system =
      encode("You are a kind helper. It is Tuesday, and the sun is shining over the little town by the sea.");
  Request second = request_of(other_system, 5);
  second.ids.insert(second.ids.end(), question.begin(), question.end());
  second.message_ends = {static_cast<int>(other_system.size()), static_cast<int>(second.ids.size())};
  told = read_all(*engine_->submit(second))[0];
  const CacheReport& cache = told.finish->cache;
  ASSERT_TRUE(cache.parting);
  const auto parted = std::mismatch(first.begin(), first.end(), second.ids.begin()).first - first.begin();
  EXPECT_EQ(cache.parting->position, parted);
  EXPECT_EQ(cache.n_cached, parted);
  EXPECT_EQ(cache.parting->message, 0);
  EXPECT_THAT(cache.parting->prompt_text, HasSubstr("It is Tuesday"));
  EXPECT_THAT(cache.parting->cached_text, HasSubstr("It is Monday"));

  // The next turn of a conversation: everything said is there, the answer's last token excepted.
  Request third = second;
  third.ids.insert(third.ids.end(), told.ids.begin(), told.ids.end());
  third.ids.push_back(11);
  const Told last = read_all(*engine_->submit(third))[0];
  EXPECT_EQ(last.finish->cache.n_cached, static_cast<int>(third.ids.size()) - 2);
  EXPECT_FALSE(last.finish->cache.parting);
}

TEST_F(Batch, LogprobsAreThoseOfTheLogits) {
  open_engine();
  Request request = story(3);
  request.n_logprobs = 2;
  const Told told = read_all(*engine_->submit(request))[0];
  Engine engine = open("demo", 512, 1);
  Session session(engine);
  Ids ids = request.ids;
  std::vector<double> expected;
  for (int32_t id : told.ids) {
    session.sync(ids);
    expected.push_back(log_probability(session.logits(), id));
    for (const auto& top : top_log_probabilities(session.logits(), 2)) expected.push_back(top.log_probability);
    ids.push_back(id);
  }
  EXPECT_EQ(told.logprobs, expected);
}

TEST_F(Batch, StreamsOutliveTheEngine) {
  open_engine(1);
  Request endless = story(-1, 1);
  endless.output.ignore_eos = true;
  const auto running = engine_->submit(endless), queued = engine_->submit(endless);
  running->next();
  engine_.reset();
  EXPECT_EQ(read_all(*running)[0].finish->reason, FinishReason::kCancelled);
  EXPECT_EQ(read_all(*queued)[0].finish->reason, FinishReason::kCancelled);
  EXPECT_FALSE(running->next());
}

TEST_F(Batch, AStepMustHaveRoomForEveryAnswer) {
  EXPECT_THROW(BatchEngine(open("demo", 256, 64, 64), {}), Error);
}

}  // namespace
}  // namespace glint
