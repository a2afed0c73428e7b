// SPDX-License-Identifier: Apache-2.0
//
// /metrics and /slots: totals add up, live answers show, and histograms have Prometheus' form.
#include "server/metrics.h"

#include <sstream>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

double value_of(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  }
  ADD_FAILURE() << name << " is missing in\n" << text;
  return -1;
}

TEST(Histogram, CountsUpToEachBound) {
  Histogram histogram;
  for (const double value : {0.0, 0.001, 0.3, 1000.0}) histogram.add(value);
  std::string out;
  histogram.print(out, "h", "help");
  EXPECT_EQ(value_of(out, "h_bucket{le=\"0.001\"}"), 2);
  EXPECT_EQ(value_of(out, "h_bucket{le=\"0.25\"}"), 2);
  EXPECT_EQ(value_of(out, "h_bucket{le=\"0.5\"}"), 3);
  EXPECT_EQ(value_of(out, "h_bucket{le=\"250\"}"), 3);
  EXPECT_EQ(value_of(out, "h_bucket{le=\"+Inf\"}"), 4);
  EXPECT_EQ(value_of(out, "h_count"), 4);
  EXPECT_DOUBLE_EQ(value_of(out, "h_sum"), 1000.301);
}

TEST(Metrics, TotalsAddUp) {
  const std::shared_ptr<Service> service = make_service();
  const Json body = {{"prompt", "Once upon a time"}, {"n_predict", 7}, {"ignore_eos", true}};
  const int n_prompt = static_cast<int>(service->tokenizer().encode("Once upon a time").size());
  ask_json(*service, post("/completion", body));
  ask_json(*service, post("/completion", body));
  const HttpResponse response = ask(*service, get("/metrics"));
  EXPECT_TRUE(response.content_type.starts_with("text/plain; version=0.0.4"));
  const std::string& text = response.body;
  EXPECT_EQ(value_of(text, "llamacpp:tokens_predicted_total"), 14);
  EXPECT_EQ(value_of(text, "llamacpp:prompt_tokens_total"), n_prompt + 1);  // the second prompt was cached but for one
  EXPECT_EQ(value_of(text, "vllm:prefix_cache_hits_total"), n_prompt - 1);
  EXPECT_EQ(value_of(text, "vllm:prompt_tokens_total"), 2 * n_prompt);
  EXPECT_EQ(value_of(text, "llamacpp:n_tokens_max"), n_prompt + 7);
  EXPECT_EQ(value_of(text, "vllm:request_success_total{finished_reason=\"length\"}"), 2);
  EXPECT_EQ(value_of(text, "vllm:e2e_request_latency_seconds_count"), 2);
  EXPECT_EQ(value_of(text, "vllm:request_time_per_output_token_seconds_count"), 2);
  EXPECT_EQ(value_of(text, "llamacpp:requests_processing"), 0);
  EXPECT_EQ(value_of(text, "llamacpp:kv_cache_usage_ratio"), 0);
  EXPECT_EQ(value_of(text, "glint:slots"), 4);
  EXPECT_GE(value_of(text, "llamacpp:n_decode_total"), 14);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(line.starts_with("# ") || line.find(' ') != std::string::npos) << line;
}

TEST(Slots, ShowAnswersAtWorkAndForgetThem) {
  const std::shared_ptr<Service> service = make_service({.n_ctx = 512, .n_sequences = 2});
  const Endpoints router(*service);
  EXPECT_EQ(ask_json(*service, get("/slots")).size(), 2u);
  {
    Reply reply = router.handle(post("/completion", {{"prompt", "Hello"}, {"n_predict", 400}, {"n_cmpl", 2}, {"stream", true},
                                                     {"ignore_eos", true}}));
    const Json slots = ask_json(*service, get("/slots"));
    ASSERT_EQ(slots.size(), 2u);
    EXPECT_EQ(slots[1]["is_processing"], true);
    EXPECT_EQ(slots[1]["params"]["n_predict"], 400);
    EXPECT_EQ(slots[1]["n_prompt_tokens"], 1);
    EXPECT_EQ(ask(*service, get("/slots", "fail_on_no_slot=1")).status, 503);
  }
  EXPECT_EQ(ask(*service, get("/slots", "fail_on_no_slot=1")).status, 200);
  EXPECT_EQ(ask_json(*service, get("/slots"))[0]["is_processing"], false);
  EXPECT_EQ(value_of(ask(*service, get("/metrics")).body, "vllm:request_success_total{finished_reason=\"abort\"}"), 2);
}

TEST(Slots, TellHowFarAnAnswerIs) {
  const std::shared_ptr<Service> service = make_service({.n_ctx = 512, .n_sequences = 2});
  Json body = {{"prompt", "Once upon a time there was a"}, {"n_predict", 3}, {"ignore_eos", true}};
  ask_json(*service, post("/completion", body));
  const Json idle = ask_json(*service, get("/slots"))[0];
  EXPECT_EQ(idle["state"], "idle");
  body.update({{"stream", true}, {"n_predict", 400}});
  const Endpoints router(*service);
  Reply reply = router.handle(post("/completion", body));
  while (reply.response.body.empty()) reply.rest->pull(reply.response);
  const Json slot = ask_json(*service, get("/slots"))[0];
  EXPECT_EQ(slot["state"], "writing");
  const int n_prompt = slot["n_prompt_tokens"];
  EXPECT_EQ(idle["n_tokens"], n_prompt + 3);
  EXPECT_EQ(slot["n_prompt_tokens_processed"], n_prompt);
  EXPECT_EQ(slot["n_prompt_tokens_cache"], n_prompt - 1);
  EXPECT_GE(slot["next_token"][0]["n_decoded"], 1);
}

TEST(Slots, CanBeSwitchedOff) {
  ServiceSetup setup;
  setup.service.show_metrics = setup.service.show_slots = false;
  const std::shared_ptr<Service> service = make_service(setup);
  EXPECT_EQ(ask_json(*service, get("/slots"), 501)["error"]["type"], "not_supported_error");
  EXPECT_EQ(ask(*service, get("/metrics")).status, 501);
}

}  // namespace
}  // namespace glint::server
