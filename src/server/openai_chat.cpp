// SPDX-License-Identifier: Apache-2.0
//
// OpenAI's /v1/chat/completions, with llama.cpp's further members.
// Tested by tests/unit/server/openai_chat_test.cpp and tests/clients/clients_test.py.
#include "server/answer_json.h"
#include "server/answer_reply.h"
#include "server/chat_fields.h"
#include "server/endpoints.h"
#include "server/openai_stream.h"
#include "server/settings.h"

namespace glint::server {
namespace {

constexpr int kMostLogprobs = 20;

Json describe_calls(const std::vector<ToolCall>& calls) {
  Json described = Json::array();
  for (const ToolCall& call : calls) {
    described.push_back({{"id", call.id}, {"type", "function"},
                         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return described;
}

class ChatWriter final : public OpenAiStream {
 public:
  ChatWriter(const Service& service, const OpenAiStreamOptions& options)
      : OpenAiStream(service, "chat.completion", "chat.completion.chunk", new_id("chatcmpl-"), options) {}

  Json whole(const std::vector<Completion>& completions, const Usage& usage) override {
    Json choices = Json::array();
    for (const Completion& completion : completions) {
      Json message = {{"role", "assistant"}};
      if (!completion.reasoning.empty()) message["reasoning_content"] = completion.reasoning;
      message["content"] = completion.content.empty() && !completion.tool_calls.empty() ? Json() : Json(completion.content);
      if (!completion.tool_calls.empty()) message["tool_calls"] = describe_calls(completion.tool_calls);
      Json choice = {{"index", choices.size()}, {"message", std::move(message)}};
      Json logprobs = Json::array();
      for (const AnswerToken& token : completion.tokens) {
        if (token.logprobs) logprobs.push_back(describe_logprobs(service_, token, true));
      }
      choice["logprobs"] = logprobs.empty() ? Json() : Json({{"content", std::move(logprobs)}});
      choice["finish_reason"] = completion.tool_calls.empty() ? finish_reason(completion.finish) : "tool_calls";
      choices.push_back(std::move(choice));
    }
    return whole_answer(std::move(choices), completions.front().finish, usage);
  }

  void write(const AnswerPart& part, std::string& out) override {
    if (begun_.size() <= static_cast<size_t>(part.choice)) begun_.resize(static_cast<size_t>(part.choice) + 1);
    Choice& state = begun_[static_cast<size_t>(part.choice)];
    if (!state.begun) write_choice(part.choice, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr, out);
    state.begun = true;
    Json delta = Json::object();
    if (!part.delta.reasoning.empty()) delta["reasoning_content"] = part.delta.reasoning;
    if (!part.delta.content.empty()) delta["content"] = part.delta.content;
    for (const ToolCallDelta& call : part.delta.calls) {
      state.has_calls = true;
      Json described = {{"index", call.index}};
      if (!call.id.empty()) described.update({{"id", call.id}, {"type", "function"}});
      Json function = Json::object();
      if (!call.name.empty()) function["name"] = call.name;
      function["arguments"] = call.arguments_delta;
      described["function"] = std::move(function);
      delta["tool_calls"].push_back(std::move(described));
    }
    Json logprobs = nullptr;
    if (part.token && part.token->logprobs) logprobs = {{"content", {describe_logprobs(service_, *part.token, true)}}};
    if (!delta.empty() || !logprobs.is_null()) write_choice(part.choice, std::move(delta), std::move(logprobs), nullptr, out);
    if (!part.finish) return;
    const std::string reason = state.has_calls ? "tool_calls" : finish_reason(*part.finish);
    write_choice(part.choice, Json::object(), nullptr, &reason, out, &*part.finish);
  }

 private:
  struct Choice {
    bool begun = false;
    bool has_calls = false;
  };

  void write_choice(int index, Json delta, Json logprobs, const std::string* reason, std::string& out,
                    const Finish* finish = nullptr) {
    Json choice = {{"index", index}, {"delta", std::move(delta)}};
    if (!logprobs.is_null()) choice["logprobs"] = std::move(logprobs);
    choice["finish_reason"] = reason ? Json(*reason) : Json();
    write_chunk(std::move(choice), finish, out);
  }

  std::vector<Choice> begun_;
};

int read_logprobs(const Fields& fields) {
  const std::optional<int> top = fields.count("top_logprobs", 0, kMostLogprobs);
  const int n_probs = fields.count("n_probs", 0, kMostLogprobs).value_or(0);
  if (fields.boolean("logprobs").value_or(false)) return top.value_or(n_probs);
  if (top && *top > 0) throw ApiError::invalid("top_logprobs: needs \"logprobs\": true");
  return n_probs > 0 ? n_probs : -1;
}

Reply chat_completions(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  const bool is_stream = fields.boolean("stream").value_or(false);
  const OpenAiStreamOptions options = read_stream_options(fields);
  PreparedChat prepared = prepare_chat(fields, service);
  prepared.request.n = read_n(fields, "n");
  prepared.request.n_logprobs = read_logprobs(fields);
  std::vector<Request> requests;
  requests.push_back(std::move(prepared.request));
  auto writer = std::make_unique<ChatWriter>(service, options);
  writer->warn_of_ignored(fields.unread());
  return answer_with(service, http.path, std::move(requests), prepared.format, is_stream, std::move(writer));
}

}  // namespace

void add_openai_chat_endpoints(Router& router, Models& models) {
  for (const char* path : {"/v1/chat/completions", "/chat/completions"}) {
    router.add("POST", path, on_model(models, chat_completions));
  }
}

}  // namespace glint::server
