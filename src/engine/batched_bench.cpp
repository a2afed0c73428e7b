// SPDX-License-Identifier: Apache-2.0
//
// The part of bench.h that measures many requests at once, through the engine that serves them. One reader a request
// notes when its ids come.
#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "base/check.h"
#include "engine/bench.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

double rate_of(double n_tokens, double seconds) {
  return seconds > 0 ? n_tokens / seconds : 0;
}

/// What one request was told.
struct Reading {
  std::vector<Clock::time_point> times;  // of ids
  std::string error;

  void read(Stream& stream) {
    while (const std::optional<Event> event = stream.next()) {
      if (event->id >= 0) times.push_back(Clock::now());
      if (event->finish) error = event->finish->error;
    }
  }
};

/// Prompts that share nothing with each other or with those of tests with fewer or more, so that the cache helps none of
/// them; or all the same.
std::vector<int32_t> prompt_ids(const BatchedTest& test, int which, int n_vocab) {
  const int first = test.n_requests * (test.n_requests - 1) / 2 + which;
  std::mt19937 random(test.shared_prompt ? 1 : static_cast<uint32_t>(first) + 1);
  std::vector<int32_t> ids;
  for (int i = 0; i < test.n_prompt; ++i)
    ids.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(n_vocab)));
  // Whatever the generator gives, first ids differ where the vocabulary allows.
  if (!test.shared_prompt && !ids.empty()) ids[0] = first % n_vocab;
  return ids;
}

Request request_of(const BatchedTest& test, int which, int n_vocab) {
  Request request;
  request.ids = prompt_ids(test, which, n_vocab);
  SamplingParams greedy;
  greedy.temperature = 0.0f;
  greedy.seed = 1;
  request.sampling = resolve_sampling(greedy, {}, gguf::Metadata());
  request.output.n_predict = test.n_generate + 1;  // the first comes of the prompt
  request.output.ignore_eos = true;
  return request;
}

int pages_of(const BatchedTest& test) {
  return (test.n_prompt + test.n_generate + 1 + kPageTokens - 1) / kPageTokens;
}

}  // namespace

int BatchedTest::n_cached() const {
  return shared_prompt ? n_prompt + n_requests * n_generate : n_requests * (n_prompt + n_generate);
}

double BatchedResult::prompt_rate() const {
  return rate_of(test.shared_prompt ? test.n_prompt : test.n_prompt * test.n_requests, prompt_seconds);
}
double BatchedResult::generate_rate() const {
  return rate_of(n_generated_late, generate_seconds);
}
double BatchedResult::rate() const {
  return rate_of(test.n_cached(), total_seconds());
}

EngineOptions batched_options(EngineOptions options, const std::vector<BatchedTest>& tests) {
  options.n_ctx = kPageTokens;
  options.n_sequences = 1;
  for (const BatchedTest& test : tests) {
    options.n_ctx = std::max(options.n_ctx, test.n_requests * pages_of(test) * kPageTokens);
    options.n_sequences = std::max(options.n_sequences, test.n_requests);
  }
  options.n_ubatch = std::max(options.n_ubatch, options.n_sequences + 1);
  return options;
}

BatchedResult run_batched(BatchEngine& engine, const BatchedTest& test) {
  if (test.n_prompt < 1 || test.n_generate < 1 || test.n_requests < 1)
    fail("a batched test needs prompts, tokens to generate and requests (-npp, -ntg, -npl)");
  const int n_vocab = engine.engine().model().spec.n_vocab;
  const auto n = static_cast<size_t>(test.n_requests);
  std::vector<Request> requests;
  for (int i = 0; i < test.n_requests; ++i) requests.push_back(request_of(test, i, n_vocab));
  std::vector<Reading> readings(n);
  std::vector<std::unique_ptr<Stream>> streams(n);
  std::vector<std::thread> readers;
  const Clock::time_point start = Clock::now();
  for (size_t i = 0; i < n; ++i) streams[i] = engine.submit(std::move(requests[i]));
  for (size_t i = 0; i < n; ++i) readers.emplace_back([&, i] { readings[i].read(*streams[i]); });
  for (std::thread& reader : readers) reader.join();
  Clock::time_point all_begun = start, end = start;
  for (const Reading& reading : readings) {
    if (!reading.error.empty() || reading.times.empty()) fail("a request failed: {}", reading.error);
    all_begun = std::max(all_begun, reading.times.front());
    end = std::max(end, reading.times.back());
  }
  BatchedResult result{.test = test};
  result.prompt_seconds = std::chrono::duration<double>(all_begun - start).count();
  result.generate_seconds = std::chrono::duration<double>(end - all_begun).count();
  for (const Reading& reading : readings) {
    result.n_generated_late += static_cast<int>(
        std::count_if(reading.times.begin(), reading.times.end(), [&](auto time) { return time > all_begun; }));
  }
  return result;
}

}  // namespace glint
