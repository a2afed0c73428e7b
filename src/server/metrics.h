// SPDX-License-Identifier: Apache-2.0
//
// What the server has done and does: totals and histograms of finished answers, and the answers at work. Written by
// server/answer, read by /metrics and /slots, which never wait for the engine.
// Tested by tests/unit/server/metrics_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/batch_engine.h"

namespace glint::server {

/// Counts of values up to each bound, as Prometheus has them.
class Histogram {
 public:
  void add(double value);
  /// Appends the lines of one metric, with type and help.
  void print(std::string& out, std::string_view name, std::string_view help) const;

 private:
  static constexpr std::array kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
                                         5.0,   10.0,   25.0,  50.0, 100.0, 250.0};
  std::array<uint64_t, kBounds.size() + 1> counts_ = {};  // the last: above all bounds
  double sum_ = 0;
};

/// An answer at work.
struct Task {
  uint64_t id = 0;
  int n_prompt = 0;
  int n_predict = -1;
  int slot = -1;  // server/slots; -1: it has none
  std::shared_ptr<const Progress> progress = {};
};

/// Safe from any thread.
class Metrics {
 public:
  /// Gives it an id.
  std::shared_ptr<Task> begin(Task task);
  /// Once a task: how it finished, or that nobody waited for its end.
  void end(const Task& task, const Finish& finish);
  void abandon(const Task& task);

  std::vector<std::shared_ptr<const Task>> tasks() const;
  /// Prometheus' text format.
  std::string print(const BatchEngine::Status& status, int n_slots) const;

 private:
  void forget(const Task& task, const char* reason, int n_decoded);

  mutable std::mutex mutex_;
  std::map<uint64_t, std::shared_ptr<Task>> tasks_;
  uint64_t n_tasks_ = 0;
  std::map<std::string, uint64_t> n_finished_;  // by reason
  int64_t n_prompt_tokens_ = 0, n_cached_tokens_ = 0, n_predicted_tokens_ = 0;
  double prompt_seconds_ = 0, predicted_seconds_ = 0;
  int n_tokens_max_ = 0;
  Histogram queue_, first_token_, per_token_, whole_;
};

}  // namespace glint::server
