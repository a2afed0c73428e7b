// SPDX-License-Identifier: Apache-2.0
#include "server/openai_stream.h"

#include "server/answer_json.h"

namespace glint::server {

OpenAiStreamOptions read_stream_options(const Fields& fields) {
  const Json* options = fields.object("stream_options");
  if (options == nullptr) return {};
  return {.include_usage = Fields(*options, "stream_options.").boolean("include_usage").value_or(false)};
}

OpenAiStream::OpenAiStream(const Service& service, std::string object, std::string chunk, std::string id,
                           const OpenAiStreamOptions& options)
    : service_(service),
      object_(std::move(object)),
      chunk_(std::move(chunk)),
      id_(std::move(id)),
      options_(options),
      created_(unix_time()) {}

Json OpenAiStream::frame(const std::string& object, Json choices) const {
  return {{"id", id_},
          {"object", object},
          {"created", created_},
          {"model", service_.name()},
          {"system_fingerprint", "glint-" GLINT_VERSION},
          {"choices", std::move(choices)}};
}

Json OpenAiStream::whole_answer(Json choices, const Finish& first, const Usage& usage) const {
  Json answer = frame(object_, std::move(choices));
  answer["usage"] = describe_usage(usage);
  answer["timings"] = describe_timings(first.timings);
  add_warnings(answer);
  return answer;
}

void OpenAiStream::write_chunk(Json choice, const Finish* finish, std::string& out) const {
  Json data = frame(chunk_, Json::array({std::move(choice)}));
  if (finish != nullptr) {
    data["timings"] = describe_timings(finish->timings);
    add_warnings(data);
  }
  append_event(out, data);
}

void OpenAiStream::end(const Usage& usage, std::string& out) {
  if (options_.include_usage) {
    Json data = frame(chunk_, Json::array());
    data["usage"] = describe_usage(usage);
    append_event(out, data);
  }
  out += "data: [DONE]\n\n";
}

void OpenAiStream::fail(const ApiError& error, std::string& out) {
  append_event(out, describe_error(ErrorShape::kOpenAi, error));
}

}  // namespace glint::server
