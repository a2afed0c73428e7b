// SPDX-License-Identifier: Apache-2.0
//
// Speed, measured as llama-bench and llama-batched-bench measure it, on one open engine: prompts of random ids and
// greedy generation at a depth, and many requests at once. Of logits only the largest is fetched, as in serving. Knows
// no flags and prints nothing. Used by apps/bench.cpp. Tested by tests/unit/engine/bench_test.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/batch_engine.h"
#include "engine/engine.h"
#include "model/roofline.h"

namespace glint {

/// Behind `depth` tokens that are not timed: a prompt, then generation.
struct BenchTest {
  int n_prompt = 0;
  int n_generate = 0;
  int depth = 0;
  /// "pp512", "tg128", "pp512+tg128", "tg128 @ d8192".
  std::string name() const;
  int n_tokens() const { return n_prompt + n_generate; }
};

struct BenchResult {
  BenchTest test;
  std::vector<double> seconds;  // of each run
  double least_seconds = 0;     // that the machine could do it in (model/roofline.h); 0: not known

  double mean_seconds() const;
  double deviation_of_seconds() const;  // of the sample; 0 for a single run
  /// Tokens a second, averaged over runs as llama-bench does.
  double mean_rate() const;
  double deviation_of_rate() const;
  /// Of the machine's limit that was reached; 0: not known.
  double limit_share() const;
};

struct BenchOptions {
  int n_batch = 2048;  // prompts are cut into these, and these into EngineOptions::n_ubatch
  int repetitions = 5;
  bool warm_up = true;
};

class Bench {
 public:
  /// Context that a test takes.
  static int context_for(const BenchTest& test);
  /// The id that every test's prompt has at a position: random, but the same on every machine.
  static int32_t prompt_id(int position, int n_vocab);

  Bench(Engine& engine, const MachineLimits& limits, const BenchOptions& options);
  /// `progress` is told runs done, warm-up and depth included; it may throw to give up. Throws Error for a test that is
  /// longer than the context.
  BenchResult run(const BenchTest& test, const std::function<void(int done, int total)>& progress = nullptr);

 private:
  void read_prompt(int from, int count);
  /// A prompt's id, then the most likely ids.
  void generate(int from, int count);
  /// The id with the largest logit of a row of the last step; waits for the step.
  int32_t most_likely(int row);
  /// Cuts a prompt into steps: calls visit(first position, rows).
  void for_each_step(int from, int count, const std::function<void(int, int)>& visit) const;
  double least_seconds(const BenchTest& test) const;

  Engine& engine_;
  MachineLimits limits_;
  BenchOptions options_;
  Roofline roofline_;
};

/// n_requests at once, each n_prompt ids and n_generate more.
struct BatchedTest {
  int n_prompt = 0;
  int n_generate = 0;
  int n_requests = 1;
  bool shared_prompt = false;
  /// Tokens that the cache holds in the end.
  int n_cached() const;
};

struct BatchedResult {
  BatchedTest test;
  double prompt_seconds = 0;    // until every request has its first id
  double generate_seconds = 0;  // from then on
  int n_generated_late = 0;     // ids that came from then on
  double total_seconds() const { return prompt_seconds + generate_seconds; }
  double prompt_rate() const;
  double generate_rate() const;
  double rate() const;
};

/// Engine options that serve all of these; the rest is taken from `options`.
EngineOptions batched_options(EngineOptions options, const std::vector<BatchedTest>& tests);
/// Throws Error when a request fails.
BatchedResult run_batched(BatchEngine& engine, const BatchedTest& test);

}  // namespace glint
