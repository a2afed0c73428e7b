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

Reply slots(const Service& service, const HttpRequest& request) {
  if (!service.options().show_slots) throw ApiError::disabled("/slots is switched off; start with --slots");
  const auto tasks = service.metrics().tasks();
  const auto n_slots = static_cast<size_t>(service.engine().options().n_sequences);
  if (query_value(request.query, "fail_on_no_slot") == "1" && tasks.size() >= n_slots) {
    throw ApiError::unavailable("no slot available");
  }
  Json slots = Json::array();
  for (size_t i = 0; i < std::max(n_slots, tasks.size()); ++i) {
    Json slot = {{"id", i}, {"n_ctx", service.engine().n_ctx()}, {"speculative", false}, {"is_processing", i < tasks.size()}};
    if (i < tasks.size()) {
      const Task& task = *tasks[i];
      const int n_decoded = task.n_decoded;
      slot["id_task"] = task.id;
      slot["n_prompt_tokens"] = task.n_prompt;
      slot["params"] = {{"n_predict", task.n_predict}};
      slot["next_token"] = Json::array({{{"has_next_token", true},
                                         {"n_remain", task.n_predict < 0 ? -1 : task.n_predict - n_decoded},
                                         {"n_decoded", n_decoded}}});
    }
    slots.push_back(std::move(slot));
  }
  return json_reply(slots);
}

}  // namespace

void add_live_endpoints(Router& router, Models& models) {
  router.add("GET", "/metrics", on_loaded_model(models, metrics));
  router.add("POST", "/slots/*", [](const HttpRequest&) -> Reply {
    throw ApiError::disabled("answers have no fixed slots to save, restore or erase: what they have computed is found by its "
                             "text, and kept over a restart with --slot-save-path");
  });
  router.add("GET", "/slots", on_loaded_model(models, slots));
}

}  // namespace glint::server
