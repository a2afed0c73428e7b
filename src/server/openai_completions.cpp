// SPDX-License-Identifier: Apache-2.0
//
// OpenAI's /v1/completions: text behind text, without a chat.
// Tested by tests/unit/server/completions_test.cpp and tests/clients/clients_test.py.
#include "base/utf8.h"
#include "server/answer_json.h"
#include "server/constraint_fields.h"
#include "server/endpoints.h"
#include "server/openai_stream.h"
#include "server/settings.h"
#include "server/token_fields.h"

namespace glint::server {
namespace {

constexpr int kMostLogprobs = 20;  // OpenAI's own limit is 5

class CompletionWriter final : public OpenAiStream {
 public:
  /// `echoes`: each prompt's text when it is to stand before its choices; else none.
  CompletionWriter(const Service& service, const OpenAiStreamOptions& options, std::vector<std::string> echoes, int n)
      : OpenAiStream(service, "text_completion", "text_completion", new_id("cmpl-"), options), echoes_(std::move(echoes)), n_(n) {}

  Json whole(const std::vector<Completion>& completions, const Usage& usage) override {
    Json choices = Json::array();
    for (const Completion& completion : completions) {
      const std::string echo = echo_of(static_cast<int>(choices.size()));
      Json choice = {{"index", choices.size()}, {"text", echo + completion.content}};
      choice["logprobs"] = logprobs_of(completion.tokens, echo.size());
      choice["finish_reason"] = finish_reason(completion.finish);
      choices.push_back(std::move(choice));
    }
    return whole_answer(std::move(choices), completions.front().finish, usage);
  }

  void write(const AnswerPart& part, std::string& out) override {
    const auto index = static_cast<size_t>(part.choice);
    if (offsets_.size() <= index) offsets_.resize(index + 1);
    std::string text = part.delta.content;
    if (!offsets_[index]) {
      const std::string echo = echo_of(part.choice);
      offsets_[index] = echo.size();
      text = echo + text;
    }
    std::vector<AnswerToken> tokens;
    if (part.token) tokens.push_back(*part.token);
    Json logprobs = logprobs_of(tokens, *offsets_[index]);
    for (const AnswerToken& token : tokens) *offsets_[index] += service_.tokenizer().vocab().bytes(token.id).size();
    if (text.empty() && logprobs.is_null() && !part.finish) return;
    Json choice = {{"index", part.choice}, {"text", text}, {"logprobs", std::move(logprobs)}};
    choice["finish_reason"] = part.finish ? Json(finish_reason(*part.finish)) : Json();
    write_chunk(std::move(choice), part.finish ? &*part.finish : nullptr, out);
  }

 private:
  std::string echo_of(int choice) const {
    return echoes_.empty() ? std::string() : echoes_[static_cast<size_t>(choice / n_)];
  }

  Json logprobs_of(const std::vector<AnswerToken>& tokens, size_t offset) const {
    Json names = Json::array(), own = Json::array(), top = Json::array(), offsets = Json::array();
    for (const AnswerToken& token : tokens) {
      if (!token.logprobs) return nullptr;
      const auto name = [&](int32_t id) { return utf8::repair(service_.tokenizer().vocab().bytes(id)); };
      names.push_back(name(token.id));
      own.push_back(describe_token(service_, token.id, token.logprobs->chosen, false)["logprob"]);
      Json others = Json::object();
      for (const TokenLogProbability& other : token.logprobs->top) {
        others[name(other.id)] = describe_token(service_, other.id, other.log_probability, false)["logprob"];
      }
      top.push_back(std::move(others));
      offsets.push_back(offset);
      offset += service_.tokenizer().vocab().bytes(token.id).size();
    }
    if (names.empty()) return nullptr;
    return {{"tokens", names}, {"token_logprobs", own}, {"top_logprobs", top}, {"text_offset", offsets}};
  }

  std::vector<std::string> echoes_;
  int n_;
  std::vector<std::optional<size_t>> offsets_;  // of each choice's next token in its text, in bytes
};

int read_logprobs(const Fields& fields) {
  const Json* logprobs = fields.find("logprobs");
  if (logprobs != nullptr && logprobs->is_boolean()) return logprobs->get<bool>() ? 0 : -1;
  return fields.count("logprobs", 0, kMostLogprobs).value_or(-1);
}

Reply completions(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  const Json* prompt = fields.find("prompt");
  if (prompt == nullptr) fields.refuse("prompt", "a string, token ids, or an array of these");
  if (const std::string* suffix = fields.string("suffix"); suffix != nullptr && !suffix->empty()) {
    throw ApiError::invalid("suffix: not supported here; use /infill");
  }
  Request common = read_request(fields, service, {"max_tokens", "max_completion_tokens", "n_predict"});
  common.n = read_n(fields, "n");
  if (fields.count("best_of", 1).value_or(common.n) != common.n) throw ApiError::invalid("best_of: only the value of n is supported");
  common.n_logprobs = read_logprobs(fields);
  const bool echo = fields.boolean("echo").value_or(false);
  common.output.constraint = read_constraint(fields, service, {}, ThinkingStart::kNone);
  std::vector<Request> requests;
  std::vector<std::string> echoes;
  for (std::vector<int32_t>& ids : read_prompts(*prompt, service, "prompt")) {
    if (echo) echoes.push_back(service.tokenizer().decode(ids, {.skip_special = true}));
    requests.push_back(common);
    requests.back().ids = std::move(ids);
  }
  const bool is_stream = fields.boolean("stream").value_or(false);
  auto writer = std::make_unique<CompletionWriter>(service, read_stream_options(fields), std::move(echoes), common.n);
  writer->warn_of_ignored(fields.unread());
  return answer_with(service, http.path, std::move(requests), {.is_raw = true, .slot = read_slot(fields)}, is_stream, std::move(writer));
}

}  // namespace

void add_openai_completion_endpoints(Router& router, Models& models) {
  router.add("POST", "/v1/completions", on_model(models, completions));
}

}  // namespace glint::server
