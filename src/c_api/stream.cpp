// SPDX-License-Identifier: Apache-2.0
//
// The functions of the C API that ask and read answers. Tested by tests/c_api.
#include "c_api/handles.h"
#include "c_api/request.h"
#include "c_api/status.h"

namespace glint::c_api {
namespace {

int32_t reason_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndOfText: return GLINT_FINISH_END_OF_TEXT;
    case FinishReason::kStopString: return GLINT_FINISH_STOP_STRING;
    case FinishReason::kLimit: return GLINT_FINISH_LIMIT;
    case FinishReason::kContextFull: return GLINT_FINISH_CONTEXT_FULL;
    case FinishReason::kCancelled: return GLINT_FINISH_CANCELLED;
    case FinishReason::kError: return GLINT_FINISH_ERROR;
  }
  return GLINT_FINISH_ERROR;
}

glint_finish view_of(const Finish& finish) {
  const auto& parting = finish.cache.parting;
  return {.size = sizeof(glint_finish),
          .reason = reason_of(finish.reason),
          .end_token = finish.end_id,
          .stop_string = finish.stopping_string.c_str(),
          .error = finish.error.c_str(),
          .n_prompt = finish.cache.n_prompt,
          .n_cached = finish.cache.n_cached,
          .n_computed = finish.timings.n_prompt,
          .n_predicted = finish.timings.n_predicted,
          .queue_seconds = finish.queue_seconds,
          .prompt_seconds = finish.timings.prompt_seconds,
          .predicted_seconds = finish.timings.predicted_seconds,
          .parting_position = parting ? parting->position : -1,
          .parting_prompt_text = parting ? parting->prompt_text.c_str() : "",
          .parting_cached_text = parting ? parting->cached_text.c_str() : ""};
}

/// Keeps the event, so that the view of it lives until the next.
const glint_event* keep(glint_stream& stream, Event event) {
  stream.event = std::move(event);
  const Event& kept = stream.event;
  stream.top.clear();
  if (kept.logprobs) {
    for (const TokenLogProbability& other : kept.logprobs->top) stream.top.push_back({other.id, other.log_probability});
  }
  if (kept.finish) stream.finish = view_of(*kept.finish);
  stream.view = {.size = sizeof(glint_event),
                 .completion = kept.completion,
                 .id = kept.id,
                 .text = kept.text.c_str(),
                 .text_size = kept.text.size(),
                 .logprob = kept.logprobs ? kept.logprobs->chosen : 0,
                 .top = stream.top.data(),
                 .n_top = stream.top.size(),
                 .finish = kept.finish ? &stream.finish : nullptr};
  return &stream.view;
}

}  // namespace
}  // namespace glint::c_api

using namespace glint;
using namespace glint::c_api;

extern "C" {

glint_status glint_submit(glint_engine* engine, const glint_request* request, glint_stream** stream) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    require(stream, "stream") = nullptr;
    const glint_engine& opened = require(engine, "engine");
    auto made = std::make_unique<glint_stream>();
    made->stream = opened.batch->submit(make_request(opened, adopt(request, "request")));
    *stream = made.release();
    return GLINT_OK;
  });
}

glint_status glint_stream_next(glint_stream* stream, int32_t timeout_ms, const glint_event** event) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    require(event, "event") = nullptr;
    Stream& reader = *require(stream, "stream").stream;
    std::optional<Event> next =
        timeout_ms < 0 ? reader.next() : reader.next_within(std::chrono::milliseconds(timeout_ms));
    if (!next) return reader.is_over() ? GLINT_END : GLINT_TIMEOUT;
    *event = keep(*stream, std::move(*next));
    return GLINT_OK;
  });
}

glint_status glint_stream_for_each(glint_stream* stream, glint_event_callback callback, void* user_data) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    Stream& reader = *require(stream, "stream").stream;
    if (callback == nullptr) fail("callback is NULL");
    while (std::optional<Event> next = reader.next()) {
      if (callback(user_data, keep(*stream, std::move(*next))) != 0) reader.cancel();
    }
    return GLINT_OK;
  });
}

glint_status glint_stream_when_ready(glint_stream* stream, void (*wake)(void* user_data), void* user_data) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    Stream& reader = *require(stream, "stream").stream;
    if (wake == nullptr) fail("wake is NULL");
    reader.when_ready([wake, user_data] { wake(user_data); });
    return GLINT_OK;
  });
}

glint_status glint_stream_cancel(glint_stream* stream) {
  return guarded(GLINT_ERROR_INVALID, [&] {
    require(stream, "stream").stream->cancel();
    return GLINT_OK;
  });
}

void glint_stream_free(glint_stream* stream) { delete stream; }

}  // extern "C"
