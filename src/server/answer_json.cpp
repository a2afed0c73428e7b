// SPDX-License-Identifier: Apache-2.0
#include "server/answer_json.h"

#include <algorithm>

#include "base/utf8.h"

namespace glint::server {

Json describe_usage(const Usage& usage) {
  return {{"prompt_tokens", usage.n_prompt},
          {"completion_tokens", usage.n_completion},
          {"total_tokens", usage.n_prompt + usage.n_completion},
          {"prompt_tokens_details", {{"cached_tokens", usage.n_cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.n_reasoning}}}};
}

Json describe_timings(const Timings& timings) {
  const auto per_token = [](int n, double seconds) { return n > 0 ? seconds * 1e3 / n : 0.0; };
  const auto per_second = [](int n, double seconds) { return seconds > 0 ? n / seconds : 0.0; };
  return {{"cache_n", timings.n_cached},
          {"prompt_n", timings.n_prompt},
          {"prompt_ms", timings.prompt_seconds * 1e3},
          {"prompt_per_token_ms", per_token(timings.n_prompt, timings.prompt_seconds)},
          {"prompt_per_second", per_second(timings.n_prompt, timings.prompt_seconds)},
          {"predicted_n", timings.n_predicted},
          {"predicted_ms", timings.predicted_seconds * 1e3},
          {"predicted_per_token_ms", per_token(timings.n_predicted, timings.predicted_seconds)},
          {"predicted_per_second", per_second(timings.n_predicted, timings.predicted_seconds)}};
}

std::string finish_reason(const Finish& finish) {
  return finish.reason == FinishReason::kEndOfText || finish.reason == FinishReason::kStopString ? "stop" : "length";
}

std::string stop_type(const Finish& finish) {
  if (finish.reason == FinishReason::kEndOfText) return "eos";
  return finish.reason == FinishReason::kStopString ? "word" : "limit";
}

Json describe_token(const Service& service, int32_t id, double logprob, bool with_id) {
  constexpr double kLeast = -9999;  // JSON has no infinity
  const std::string_view bytes = service.tokenizer().vocab().bytes(id);
  Json numbers = Json::array();
  for (const char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  Json token = Json::object();
  if (with_id) token["id"] = id;
  token["token"] = utf8::repair(bytes);
  token["logprob"] = std::max(logprob, kLeast);
  token["bytes"] = std::move(numbers);
  return token;
}

Json describe_logprobs(const Service& service, const AnswerToken& token, bool with_id) {
  Json described = describe_token(service, token.id, token.logprobs->chosen, with_id);
  Json top = Json::array();
  for (const TokenLogProbability& other : token.logprobs->top) {
    top.push_back(describe_token(service, other.id, other.log_probability, with_id));
  }
  described["top_logprobs"] = std::move(top);
  return described;
}

}  // namespace glint::server
