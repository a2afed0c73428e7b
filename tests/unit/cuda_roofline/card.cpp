// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/cuda_roofline/card.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/check.h"

namespace glint::roofline_test {
namespace {

/// Enough to push everything else out of the largest L2 (126 MB, of sm_120).
constexpr double kColdBytes = 192e6;
/// A recorded step takes this long at the card's limit, and several are enqueued for so long, or starting and waiting
/// would show.
constexpr double kStepSeconds = 1e-3;
constexpr double kSampleSeconds = 4e-3;
constexpr int kSamples = 7;
constexpr int kMostCalls = 512;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print_head() {
  std::printf("| %-22s | %-38s | %5s | %9s | %6s | %7s | %8s | %-11s |\n", "op", "shape", "rows", "us", "GB/s",
              "TFLOP/s", "of limit", "limit");
  std::printf("|");
  for (const int width : {22, 38}) std::printf("-%s-|", std::string(static_cast<size_t>(width), '-').c_str());
  for (const int width : {5, 9, 6, 7, 8}) std::printf("-%s:|", std::string(static_cast<size_t>(width), '-').c_str());
  std::printf("-%s-|\n", std::string(11, '-').c_str());
}

/// `cached`: all operands together fit L2.
void print_line(const Line& line, const Cost& cost, const MachineLimits& limits, double seconds, bool cached) {
  static bool has_head = false;
  if (!has_head) print_head();
  has_head = true;
  const double memory = cost.bytes / limits.bytes_per_second;
  const double arithmetic = cost.flops / limits.flops_per_second;
  const char* limit = arithmetic > memory ? "arithmetic" : cached ? "memory (L2)" : "memory";
  std::printf("| %-22s | %-38s | %5d | %9.1f | %6.0f | %7.1f | %6.1f %% | %-11s |\n", line.op.c_str(),
              line.shape.c_str(), line.n_rows, seconds * 1e6, cost.bytes / seconds * 1e-9, cost.flops / seconds * 1e-12,
              100 * std::max(memory, arithmetic) / seconds, limit);
  std::fflush(stdout);
}

}  // namespace

bool is_emulated() {
  return cuda_devices()[0].name == "emulated";
}

Card::Card(bool generic_only)
    : backend_(make_cuda_backend({.device = 0, .generic_only = generic_only})),
      word_(backend_->allocate(sizeof(float))),
      limits_(backend_->limits()) {}

int Card::copies_for(double bytes) const {
  if (is_emulated()) return 1;
  return static_cast<int>(std::clamp(std::ceil(kColdBytes / bytes), 1.0, double{kMostCopies}));
}

void Card::wait() {
  float word = 0;
  backend_->download(&word, word_->data(), sizeof(word));
}

void Card::measure(const Line& line, const Cost& cost, int n_copies, const std::function<void(int copy)>& call) {
  if (is_emulated()) return;
  const double least = std::max(cost.bytes / limits_.bytes_per_second, cost.flops / limits_.flops_per_second);
  print_line(line, cost, limits_, seconds_of_a_call(least, n_copies, call), n_copies * cost.bytes < kColdBytes);
}

double Card::seconds_of_a_call(double least_seconds, int n_copies, const std::function<void(int copy)>& call) {
  const int wanted = static_cast<int>(std::min(kStepSeconds / least_seconds, double{kMostCalls}));
  const int n_calls = std::max(1, wanted / n_copies) * n_copies;
  const uint64_t key = ++n_measured_;
  GLINT_CHECK(key <= static_cast<uint64_t>(backend_->recorded_tokens()));
  const auto step = [&] {
    backend_->replay(key, [&] {
      for (int i = 0; i < n_calls; ++i) call(i % n_copies);
    });
  };
  // The first runs as it is, the second is recorded.
  step();
  step();
  wait();
  const double once = seconds_of([&] {
    step();
    wait();
  });
  const int n_steps = static_cast<int>(std::clamp(std::ceil(kSampleSeconds / once), 1.0, 20.0));
  std::vector<double> samples;
  for (int i = 0; i < kSamples; ++i) {
    samples.push_back(seconds_of([&] {
      for (int s = 0; s < n_steps; ++s) step();
      wait();
    }));
  }
  std::nth_element(samples.begin(), samples.begin() + kSamples / 2, samples.end());
  return samples[kSamples / 2] / (static_cast<double>(n_steps) * n_calls);
}

}  // namespace glint::roofline_test
