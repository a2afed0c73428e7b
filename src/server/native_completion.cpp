// SPDX-License-Identifier: Apache-2.0
//
// llama.cpp's /completion: one prompt or several, its own members and answer.
// Tested by tests/unit/server/completions_test.cpp.
#include "server/answer_json.h"
#include "server/answer_reply.h"
#include "server/constraint_fields.h"
#include "server/endpoints.h"
#include "server/native_completion.h"
#include "server/settings.h"
#include "server/token_fields.h"

namespace glint::server {
namespace {

constexpr int kMostProbabilities = 100;

class NativeWriter final : public Writer {
 public:
  NativeWriter(const Service& service, const std::vector<Request>& requests, bool return_tokens)
      : service_(service), return_tokens_(return_tokens) {
    for (const Request& request : requests) {
      for (int i = 0; i < request.n; ++i) prompts_.push_back(request.ids);
    }
    n_predicted_.resize(prompts_.size());
    const Request& first = requests.front();
    settings_ = describe_sampling(first.sampling);
    settings_.update({{"n_predict", first.output.n_predict}, {"stop", first.output.stop_strings},
                      {"ignore_eos", first.output.ignore_eos}, {"n_probs", std::max(0, first.n_logprobs)}});
  }

  Json whole(const std::vector<Completion>& completions, const Usage&) override {
    Json answers = Json::array();
    for (const Completion& completion : completions) {
      Json answer = last(static_cast<int>(answers.size()), completion.slot, completion.content, completion.finish);
      Json tokens = Json::array(), probabilities = Json::array();
      for (const AnswerToken& token : completion.tokens) {
        if (return_tokens_) tokens.push_back(token.id);
        if (token.logprobs) probabilities.push_back(describe_logprobs(service_, token, true));
      }
      answer["tokens"] = std::move(tokens);
      if (!probabilities.empty()) answer["completion_probabilities"] = std::move(probabilities);
      answers.push_back(std::move(answer));
    }
    return answers.size() == 1 ? Json(answers.front()) : answers;
  }

  void write(const AnswerPart& part, std::string& out) override {
    const auto choice = static_cast<size_t>(part.choice);
    if (part.token) {
      Json data = {{"index", part.choice}, {"content", part.delta.content}, {"tokens", Json::array({part.token->id})},
                   {"stop", false}, {"id_slot", part.slot}, {"tokens_predicted", ++n_predicted_[choice]},
                   {"tokens_evaluated", prompts_[choice].size()}};
      if (part.token->logprobs) {
        data["completion_probabilities"] = Json::array({describe_logprobs(service_, *part.token, true)});
      }
      append_event(out, data);
    }
    if (part.finish) append_event(out, last(part.choice, part.slot, part.token ? "" : part.delta.content, *part.finish));
  }

  void end(const Usage&, std::string&) override {}
  void fail(const ApiError& error, std::string& out) override { append_event(out, describe_error(ErrorShape::kOpenAi, error)); }

 private:
  Json last(int choice, int slot, const std::string& content, const Finish& finish) const {
    const std::vector<int32_t>& prompt = prompts_[static_cast<size_t>(choice)];
    Json data = {{"index", choice},
                 {"content", content},
                 {"tokens", Json::array()},
                 {"id_slot", slot},
                 {"stop", true},
                 {"model", service_.name()},
                 {"tokens_predicted", finish.timings.n_predicted},
                 {"tokens_evaluated", prompt.size()},
                 {"generation_settings", settings_},
                 {"prompt", service_.tokenizer().decode(prompt)},
                 {"truncated", false},
                 {"stop_type", stop_type(finish)},
                 {"stopping_word", finish.stopping_string},
                 {"tokens_cached", static_cast<int>(prompt.size()) + finish.timings.n_predicted},
                 {"timings", describe_timings(finish.timings)}};
    add_warnings(data);
    return data;
  }

  const Service& service_;
  bool return_tokens_;
  std::vector<std::vector<int32_t>> prompts_;  // of each choice
  Json settings_;
  std::vector<int> n_predicted_;               // likewise, so far
};

Reply completion(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  const Json* prompt = fields.find("prompt");
  if (prompt == nullptr) fields.refuse("prompt", "a string, token ids, or an array of these");
  if (prompt->is_object()) {
    const Fields inner(*prompt, "prompt.");
    if (inner.find("multimodal_data") != nullptr) throw ApiError::invalid("prompt.multimodal_data: this model reads text only");
    prompt = inner.find("prompt_string");
    if (prompt == nullptr) inner.refuse("prompt_string", "a string");
  }
  return answer_natively(service, http, fields, read_prompts(*prompt, service, "prompt"));
}

}  // namespace

Reply answer_natively(Service& service, const HttpRequest& http, const Fields& fields,
                      std::vector<std::vector<int32_t>> prompts) {
  Request common = read_request(fields, service, {"n_predict", "max_tokens"});
  common.n = read_n(fields, "n_cmpl");
  const int n_probabilities = fields.count("n_probs", 0, kMostProbabilities).value_or(0);
  common.n_logprobs = n_probabilities > 0 ? n_probabilities : -1;
  common.output.constraint = read_constraint(fields, service, {}, ThinkingStart::kNone);
  std::vector<Request> requests;
  for (std::vector<int32_t>& ids : prompts) {
    requests.push_back(common);
    requests.back().ids = std::move(ids);
  }
  auto writer = std::make_unique<NativeWriter>(service, requests, fields.boolean("return_tokens").value_or(false));
  const bool is_stream = fields.boolean("stream").value_or(false);
  writer->warn_of_ignored(fields.unread());
  return answer_with(service, http.path, std::move(requests), {.is_raw = true, .slot = read_slot(fields)}, is_stream, std::move(writer));
}

void add_native_completion_endpoints(Router& router, Models& models) {
  for (const char* path : {"/completion", "/completions"}) {
    router.add("POST", path, on_model(models, completion));
  }
}

}  // namespace glint::server
