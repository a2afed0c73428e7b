// SPDX-License-Identifier: Apache-2.0
//
// OpenAI's /v1/responses. The answer is a list of items: the thought, the message, the calls; a stream tells how each comes
// to be, with numbered events. An answer is kept for a while, unless the request says otherwise, so that a later one can go
// on from it without sending the conversation again.
// Tested by tests/unit/server/responses_test.cpp and tests/clients/clients_test.py.
#include "base/printable.h"
#include "server/answer_reply.h"
#include "server/chat_fields.h"
#include "server/endpoints.h"
#include "server/response_store.h"
#include "server/responses_items.h"

namespace glint::server {
namespace {

Json describe_usage(const Usage& usage) {
  return {{"input_tokens", usage.n_prompt},
          {"input_tokens_details", {{"cached_tokens", usage.n_cached}}},
          {"output_tokens", usage.n_completion},
          {"output_tokens_details", {{"reasoning_tokens", usage.n_reasoning}}},
          {"total_tokens", usage.n_prompt + usage.n_completion}};
}

class ResponsesWriter final : public Writer {
 public:
  /// `store` may be null: the answer is not kept. `items`: the conversation that it answers.
  ResponsesWriter(const Service& service, const Fields& request, std::shared_ptr<ResponseStore> store, Json items)
      : service_(service), id_(new_id("resp_")), created_(unix_time()), store_(std::move(store)), items_(std::move(items)) {
    const std::string* previous = request.string("previous_response_id");
    echo_["previous_response_id"] = previous == nullptr ? Json() : Json(*previous);
    echo_["store"] = store_ != nullptr;
    for (const char* name : {"instructions", "temperature", "top_p", "max_output_tokens", "metadata", "reasoning", "text"}) {
      const Json* value = request.find(name);
      echo_[name] = value == nullptr ? Json() : *value;
    }
    const Json* tools = request.find("tools");
    const Json* choice = request.find("tool_choice");
    echo_["tools"] = tools == nullptr ? Json::array() : *tools;
    echo_["tool_choice"] = choice == nullptr ? Json("auto") : *choice;
    echo_["parallel_tool_calls"] = request.boolean("parallel_tool_calls").value_or(true);
  }

  Json whole(const std::vector<Completion>& completions, const Usage& usage) override {
    const Completion& completion = completions.front();
    ReplyDelta delta{completion.reasoning, completion.content, {}};
    for (const ToolCall& call : completion.tool_calls) {
      delta.calls.push_back({static_cast<int>(delta.calls.size()), call.id, call.name, call.arguments});
    }
    std::string unused;  // what a stream would have said
    write({.choice = 0, .delta = std::move(delta), .token = {}, .finish = completion.finish}, unused);
    close(unused);
    return final_response(usage);
  }

  void begin(std::string& out, const Usage&) override {
    append(out, "response.created", {{"response", response("in_progress", nullptr)}});
    append(out, "response.in_progress", {{"response", response("in_progress", nullptr)}});
  }

  void write(const AnswerPart& part, std::string& out) override {
    if (!part.delta.reasoning.empty()) add_text(Item::kReasoning, part.delta.reasoning, out);
    if (!part.delta.content.empty()) add_text(Item::kMessage, part.delta.content, out);
    for (const ToolCallDelta& call : part.delta.calls) add_call(call, out);
    if (part.finish) finish_ = *part.finish;
  }

  void end(const Usage& usage, std::string& out) override {
    close(out);
    const Json response = final_response(usage);
    append(out, "response." + response["status"].get<std::string>(), {{"response", response}});
  }

  void fail(const ApiError& error, std::string& out) override {
    append(out, "error", {{"code", error.type()}, {"message", error.what()}, {"param", nullptr}});
  }

 private:
  enum class Item { kNone, kReasoning, kMessage, kCall };

  bool is_complete() const {
    return finish_.reason != FinishReason::kLimit && finish_.reason != FinishReason::kContextFull;
  }

  Json final_response(const Usage& usage) {
    Json body = response(is_complete() ? "completed" : "incomplete", &usage);
    if (store_) {
      for (const Json& item : output_) items_.push_back(item);
      store_->put(id_, {.response = to_text(body), .conversation = to_text(items_)});
    }
    return body;
  }

  Json response(const char* status, const Usage* usage) const {
    Json body = {{"id", id_}, {"object", "response"}, {"created_at", created_}, {"status", status}, {"error", nullptr}};
    body["incomplete_details"] = std::string_view(status) == "incomplete" ? Json({{"reason", "max_output_tokens"}}) : Json();
    body["model"] = service_.name();
    body["output"] = output_;
    body["truncation"] = "disabled";
    body.update(echo_);
    body["usage"] = usage == nullptr ? Json() : describe_usage(*usage);
    add_warnings(body);
    return body;
  }

  void append(std::string& out, const std::string& type, Json members) {
    Json event = {{"type", type}, {"sequence_number", n_events_++}};
    event.update(members);
    append_event(out, event, type);
  }
  /// Of the item at work.
  Json place(bool with_part) const {
    Json where = {{"item_id", item_["id"]}, {"output_index", output_.size()}};
    if (with_part) where["content_index"] = 0;
    return where;
  }

  void open(Item kind, Json item, std::string& out) {
    close(out);
    kind_ = kind;
    item_ = std::move(item);
    append(out, "response.output_item.added", {{"output_index", output_.size()}, {"item", item_}});
  }

  void add_text(Item kind, const std::string& text, std::string& out) {
    const bool is_message = kind == Item::kMessage;
    if (kind_ != kind) {
      Json item = is_message ? Json({{"id", new_id("msg_")}, {"type", "message"}, {"status", "in_progress"}, {"role", "assistant"},
                                     {"content", Json::array()}})
                             : Json({{"id", new_id("rs_")}, {"type", "reasoning"}, {"status", "in_progress"}, {"summary", Json::array()},
                                     {"content", Json::array()}});
      open(kind, std::move(item), out);
      text_.clear();
      Json added = place(true);
      added["part"] = part();
      append(out, "response.content_part.added", std::move(added));
    }
    text_ += text;
    Json delta = place(true);
    delta["delta"] = text;
    if (is_message) delta["logprobs"] = Json::array();
    append(out, is_message ? "response.output_text.delta" : "response.reasoning_text.delta", std::move(delta));
  }

  Json part() const {
    if (kind_ == Item::kReasoning) return {{"type", "reasoning_text"}, {"text", text_}};
    return {{"type", "output_text"}, {"text", text_}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
  }

  void add_call(const ToolCallDelta& call, std::string& out) {
    if (!call.id.empty()) {
      open(Item::kCall, {{"id", new_id("fc_")}, {"type", "function_call"}, {"status", "in_progress"}, {"call_id", call.id},
                         {"name", call.name}, {"arguments", ""}}, out);
      text_.clear();
    }
    text_ += call.arguments_delta;
    Json delta = place(false);
    delta["delta"] = call.arguments_delta;
    append(out, "response.function_call_arguments.delta", std::move(delta));
  }

  /// Ends the item at work.
  void close(std::string& out) {
    if (kind_ == Item::kNone) return;
    Json done = place(kind_ != Item::kCall);
    if (kind_ == Item::kCall) {
      item_["arguments"] = done["arguments"] = text_;
      done["name"] = item_["name"];
      append(out, "response.function_call_arguments.done", std::move(done));
    } else {
      done["text"] = text_;
      if (kind_ == Item::kMessage) done["logprobs"] = Json::array();
      append(out, kind_ == Item::kMessage ? "response.output_text.done" : "response.reasoning_text.done", std::move(done));
      Json part_done = place(true);
      part_done["part"] = part();
      append(out, "response.content_part.done", std::move(part_done));
      item_["content"].push_back(part());
    }
    item_["status"] = "completed";
    append(out, "response.output_item.done", {{"output_index", output_.size()}, {"item", item_}});
    output_.push_back(std::move(item_));
    kind_ = Item::kNone;
  }

  const Service& service_;
  std::string id_;
  int64_t created_;
  std::shared_ptr<ResponseStore> store_;  // null: it is not kept
  Json items_;                            // that led to it
  Json echo_ = Json::object();     // what the request said
  Json output_ = Json::array();    // items that are done
  Item kind_ = Item::kNone;        // of the item at work
  Json item_;
  std::string text_;               // or arguments, of the item at work
  int n_events_ = 0;
  Finish finish_;
};

StoredResponse find_stored(ResponseStore& store, const std::string& id) {
  std::optional<StoredResponse> stored = store.find(id);
  if (!stored) throw ApiError::not_found(fmt::format("there is no response \"{}\"; it was not stored, or was forgotten", printable(id)));
  return std::move(*stored);
}

Reply responses(Service& service, const HttpRequest& http, const std::shared_ptr<ResponseStore>& store) {
  const Json body = parse_json(http.body);
  const Fields fields(body);
  Json earlier = Json::array();
  if (const std::string* previous = fields.string("previous_response_id")) {
    earlier = Json::parse(find_stored(*store, *previous).conversation);
  }
  Json items = read_items(fields, std::move(earlier));
  const Json translated = translate_responses(fields, items);
  const bool is_kept = fields.boolean("store").value_or(true);
  PreparedChat prepared = prepare_chat(Fields(translated), service);
  std::vector<Request> requests;
  requests.push_back(std::move(prepared.request));
  const bool is_stream = fields.boolean("stream").value_or(false);
  auto writer = std::make_unique<ResponsesWriter>(service, fields, is_kept ? store : nullptr, std::move(items));
  writer->warn_of_ignored(fields.unread());
  return answer_with(service, http.path, std::move(requests), prepared.format, is_stream, std::move(writer));
}

}  // namespace

void add_responses_endpoints(Router& router, Models& models) {
  const auto store = std::make_shared<ResponseStore>();
  router.add("POST", "/v1/responses", on_model(models, [store](Service& service, const HttpRequest& request) {
    return responses(service, request, store);
  }));
  router.add("GET", "/v1/responses/*", [store](const HttpRequest& request) -> Reply {
    return {.response = {.body = find_stored(*store, request.path_tail).response}};
  });
  router.add("DELETE", "/v1/responses/*", [store](const HttpRequest& request) {
    find_stored(*store, request.path_tail);
    store->erase(request.path_tail);
    return json_reply({{"id", request.path_tail}, {"object", "response"}, {"deleted", true}});
  });
}

}  // namespace glint::server
