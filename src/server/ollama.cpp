// SPDX-License-Identifier: Apache-2.0
//
// Ollama's /api/chat and /api/generate: lines of JSON, durations in nanoseconds, settings under "options".
// Tested by tests/unit/server/ollama_test.cpp and tests/clients/clients_test.py.
#include <array>

#include "server/answer_reply.h"
#include "server/chat_fields.h"
#include "server/constraint_fields.h"
#include "server/endpoints.h"
#include "server/iso_time.h"
#include "server/settings.h"
#include "server/token_fields.h"

namespace glint::server {
namespace {

int64_t nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

class OllamaWriter final : public Writer {
 public:
  OllamaWriter(const Service& service, std::string model, bool is_chat)
      : service_(service), model_(std::move(model)), is_chat_(is_chat) {
    if (model_.empty()) model_ = service_.name();
  }

  Json whole(const std::vector<Completion>& completions, const Usage& usage) override {
    const Completion& completion = completions.front();
    Json line = piece(completion.reasoning, completion.content, completion.tool_calls);
    line.update(end_of(completion.finish, usage));
    add_warnings(line);
    return line;
  }

  std::string content_type() const override { return "application/x-ndjson"; }
  void write(const AnswerPart& part, std::string& out) override {
    std::vector<ToolCall> calls;
    for (const ToolCallDelta& call : part.delta.calls) calls.push_back({call.id, call.name, call.arguments_delta});
    if (!part.delta.empty()) append(piece(part.delta.reasoning, part.delta.content, calls), out);
    if (part.finish) finish_ = *part.finish;
  }
  void end(const Usage& usage, std::string& out) override {
    Json line = piece("", "", {});
    line.update(end_of(finish_, usage));
    add_warnings(line);
    append(line, out);
  }
  void fail(const ApiError& error, std::string& out) override { append(describe_error(ErrorShape::kOllama, error), out); }
  std::string ping() const override { return "\n"; }

 private:
  static void append(const Json& line, std::string& out) { out += to_text(line) + "\n"; }

  Json piece(const std::string& reasoning, const std::string& content, const std::vector<ToolCall>& calls) const {
    Json line = {{"model", model_}, {"created_at", iso_time(unix_time())}};
    if (!is_chat_) {
      line["response"] = content;
      if (!reasoning.empty()) line["thinking"] = reasoning;
      line["done"] = false;
      return line;
    }
    Json message = {{"role", "assistant"}, {"content", content}};
    if (!reasoning.empty()) message["thinking"] = reasoning;
    for (const ToolCall& call : calls) {
      Json arguments = Json::parse(call.arguments, nullptr, false);
      if (!arguments.is_object()) arguments = Json::object();
      message["tool_calls"].push_back({{"id", call.id}, {"function", {{"name", call.name}, {"arguments", std::move(arguments)}}}});
    }
    line["message"] = std::move(message);
    line["done"] = false;
    return line;
  }

  static Json end_of(const Finish& finish, const Usage& usage) {
    const Timings& timings = finish.timings;
    const bool is_full = finish.reason == FinishReason::kLimit || finish.reason == FinishReason::kContextFull;
    return {{"done", true},
            {"done_reason", is_full ? "length" : "stop"},
            {"total_duration", nanoseconds(finish.queue_seconds + timings.prompt_seconds + timings.predicted_seconds)},
            {"load_duration", 0},
            {"prompt_eval_count", usage.n_prompt},
            {"prompt_eval_duration", nanoseconds(timings.prompt_seconds)},
            {"eval_count", usage.n_completion},
            {"eval_duration", nanoseconds(timings.predicted_seconds)}};
  }

  const Service& service_;
  std::string model_;
  bool is_chat_;
  Finish finish_;
};

/// Settings, format and thinking, by the names that server/chat_fields knows.
Json translate_settings(const Fields& fields) {
  Json body = Json::object();
  if (const Json* options = fields.object("options")) {
    Fields(*options, "options.").count("num_predict", -2);  // is refused by the name that it came by
    for (const auto& [name, value] : options->items()) {
      body[name == "num_predict" ? "n_predict" : name] = value;
    }
  }
  if (const Json* think = fields.find("think")) {
    if (think->is_boolean()) {
      body["thinking"] = *think;
    } else if (think->is_string()) {
      body["reasoning_effort"] = *think;
    } else {
      fields.refuse("think", "true, false or a level");
    }
  }
  if (const Json* format = fields.find("format"); format != nullptr && *format != "") {
    if (*format == "json") {
      body["response_format"] = {{"type", "json_object"}};
    } else if (format->is_object()) {
      body["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", "format"}, {"schema", *format}}}};
    } else {
      fields.refuse("format", "\"json\" or a schema");
    }
  }
  return body;
}

void refuse_images(const Fields& fields) {
  const Json* images = fields.array("images");
  if (images != nullptr && !images->empty()) throw ApiError::invalid("images: this model reads text only");
}

/// Calls may have no ids here, and what they give is told by name.
Json translate_messages(const Json& messages) {
  Json translated = Json::array();
  for (const Json& message : messages) {
    const Fields fields(message, "messages[].");
    refuse_images(fields);
    Json one = message;
    one.erase("images");
    if (const std::string* thinking = fields.string("thinking")) one["reasoning_content"] = *thinking;
    one.erase("thinking");
    if (const std::string* name = fields.string("tool_name")) one["name"] = *name;
    if (const Json* calls = fields.array("tool_calls")) {
      for (size_t i = 0; i < calls->size(); ++i) {
        if (!one["tool_calls"][i].is_object()) fields.refuse("tool_calls", "an array of objects");
        if (!one["tool_calls"][i].contains("type")) one["tool_calls"][i]["type"] = "function";
      }
    }
    translated.push_back(std::move(one));
  }
  return translated;
}

/// `settings`: the members of body that came as "options", with what else it has.
Reply answer_lines(Service& service, const HttpRequest& http, const Fields& fields, const Fields& settings, Request request,
                   const AnswerFormat& format, bool is_chat) {
  const std::string* model = fields.string("model");
  const bool is_stream = fields.boolean("stream").value_or(true);
  auto writer = std::make_unique<OllamaWriter>(service, model == nullptr ? "" : *model, is_chat);
  writer->warn_of_ignored(fields.unread());
  writer->warn_of_ignored(settings.unread());
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  return answer_with(service, http.path, std::move(requests), format, is_stream, std::move(writer));
}

Reply answer(Service& service, const HttpRequest& http, const Fields& fields, const Json& body, bool is_chat) {
  const Fields settings(body, "options.");
  PreparedChat prepared = prepare_chat(settings, service);
  return answer_lines(service, http, fields, settings, std::move(prepared.request), prepared.format, is_chat);
}

/// What is said to a request without a prompt, which only wants the model to be there.
Reply loaded(const Service& service, bool is_chat) {
  Json body = {{"model", service.name()}, {"created_at", iso_time(unix_time())}, {"done", true}, {"done_reason", "load"}};
  if (is_chat) {
    body["message"] = {{"role", "assistant"}, {"content", ""}};
  } else {
    body["response"] = "";
  }
  return json_reply(body);
}

Reply chat(Service& service, const HttpRequest& http) {
  const Json given = parse_json(http.body);
  const Fields fields(given);
  const Json* messages = fields.array("messages");
  if (messages == nullptr || messages->empty()) return loaded(service, true);
  Json body = translate_settings(fields);
  body["messages"] = translate_messages(*messages);
  if (const Json* tools = fields.array("tools")) body["tools"] = *tools;
  return answer(service, http, fields, body, true);
}

Reply generate(Service& service, const HttpRequest& http) {
  const Json given = parse_json(http.body);
  const Fields fields(given);
  refuse_images(fields);
  const std::string* prompt = fields.string("prompt");
  if (prompt == nullptr || prompt->empty()) return loaded(service, false);
  for (const char* name : {"suffix", "template", "context"}) {
    const Json* value = fields.find(name);
    if (value != nullptr && !value->empty() && *value != "") {
      throw ApiError::invalid(fmt::format("{}: not supported; use /api/chat or /infill", name));
    }
  }
  Json body = translate_settings(fields);
  if (fields.boolean("raw").value_or(false) || !service.has_chat()) {
    const Fields settings(body, "options.");
    Request request = read_request(settings, service, {"n_predict"});
    request.ids = read_prompt(*prompt, service, "prompt");
    request.output.constraint = read_constraint(settings, service, {}, ThinkingStart::kNone);
    return answer_lines(service, http, fields, settings, std::move(request), {.is_raw = true}, false);
  }
  body["messages"] = Json::array();
  if (const std::string* system = fields.string("system")) body["messages"].push_back({{"role", "system"}, {"content", *system}});
  body["messages"].push_back({{"role", "user"}, {"content", *prompt}});
  return answer(service, http, fields, body, false);
}

}  // namespace

void add_ollama_endpoints(Router& router, Models& models) {
  router.add("POST", "/api/chat", on_model(models, chat));
  router.add("POST", "/api/generate", on_model(models, generate));
  add_ollama_model_endpoints(router, models);
}

}  // namespace glint::server
