// SPDX-License-Identifier: Apache-2.0
//
// What goes on right now: /metrics for Prometheus, /slots for people and llama.cpp's tools.
// Tested by tests/unit/server/metrics_test.cpp.
#include "server/endpoints.h"
#include "server/http_format.h"

namespace glint::server {
namespace {

Reply metrics(const Service& service, const HttpRequest&) {
  if (!service.options().show_metrics) throw ApiError::disabled("/metrics is switched off; start with --metrics");
  return {.response = {.content_type = "text/plain; version=0.0.4; charset=utf-8",
                       .body = service.metrics().print(service.batch().status(), service.engine().options().n_sequences)}};
}

Json describe_slot(const Service& service, int number) {
  return {{"id", number}, {"n_ctx", service.engine().n_ctx()}, {"speculative", false}, {"is_processing", false}, {"state", "idle"}};
}

const char* state_of(const Task& task) {
  if (task.progress->n_cached < 0) return "waiting";
  return task.progress->n_read < task.n_prompt ? "reading" : "writing";
}

void add_task(Json& slot, const Task& task) {
  const int n_decoded = task.progress->n_written;
  slot["is_processing"] = true;
  slot["state"] = state_of(task);
  slot["id_task"] = task.id;
  slot["n_prompt_tokens"] = task.n_prompt;
  slot["n_prompt_tokens_processed"] = std::min<int>(task.n_prompt, task.progress->n_read);
  slot["n_prompt_tokens_cache"] = std::max<int>(0, task.progress->n_cached);
  slot["params"] = {{"n_predict", task.n_predict}};
  slot["next_token"] = Json::array({{{"has_next_token", true},
                                     {"n_remain", task.n_predict < 0 ? -1 : task.n_predict - n_decoded},
                                     {"n_decoded", n_decoded}}});
}

/// Those that have no number, because they wait or write nothing, come behind.
Reply slots(const Service& service, const HttpRequest& request) {
  if (!service.options().show_slots) throw ApiError::disabled("/slots is switched off; start with --slots");
  const auto tasks = service.metrics().tasks();
  const int n_slots = service.slots().size();
  if (query_value(request.query, "fail_on_no_slot") == "1" && tasks.size() >= static_cast<size_t>(n_slots)) {
    throw ApiError::unavailable("no slot available");
  }
  Json slots = Json::array();
  for (int i = 0; i < n_slots; ++i) {
    slots.push_back(describe_slot(service, i));
    slots.back()["n_tokens"] = service.slots().n_tokens(i);
  }
  for (const auto& task : tasks) {
    if (task->slot < 0) slots.push_back(describe_slot(service, static_cast<int>(slots.size())));
    add_task(task->slot < 0 ? slots.back() : slots[static_cast<size_t>(task->slot)], *task);
  }
  return json_reply(slots);
}

}  // namespace

void add_live_endpoints(Router& router, Models& models) {
  router.add("GET", "/metrics", on_loaded_model(models, metrics));
  router.add("GET", "/slots", on_loaded_model(models, slots));
}

}  // namespace glint::server
