// SPDX-License-Identifier: Apache-2.0
//
// Runs what a request asks of the engine, and gives what comes as parts of its choices. Knows no API and no JSON.
// Called by server/answer_reply. Tested by tests/unit/server/openai_chat_test.cpp and completions_test.cpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/service.h"
#include "text/call_replay.h"
#include "text/reply_parser.h"

namespace glint::server {

/// How the generated text becomes a reply.
struct AnswerFormat {
  bool is_raw = false;           // all of it is content
  bool inside_thinking = false;  // the prompt ended inside an opened thinking tag
  bool is_bound = false;         // by a constraint, so tags in the middle are text
  bool one_call = false;         // the first call ends a choice
  Json tools = nullptr;          // whose calls are looked for
  int slot = -1;                 // of /slots, that the first choice would have
};

struct AnswerToken {
  int32_t id = -1;
  std::optional<TokenLogprobs> logprobs;
};

/// What one event adds to one choice.
struct AnswerPart {
  int choice = 0;
  int slot = -1;
  ReplyDelta delta;
  std::optional<AnswerToken> token;
  std::optional<Finish> finish;  // in the last part of a choice
};

struct Usage {
  int n_prompt = 0;
  int n_cached = 0;
  int n_completion = 0;
  int n_reasoning = 0;  // of the completion
};

class Answer {
 public:
  /// Submits a request for each prompt; the choices of all are numbered through. Throws ApiError when one is refused,
  /// after which none runs.
  Answer(Service& service, std::vector<Request> requests, const AnswerFormat& format);
  ~Answer();

  /// The next part that is there already.
  std::optional<AnswerPart> next();
  bool is_over() const;
  void when_ready(const std::function<void()>& wake);
  void cancel();

  int n_choices() const { return static_cast<int>(choices_.size()); }
  /// Of what has come so far.
  const Usage& usage() const { return usage_; }

 private:
  struct Submitted {
    std::unique_ptr<Stream> stream;
    int first_choice = 0;
    int n_choices = 1;
  };
  Service& service_;
  bool one_call_;
  std::vector<Submitted> submitted_;
  struct Choice {
    std::optional<ReplyParser> parser;  // absent: raw
    std::optional<ReplyTrace> trace;    // present where calls are looked for
    bool is_thinking = false;
    bool is_cut = false;  // it has its one call
    std::shared_ptr<Task> task;  // null once it has finished
    std::vector<int32_t> ids;    // of prompt and answer, for its slot
  };
  Choice make_choice(const Request& request, const AnswerFormat& format, const Stream& stream, int completion);
  void let_go(Choice& choice);
  void cut(AnswerPart& part, Choice& choice, const Submitted& from);
  AnswerPart part_of(Event event, const Submitted& from);
  ReplyDelta parse(const Event& event, Choice& choice);

  std::vector<Choice> choices_;
  Usage usage_;
};

}  // namespace glint::server
