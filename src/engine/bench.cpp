// SPDX-License-Identifier: Apache-2.0
#include "engine/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double middle = mean(values);
  double squares = 0;
  for (double value : values) squares += (value - middle) * (value - middle);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

std::vector<double> rates(const BenchResult& result) {
  std::vector<double> rates;
  for (double seconds : result.seconds) rates.push_back(result.test.n_tokens() / std::max(seconds, 1e-9));
  return rates;
}

}  // namespace

std::string BenchTest::name() const {
  std::string name;
  if (n_prompt > 0) name = fmt::format("pp{}", n_prompt);
  if (n_generate > 0) name += fmt::format("{}tg{}", name.empty() ? "" : "+", n_generate);
  return depth > 0 ? fmt::format("{} @ d{}", name, depth) : name;
}

double BenchResult::mean_seconds() const {
  return mean(seconds);
}
double BenchResult::deviation_of_seconds() const {
  return deviation(seconds);
}
double BenchResult::mean_rate() const {
  return mean(rates(*this));
}
double BenchResult::deviation_of_rate() const {
  return deviation(rates(*this));
}
double BenchResult::limit_share() const {
  const double measured = mean_seconds();
  return measured > 0 ? least_seconds / measured : 0;
}

int Bench::context_for(const BenchTest& test) {
  return test.depth + test.n_tokens();
}

int32_t Bench::prompt_id(int position, int n_vocab) {
  uint64_t bits = static_cast<uint64_t>(position) + 0x9e3779b97f4a7c15u;  // SplitMix64
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return static_cast<int32_t>((bits ^ (bits >> 31)) % static_cast<uint64_t>(n_vocab));
}

Bench::Bench(Engine& engine, const MachineLimits& limits, const BenchOptions& options)
    : engine_(engine),
      limits_(limits),
      options_(options),
      roofline_(engine.file(), engine.model().spec, engine.decoder().options().kv) {
  if (options.n_batch < 1 || options.repetitions < 1) fail("a batch and the number of runs must be at least 1");
}

BenchResult Bench::run(const BenchTest& test, const std::function<void(int, int)>& progress) {
  if (test.n_prompt < 0 || test.n_generate < 0 || test.depth < 0 || test.n_tokens() == 0)
    fail("a test needs a prompt (-p) or tokens to generate (-n)");
  if (context_for(test) > engine_.n_ctx())
    fail("{} is longer than the context of {} tokens", test.name(), engine_.n_ctx());
  Decoder& decoder = engine_.decoder();
  const int total = options_.repetitions + options_.warm_up + (test.depth > 0);
  int done = 0;
  const auto advance = [&] {
    if (progress) progress(done++, total);
  };
  engine_.cached_ids(0).clear();  // what a session left there is overwritten
  decoder.truncate(0, 0);
  if (options_.warm_up) {
    advance();
    read_prompt(0, test.n_prompt);
    generate(test.n_prompt, std::min(test.n_generate, 1));
    decoder.truncate(0, 0);
  }
  if (test.depth > 0) {
    advance();
    read_prompt(0, test.depth);
  }
  BenchResult result{.test = test, .seconds = {}, .least_seconds = least_seconds(test)};
  for (int i = 0; i < options_.repetitions; ++i) {
    advance();
    decoder.truncate(0, test.depth);
    const Clock::time_point start = Clock::now();
    read_prompt(test.depth, test.n_prompt);
    generate(test.depth + test.n_prompt, test.n_generate);
    result.seconds.push_back(seconds_since(start));
  }
  decoder.truncate(0, 0);
  return result;
}

void Bench::for_each_step(int from, int count, const std::function<void(int, int)>& visit) const {
  for (int batch = 0; batch < count; batch += options_.n_batch) {
    const int batch_end = std::min(count, batch + options_.n_batch);
    for (int at = batch; at < batch_end; at += engine_.options().n_ubatch)
      visit(from + at, std::min(engine_.options().n_ubatch, batch_end - at));
  }
}

void Bench::read_prompt(int from, int count) {
  if (count == 0) return;
  Decoder& decoder = engine_.decoder();
  std::vector<Row> rows;
  for_each_step(from, count, [&](int first, int n) {
    rows.clear();
    for (int i = first; i < first + n; ++i) rows.push_back({prompt_id(i, decoder.spec().n_vocab), i, 0});
    decoder.forward(rows);
  });
  most_likely(static_cast<int>(rows.size()) - 1);  // waits, too
}

void Bench::generate(int from, int count) {
  Decoder& decoder = engine_.decoder();
  int32_t id = prompt_id(from, decoder.spec().n_vocab);
  for (int i = from; i < from + count; ++i) {
    decoder.forward(std::vector<Row>{{id, i, 0}});
    id = most_likely(0);
  }
}

int32_t Bench::most_likely(int row) {
  return engine_.decoder().top_logits(std::vector<int>{row}, 1)[0].index;
}

double Bench::least_seconds(const BenchTest& test) const {
  double total = 0;
  for_each_step(test.depth, test.n_prompt, [&](int first, int n) { total += roofline_.seconds(limits_, n, first); });
  for (int i = 0; i < test.n_generate; ++i) total += roofline_.seconds(limits_, 1, test.depth + test.n_prompt + i);
  return total;
}

}  // namespace glint
