// SPDX-License-Identifier: Apache-2.0
//
// What OpenAI's two kinds of completion have in common: the frame around choices, chunks, usage at the end, [DONE].
// Called by server/openai_chat and openai_completions. Tested by their tests.
#pragma once

#include <string>

#include "server/answer_reply.h"
#include "server/fields.h"

namespace glint::server {

struct OpenAiStreamOptions {
  bool include_usage = false;
};
OpenAiStreamOptions read_stream_options(const Fields& fields);

class OpenAiStream : public Writer {
 public:
  /// `object`: what the frame says it is; `chunk`: the same for a chunk of a stream.
  OpenAiStream(const Service& service, std::string object, std::string chunk, std::string id,
               const OpenAiStreamOptions& options);

  void end(const Usage& usage, std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;

 protected:
  Json whole_answer(Json choices, const Finish& first, const Usage& usage) const;
  /// `finish`: of the choice, when this is its last chunk.
  void write_chunk(Json choice, const Finish* finish, std::string& out) const;

  const Service& service_;

 private:
  Json frame(const std::string& object, Json choices) const;

  std::string object_, chunk_, id_;
  OpenAiStreamOptions options_;
  int64_t created_;
};

}  // namespace glint::server
