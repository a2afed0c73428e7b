// SPDX-License-Identifier: Apache-2.0
//
// 64 requests at a time from several threads, with common prefixes, forks, completions, cancels, readers who go away
// and all priorities, in a cache too small for them. After every step the books are checked (BatchOptions); every
// answer that finishes must be what it is alone, every cancelled one a beginning of that. GLINT_STRESS_SECONDS=600 runs
// each model that long.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/unit/engine/batch_fixture.h"
#include "tests/unit/sanitizers.h"

namespace glint {
namespace {

using namespace batch;
using Clock = std::chrono::steady_clock;

struct Case {
  Request request;
  std::vector<GenerateResult> expected;  // of each completion
  bool is_greedy = false;
};

struct Load {
  const char* model;
  int n_cases;
  int n_ctx;
  int most_predicted;
  double seconds;
  bool with_sanitizers;
};
void PrintTo(const Load& setup, std::ostream* out) {
  *out << setup.model;
}

/// Requests that begin alike in groups, with what they are to get.
std::vector<Case> make_cases(const Load& setup, std::mt19937& random) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Engine engine = open(setup.model, setup.n_ctx, 1);
  const std::string words[] = {"the", "dog",    "ran",  "home", "and", "then", "saw",
                               "a",   "little", "bird", "in",   "an",  "old",  "tree"};
  std::vector<Ids> stems;
  for (int i = 0; i < 4; ++i) {
    std::string text = i % 2 == 0 ? "Once upon a time" : "One morning";
    for (int k = below(120); k > 0; --k) text += " " + words[below(14)];
    stems.push_back(engine.tokenizer().encode(text, {}));
  }
  std::vector<Case> cases;
  for (int i = 0; i < setup.n_cases; ++i) {
    Case made;
    const Ids& stem = stems[static_cast<size_t>(below(4))];
    Ids ids(stem.begin(), stem.begin() + 1 + below(static_cast<int>(stem.size())));
    std::string text;
    for (int k = below(40); k > 0; --k) text += " " + words[below(14)];
    for (int32_t id : engine.tokenizer().encode(text, {})) ids.push_back(id);
    made.is_greedy = i % 3 == 0;
    made.request = request_of(ids, 1 + below(setup.most_predicted), below(1000), made.is_greedy ? 0 : 1);
    made.request.n = made.is_greedy || i % 5 != 1 ? 1 : 3;
    made.request.output.ignore_eos = i % 2 == 0;
    if (i % 4 == 1) made.request.output.stop_strings = {" the", "."};
    for (int completion = 0; completion < made.request.n; ++completion)
      made.expected.push_back(alone(engine, made.request, completion));
    cases.push_back(std::move(made));
  }
  return cases;
}

/// A request on its way, and what is known of it.
struct Running {
  const Case* of = nullptr;
  size_t n_known = 0;  // ids of the expected answer that were part of the prompt: a fork
  std::unique_ptr<Stream> stream;
  std::vector<Told> told;
  int n_until_cancel = -1;
  bool cancelled = false;
};

class Client {
 public:
  Client(BatchEngine& engine, const std::vector<Case>& cases, unsigned seed, int n_at_once)
      : engine_(engine), cases_(cases), random_(seed), running_(static_cast<size_t>(n_at_once)) {}

  void work(Clock::time_point deadline) {
    bool open = true;
    while (open) {
      open = false;
      for (Running& one : running_) {
        if (one.of == nullptr && Clock::now() < deadline) start(one);
        if (one.of == nullptr) continue;
        open = true;
        if (std::optional<Event> event = one.stream->next_within(std::chrono::milliseconds(1))) take(one, *event);
      }
    }
  }
  int n_finished = 0, n_cancelled = 0, n_forks = 0;

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  void submit(Running& one, Request request) {
    request.priority = static_cast<Priority>(below(3));
    one.told.assign(static_cast<size_t>(request.n), {});
    one.cancelled = false;
    one.n_until_cancel = below(4) == 0 ? below(30) : -1;
    one.stream = engine_.submit(std::move(request));
  }
  void start(Running& one) {
    one.of = &cases_[static_cast<size_t>(below(static_cast<int>(cases_.size())))];
    one.n_known = 0;
    submit(one, one.of->request);
  }
  /// The same greedy answer from its middle on.
  void fork(Running& from) {
    for (Running& one : running_) {
      if (one.of != nullptr) continue;
      one.of = from.of;
      one.n_known = from.n_known + from.told[0].ids.size();
      Request request = from.of->request;
      const Ids& expected = from.of->expected[0].ids;
      request.ids.insert(request.ids.end(), expected.begin(),
                         expected.begin() + static_cast<std::ptrdiff_t>(one.n_known));
      request.output.n_predict -= static_cast<int>(one.n_known);
      request.output.stop_strings.clear();  // text from before the fork may be part of one
      submit(one, std::move(request));
      ++n_forks;
      return;
    }
  }

  void take(Running& one, const Event& event) {
    one.told[static_cast<size_t>(event.completion)].add(event);
    if (event.finish) verify(one, event.completion);
    if (one.stream->is_over()) {
      one.of = nullptr;
      one.stream.reset();
      return;
    }
    if (one.of->is_greedy && one.of->request.output.stop_strings.empty() && !one.cancelled && below(20) == 0) fork(one);
    if (one.n_until_cancel >= 0 && one.n_until_cancel-- == 0) {
      one.cancelled = true;
      if (below(3) == 0) {  // nobody will look at the rest
        one.of = nullptr;
        one.stream.reset();
        ++n_cancelled;
      } else {
        one.stream->cancel();
      }
    }
  }

  void verify(const Running& one, int completion) {
    const Told& told = one.told[static_cast<size_t>(completion)];
    const GenerateResult& expected = one.of->expected[static_cast<size_t>(completion)];
    const Ids rest(expected.ids.begin() + static_cast<std::ptrdiff_t>(one.n_known), expected.ids.end());
    ASSERT_LE(told.ids.size(), rest.size());
    if (told.finish->reason == FinishReason::kCancelled) {
      EXPECT_TRUE(one.cancelled);
      EXPECT_TRUE(std::equal(told.ids.begin(), told.ids.end(), rest.begin()));
      ++n_cancelled;
      return;
    }
    EXPECT_EQ(told.ids, rest);
    EXPECT_EQ(told.finish->error, "");
    if (one.n_known == 0) {
      EXPECT_EQ(told.text, expected.text);
      EXPECT_EQ(told.finish->reason, expected.reason);
    }
    ++n_finished;
  }

  BatchEngine& engine_;
  const std::vector<Case>& cases_;
  std::mt19937 random_;
  std::vector<Running> running_;
};

class BatchStress : public testing::TestWithParam<Load> {};

TEST_P(BatchStress, EveryAnswerIsWhatItIsAlone) {
  const Load& setup = GetParam();
  if (!has(setup.model)) GTEST_SKIP() << "the model is not here";
  const char* seconds = std::getenv("GLINT_STRESS_SECONDS");
  if (kSanitized && seconds == nullptr && !setup.with_sanitizers) GTEST_SKIP() << "takes minutes with sanitizers";
  std::mt19937 random(7);
  const std::vector<Case> cases = make_cases(setup, random);
  constexpr int kThreads = 4, kAtOnce = 16;
  // A store too small as well.
  const std::string folder = testing::TempDir() + "glint_stress_" + setup.model;
  std::filesystem::remove_all(folder);
  BatchEngine engine(open(setup.model, setup.n_ctx, 12, 96),
                     {.prompt_tokens = 48,
                      .n_buffered_events = 8,
                      .store = {.folder = folder, .most_bytes = 10 << 20, .warn = {}},
                      .check_invariants = true});
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                                           seconds != nullptr ? std::atof(seconds) : setup.seconds));
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    clients.push_back(std::make_unique<Client>(engine, cases, static_cast<unsigned>(i), kAtOnce));
    threads.emplace_back([&client = *clients.back(), deadline] { client.work(deadline); });
  }
  for (std::thread& thread : threads) thread.join();
  int n_finished = 0, n_cancelled = 0, n_forks = 0;
  for (const auto& client : clients) {
    n_finished += client->n_finished;
    n_cancelled += client->n_cancelled;
    n_forks += client->n_forks;
  }
  for (int i = 0; i < 5000 && engine.status().n_open > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const BatchEngine::Status status = engine.status();
  EXPECT_EQ(status.n_open, 0);
  EXPECT_EQ(status.counts.n_free_pages + status.counts.n_idle_pages, status.counts.n_pages);
  EXPECT_GT(n_finished, 10);
  EXPECT_GT(n_cancelled, 5);
  EXPECT_GT(status.counts.n_preempted, 0);
  std::filesystem::remove_all(folder);
  std::printf("%s: %d finished, %d cancelled, %d forks, %lld rows, %lld preemptions\n", setup.model, n_finished,
              n_cancelled, n_forks, static_cast<long long>(status.counts.n_rows),
              static_cast<long long>(status.counts.n_preempted));
}

INSTANTIATE_TEST_SUITE_P(Models, BatchStress,
                         testing::Values(Load{"demo", kSanitized ? 12 : 24, 384, 60, 5, true}, Load{"smollm2", 5, 384, 20, 4, false}),
                         [](const auto& tested) { return std::string(tested.param.model); });

}  // namespace
}  // namespace glint
