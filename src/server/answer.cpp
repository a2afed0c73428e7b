// SPDX-License-Identifier: Apache-2.0
#include "server/answer.h"

#include "server/api_error.h"

namespace glint::server {
namespace {

ApiError describe(const RequestError& error, const Request& request, int n_ctx) {
  switch (error.kind()) {
    case RequestError::Kind::kContextLength:
      return {400, "exceed_context_size_error", error.what(),
              {{"n_prompt_tokens", request.ids.size()}, {"n_ctx", n_ctx}, {"reason", "context_length_exceeded"}}};
    case RequestError::Kind::kQueueFull:
    case RequestError::Kind::kShutDown: return ApiError::unavailable(error.what());
    case RequestError::Kind::kInvalid: break;
  }
  return ApiError::invalid(error.what());
}

void append(ReplyDelta& delta, ReplyDelta more) {
  delta.reasoning += more.reasoning;
  delta.content += more.content;
  for (ToolCallDelta& call : more.calls) delta.calls.push_back(std::move(call));
}

}  // namespace

Answer::Answer(Service& service, std::vector<Request> requests, const AnswerFormat& format)
    : service_(service), one_call_(format.one_call) {
  for (Request& request : requests) {
    const int n = request.n;
    usage_.n_prompt += static_cast<int>(request.ids.size());
    try {
      submitted_.push_back({service.batch().submit(request), n_choices(), n});
    } catch (const RequestError& error) {
      throw describe(error, request, service.engine().n_ctx());
    }
    for (int i = 0; i < n; ++i) choices_.push_back(make_choice(request, format, *submitted_.back().stream, i));
  }
}

Answer::Choice Answer::make_choice(const Request& request, const AnswerFormat& format, const Stream& stream,
                                   int completion) {
  Choice choice;
  if (!format.is_raw) {
    ReplyFormat reply = service_.reply_format();
    if (format.is_bound) reply.thinking_anywhere = false;
    choice.parser.emplace(reply, ReplyOptions{.tools = &format.tools, .inside_thinking = format.inside_thinking});
    if (!format.tools.is_null()) choice.trace.emplace();
    choice.is_thinking = format.inside_thinking;
  }
  Task task{.n_prompt = static_cast<int>(request.ids.size()), .n_predict = request.output.n_predict};
  task.progress = stream.progress(completion);
  if (!request.pooling && request.cache_task == CacheTask::kNone) {
    task.slot = service_.slots().take(request.ids, completion == 0 ? format.slot : -1);
    choice.ids = request.ids;
  }
  choice.task = service_.metrics().begin(std::move(task));
  return choice;
}

/// Its task is over and told of.
void Answer::let_go(Choice& choice) {
  if (choice.task->slot >= 0) service_.slots().give_back(choice.task->slot, std::move(choice.ids));
  choice.task.reset();
}

Answer::~Answer() {
  for (Choice& choice : choices_) {
    if (!choice.task) continue;
    service_.metrics().abandon(*choice.task);
    let_go(choice);
  }
}

std::optional<AnswerPart> Answer::next() {
  for (const Submitted& submitted : submitted_) {
    if (std::optional<Event> event = submitted.stream->next_within(std::chrono::milliseconds(0))) {
      return part_of(std::move(*event), submitted);
    }
  }
  return std::nullopt;
}

AnswerPart Answer::part_of(Event event, const Submitted& from) {
  AnswerPart part;
  part.choice = from.first_choice + event.completion;
  Choice& choice = choices_[static_cast<size_t>(part.choice)];
  part.slot = choice.task->slot;
  if (choice.parser) {
    part.delta = parse(event, choice);
    if (!part.delta.reasoning.empty()) choice.is_thinking = true;
    if (!part.delta.content.empty() || !part.delta.calls.empty()) choice.is_thinking = false;
  } else {
    part.delta.content = std::move(event.text);
  }
  if (one_call_) cut(part, choice, from);
  if (event.id >= 0) {
    part.token = AnswerToken{event.id, std::move(event.logprobs)};
    choice.ids.push_back(event.id);
    if (choice.is_thinking) ++usage_.n_reasoning;
  }
  if (event.finish) {
    usage_.n_completion += event.finish->timings.n_predicted;
    if (event.completion == 0) usage_.n_cached += event.finish->cache.n_cached;
    part.finish = std::move(event.finish);
    if (choice.is_cut) part.finish->reason = FinishReason::kEndOfText;
    service_.metrics().end(*choice.task, *part.finish);
    let_go(choice);
  }
  return part;
}

ReplyDelta Answer::parse(const Event& event, Choice& choice) {
  ReplyDelta delta = choice.parser->push(event.text);
  if (event.finish) append(delta, choice.parser->finish());
  if (!choice.trace) return delta;
  choice.trace->push(event.id, event.text);
  for (const ToolCallDelta& call : delta.calls) {
    service_.calls().remember(call, choice.trace->ids_of(call, service_.tokenizer().vocab()));
  }
  return delta;
}

/// Nothing follows the first call.
void Answer::cut(AnswerPart& part, Choice& choice, const Submitted& from) {
  if (choice.is_cut) part.delta = {};
  if (part.delta.calls.empty()) return;
  part.delta.calls.resize(1);
  choice.is_cut = true;
  if (from.n_choices == 1) from.stream->cancel();
}

bool Answer::is_over() const {
  for (const Submitted& submitted : submitted_) {
    if (!submitted.stream->is_over()) return false;
  }
  return true;
}

void Answer::when_ready(const std::function<void()>& wake) {
  for (const Submitted& submitted : submitted_) {
    if (!submitted.stream->is_over()) submitted.stream->when_ready(wake);
  }
}

void Answer::cancel() {
  for (const Submitted& submitted : submitted_) submitted.stream->cancel();
}

}  // namespace glint::server
