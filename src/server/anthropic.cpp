// SPDX-License-Identifier: Apache-2.0
//
// Anthropic's /v1/messages and /v1/messages/count_tokens: the answer as content blocks, whole or as events.
// Tested by tests/unit/server/anthropic_test.cpp and tests/clients/clients_test.py.
#include "server/anthropic_messages.h"
#include "server/answer_reply.h"
#include "server/chat_fields.h"
#include "server/endpoints.h"

namespace glint::server {
namespace {

Json describe_usage(const Usage& usage) {
  return {{"input_tokens", usage.n_prompt - usage.n_cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.n_cached},
          {"output_tokens", usage.n_completion}};
}

Json stop_reason(const Finish& finish, bool has_calls) {
  if (has_calls) return "tool_use";
  if (finish.reason == FinishReason::kEndOfText) return "end_turn";
  return finish.reason == FinishReason::kStopString ? "stop_sequence" : "max_tokens";
}

Json stop_sequence(const Finish& finish) {
  return finish.reason == FinishReason::kStopString ? Json(finish.stopping_string) : Json();
}

class MessagesWriter final : public Writer {
 public:
  explicit MessagesWriter(const Service& service) : service_(service), id_(new_id("msg_")) {}

  Json whole(const std::vector<Completion>& completions, const Usage& usage) override {
    const Completion& completion = completions.front();
    Json content = Json::array();
    if (!completion.reasoning.empty()) {
      content.push_back({{"type", "thinking"}, {"thinking", completion.reasoning}, {"signature", ""}});
    }
    if (!completion.content.empty()) content.push_back({{"type", "text"}, {"text", completion.content}});
    for (const ToolCall& call : completion.tool_calls) {
      Json input = Json::parse(call.arguments, nullptr, false);
      content.push_back({{"type", "tool_use"}, {"id", call.id}, {"name", call.name},
                         {"input", input.is_object() ? std::move(input) : Json::object()}});
    }
    Json message = begun_message(usage);
    message["content"] = std::move(content);
    message["stop_reason"] = stop_reason(completion.finish, !completion.tool_calls.empty());
    message["stop_sequence"] = stop_sequence(completion.finish);
    return message;
  }

  void begin(std::string& out, const Usage& usage) override {
    append(out, {{"type", "message_start"}, {"message", begun_message(usage)}});
  }

  void write(const AnswerPart& part, std::string& out) override {
    if (!part.delta.reasoning.empty()) {
      open(Block::kThinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}, out);
      append_delta({{"type", "thinking_delta"}, {"thinking", part.delta.reasoning}}, out);
    }
    if (!part.delta.content.empty()) {
      open(Block::kText, {{"type", "text"}, {"text", ""}}, out);
      append_delta({{"type", "text_delta"}, {"text", part.delta.content}}, out);
    }
    for (const ToolCallDelta& call : part.delta.calls) {
      if (!call.id.empty()) {
        close(out);
        open(Block::kTool, {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", Json::object()}}, out);
        has_calls_ = true;
      }
      append_delta({{"type", "input_json_delta"}, {"partial_json", call.arguments_delta}}, out);
    }
    if (part.finish) finish_ = *part.finish;
  }

  void end(const Usage& usage, std::string& out) override {
    close(out);
    append(out, {{"type", "message_delta"},
                 {"delta", {{"stop_reason", stop_reason(finish_, has_calls_)}, {"stop_sequence", stop_sequence(finish_)}}},
                 {"usage", describe_usage(usage)}});
    append(out, {{"type", "message_stop"}});
  }

  void fail(const ApiError& error, std::string& out) override { append(out, describe_error(ErrorShape::kAnthropic, error)); }
  std::string ping() const override { return "event: ping\ndata: {\"type\":\"ping\"}\n\n"; }

 private:
  enum class Block { kNone, kThinking, kText, kTool };

  Json begun_message(const Usage& usage) const {
    Json message = {{"id", id_}, {"type", "message"}, {"role", "assistant"}, {"model", service_.name()}, {"content", Json::array()},
                    {"stop_reason", nullptr}, {"stop_sequence", nullptr}, {"usage", describe_usage(usage)}};
    add_warnings(message);
    return message;
  }

  static void append(std::string& out, const Json& event) { append_event(out, event, event["type"].get<std::string>()); }

  void append_delta(Json delta, std::string& out) {
    append(out, {{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}});
  }

  void open(Block kind, Json block, std::string& out) {
    if (block_ == kind) return;
    close(out);
    block_ = kind;
    append(out, {{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(block)}});
  }

  void close(std::string& out) {
    if (block_ == Block::kNone) return;
    if (block_ == Block::kThinking) append_delta({{"type", "signature_delta"}, {"signature", ""}}, out);
    append(out, {{"type", "content_block_stop"}, {"index", index_++}});
    block_ = Block::kNone;
  }

  const Service& service_;
  std::string id_;
  Block block_ = Block::kNone;  // that is open
  int index_ = 0;               // of the block that is open or comes next
  bool has_calls_ = false;
  Finish finish_;
};

Reply messages(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  if (!fields.count("max_tokens", 1)) fields.refuse("max_tokens", "a whole number of at least 1");
  const bool is_stream = fields.boolean("stream").value_or(false);
  const Json translated = translate_anthropic(fields);
  PreparedChat prepared = prepare_chat(Fields(translated), service);
  auto writer = std::make_unique<MessagesWriter>(service);
  writer->warn_of_ignored(fields.unread());
  std::vector<Request> requests;
  requests.push_back(std::move(prepared.request));
  return answer_with(service, http.path, std::move(requests), prepared.format, is_stream, std::move(writer));
}

Reply count_tokens(Service& service, const HttpRequest& http) {
  const Json body = parse_json(http.body);
  const Json translated = translate_anthropic(Fields(body));
  return json_reply({{"input_tokens", prepare_chat(Fields(translated), service).request.ids.size()}});
}

}  // namespace

void add_anthropic_endpoints(Router& router, Models& models) {
  router.add("POST", "/v1/messages", on_model(models, messages));
  router.add("POST", "/v1/messages/count_tokens", on_model(models, count_tokens));
}

}  // namespace glint::server
