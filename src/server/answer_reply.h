// SPDX-License-Identifier: Apache-2.0
//
// From an Answer to the bytes of one API, whole or streamed. An API is a Writer: what it says at the beginning, for each
// part, at the end, and when something fails; and what a whole answer looks like. Every answer tells which members of the
// request changed nothing, and what a constraint leaves out.
// Called by the endpoints that generate. Tested by the tests of these.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/answer.h"
#include "server/api_error.h"
#include "server/http_message.h"

namespace glint::server {

struct ToolCall {
  std::string id, name, arguments;
};

/// All parts of a choice together.
struct Completion {
  std::string reasoning, content;
  std::vector<ToolCall> tool_calls;
  std::vector<AnswerToken> tokens;
  int slot = -1;
  Finish finish;
};

class Writer {
 public:
  virtual ~Writer() = default;

  virtual Json whole(const std::vector<Completion>& completions, const Usage& usage) = 0;

  // Of a stream; all append to `out`.
  virtual std::string content_type() const { return "text/event-stream"; }
  virtual void begin(std::string& out, const Usage& usage);
  virtual void write(const AnswerPart& part, std::string& out) = 0;
  virtual void end(const Usage& usage, std::string& out) = 0;
  virtual void fail(const ApiError& error, std::string& out) = 0;
  virtual std::string ping() const { return ": ping\n\n"; }

  /// Something to be said beside the answer.
  void warn(std::string text) { warnings_.push_back(std::move(text)); }
  /// That these members of the request changed nothing.
  void warn_of_ignored(const std::vector<std::string>& names);

 protected:
  /// As the member "warnings", if there are any.
  void add_warnings(Json& body) const;

 private:
  std::vector<std::string> warnings_;
};

/// Of an answer that is never streamed.
class WholeWriter : public Writer {
 public:
  void write(const AnswerPart&, std::string&) final {}
  void end(const Usage&, std::string&) final {}
  void fail(const ApiError&, std::string&) final {}
};

/// Submits and answers. Throws ApiError when the engine refuses. `path` says how later errors look.
Reply answer_with(Service& service, const std::string& path, std::vector<Request> requests, const AnswerFormat& format,
                  bool is_stream, std::unique_ptr<Writer> writer);

/// One event of a text/event-stream: "data: {...}", with "event: name" before it when there is a name.
void append_event(std::string& out, const Json& data, std::string_view name = {});

}  // namespace glint::server
