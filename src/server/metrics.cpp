// SPDX-License-Identifier: Apache-2.0
#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace glint::server {
namespace {

const char* reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndOfText:
    case FinishReason::kStopString: return "stop";
    case FinishReason::kLimit:
    case FinishReason::kContextFull: return "length";
    case FinishReason::kCancelled: return "abort";
    case FinishReason::kError: break;
  }
  return "error";
}

void print_metric(std::string& out, std::string_view type, std::string_view name, std::string_view help, double value) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

void Histogram::add(double value) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), value);
  ++counts_[static_cast<size_t>(bound - kBounds.begin())];
  sum_ += value;
}

void Histogram::print(std::string& out, std::string_view name, std::string_view help) const {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} histogram\n", name, help);
  uint64_t n = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    n += counts_[i];
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[i], n);
  }
  n += counts_.back();
  out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, n, sum_);
}

std::shared_ptr<Task> Metrics::begin(Task task) {
  const auto begun = std::make_shared<Task>(std::move(task));
  const std::lock_guard lock(mutex_);
  begun->id = n_tasks_++;
  tasks_[begun->id] = begun;
  return begun;
}

void Metrics::forget(const Task& task, const char* reason, int n_decoded) {
  tasks_.erase(task.id);
  ++n_finished_[reason];
  n_predicted_tokens_ += n_decoded;
  n_tokens_max_ = std::max(n_tokens_max_, task.n_prompt + n_decoded);
}

void Metrics::end(const Task& task, const Finish& finish) {
  const std::lock_guard lock(mutex_);
  const Timings& timings = finish.timings;
  forget(task, reason_name(finish.reason), timings.n_predicted);
  n_prompt_tokens_ += timings.n_prompt;
  n_cached_tokens_ += timings.n_cached;
  prompt_seconds_ += timings.prompt_seconds;
  predicted_seconds_ += timings.predicted_seconds;
  queue_.add(finish.queue_seconds);
  first_token_.add(finish.queue_seconds + timings.prompt_seconds);
  if (timings.n_predicted > 1) per_token_.add(timings.predicted_seconds / (timings.n_predicted - 1));
  whole_.add(finish.queue_seconds + timings.prompt_seconds + timings.predicted_seconds);
}

void Metrics::abandon(const Task& task) {
  const std::lock_guard lock(mutex_);
  forget(task, "abort", task.progress->n_written);
}

std::vector<std::shared_ptr<const Task>> Metrics::tasks() const {
  std::vector<std::shared_ptr<const Task>> tasks;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, task] : tasks_) tasks.push_back(task);
  return tasks;
}

std::string Metrics::print(const BatchEngine::Status& status, int n_slots) const {
  const Scheduler::Counts& counts = status.counts;
  const double in_use = ratio(counts.n_pages - counts.n_free_pages - counts.n_idle_pages, counts.n_pages);
  const int n_waiting = std::max(0, status.n_open - counts.n_running);
  std::string out;
  const auto count = [&](const char* name, const char* help, auto value) {
    print_metric(out, "counter", name, help, static_cast<double>(value));
  };
  const auto gauge = [&](const char* name, const char* help, auto value) {
    print_metric(out, "gauge", name, help, static_cast<double>(value));
  };
  const std::lock_guard lock(mutex_);
  count("llamacpp:prompt_tokens_total", "Prompt tokens computed.", n_prompt_tokens_);
  count("llamacpp:prompt_seconds_total", "Time until first tokens.", prompt_seconds_);
  count("llamacpp:tokens_predicted_total", "Tokens generated.", n_predicted_tokens_);
  count("llamacpp:tokens_predicted_seconds_total", "Time of generating.", predicted_seconds_);
  count("llamacpp:n_decode_total", "Steps of the engine.", counts.n_steps);
  gauge("llamacpp:n_tokens_max", "Longest text so far, prompt and answer.", n_tokens_max_);
  gauge("llamacpp:n_busy_slots_per_decode", "Rows of answers per step.", ratio(counts.n_rows, counts.n_steps));
  gauge("llamacpp:prompt_tokens_seconds", "Prompt tokens a second.", ratio(n_prompt_tokens_, prompt_seconds_));
  gauge("llamacpp:predicted_tokens_seconds", "Generated tokens a second of one answer.",
        ratio(n_predicted_tokens_, predicted_seconds_));
  gauge("llamacpp:kv_cache_usage_ratio", "Part of the cache that running answers hold.", in_use);
  gauge("llamacpp:requests_processing", "Answers at work.", counts.n_running);
  gauge("llamacpp:requests_deferred", "Answers that wait.", n_waiting);
  gauge("vllm:num_requests_running", "Answers at work.", counts.n_running);
  gauge("vllm:num_requests_waiting", "Answers that wait.", n_waiting);
  gauge("vllm:kv_cache_usage_perc", "Part of the cache that running answers hold, 0 to 1.", in_use);
  count("vllm:num_preemptions_total", "Answers that had to give way.", counts.n_preempted);
  count("vllm:prefix_cache_queries_total", "Prompt tokens looked for in the cache.", n_prompt_tokens_ + n_cached_tokens_);
  count("vllm:prefix_cache_hits_total", "Prompt tokens found in the cache.", n_cached_tokens_);
  count("vllm:prompt_tokens_total", "Prompt tokens of finished answers.", n_prompt_tokens_ + n_cached_tokens_);
  count("vllm:generation_tokens_total", "Tokens generated.", n_predicted_tokens_);
  gauge("glint:slots", "Answers that can run at once.", n_slots);
  gauge("glint:kv_pages", "Pages of the cache.", counts.n_pages);
  gauge("glint:kv_pages_idle", "Pages that hold prefixes for later.", counts.n_idle_pages);
  out += "# HELP vllm:request_success_total Finished answers by reason.\n# TYPE vllm:request_success_total counter\n";
  for (const auto& [reason, n] : n_finished_) {
    out += fmt::format("vllm:request_success_total{{finished_reason=\"{}\"}} {}\n", reason, n);
  }
  queue_.print(out, "vllm:request_queue_time_seconds", "Time before the first step.");
  first_token_.print(out, "vllm:time_to_first_token_seconds", "Time until the first token, queue included.");
  per_token_.print(out, "vllm:request_time_per_output_token_seconds", "Mean time between the tokens of an answer.");
  whole_.print(out, "vllm:e2e_request_latency_seconds", "Time of an answer, queue included.");
  return out;
}

}  // namespace glint::server
