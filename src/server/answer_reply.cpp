// SPDX-License-Identifier: Apache-2.0
#include "server/answer_reply.h"

#include "server/router.h"

namespace glint::server {
namespace {

constexpr size_t kPieceBytes = 64 << 10;  // that one pull gives; more waits until it is written

ApiError failure_of(const Finish& finish) {
  if (finish.reason == FinishReason::kCancelled) return ApiError::unavailable("the server is stopping");
  return ApiError::internal(finish.error);
}

bool has_failed(const Finish& finish) {
  return finish.reason == FinishReason::kCancelled || finish.reason == FinishReason::kError;
}

class AnswerContinuation : public Continuation {
 public:
  AnswerContinuation(std::unique_ptr<Answer> answer, std::unique_ptr<Writer> writer)
      : answer_(std::move(answer)), writer_(std::move(writer)) {}

  void when_ready(std::function<void()> wake) override { answer_->when_ready(wake); }
  void cancel() override { answer_->cancel(); }

 protected:
  std::unique_ptr<Answer> answer_;
  std::unique_ptr<Writer> writer_;
};

class StreamedAnswer final : public AnswerContinuation {
 public:
  using AnswerContinuation::AnswerContinuation;
  bool is_stream() const override { return true; }
  std::string ping() override { return writer_->ping(); }

  bool pull(HttpResponse& response) override {
    std::string& out = response.body;
    if (!begun_) writer_->begin(out, answer_->usage());
    begun_ = true;
    while (out.size() < kPieceBytes) {
      const std::optional<AnswerPart> part = answer_->next();
      if (!part) break;
      if (part->finish && has_failed(*part->finish)) {
        writer_->fail(failure_of(*part->finish), out);
        return true;
      }
      writer_->write(*part, out);
    }
    if (!answer_->is_over()) return false;
    writer_->end(answer_->usage(), out);
    return true;
  }

 private:
  bool begun_ = false;
};

class WholeAnswer final : public AnswerContinuation {
 public:
  WholeAnswer(std::unique_ptr<Answer> answer, std::unique_ptr<Writer> writer, std::string path)
      : AnswerContinuation(std::move(answer), std::move(writer)),
        path_(std::move(path)),
        completions_(static_cast<size_t>(answer_->n_choices())) {}
  bool is_stream() const override { return false; }

  bool pull(HttpResponse& response) override {
    while (std::optional<AnswerPart> part = answer_->next()) add(std::move(*part));
    if (!answer_->is_over()) return false;
    for (const Completion& completion : completions_) {
      if (!has_failed(completion.finish)) continue;
      response = error_reply(path_, failure_of(completion.finish)).response;
      return true;
    }
    response = reply_or_error(path_, [&] { return json_reply(writer_->whole(completions_, answer_->usage())); }).response;
    return true;
  }

 private:
  void add(AnswerPart part) {
    Completion& completion = completions_[static_cast<size_t>(part.choice)];
    completion.slot = part.slot;
    completion.reasoning += part.delta.reasoning;
    completion.content += part.delta.content;
    for (ToolCallDelta& delta : part.delta.calls) {
      const auto index = static_cast<size_t>(delta.index);
      if (index >= completion.tool_calls.size()) completion.tool_calls.resize(index + 1);
      ToolCall& call = completion.tool_calls[index];
      if (!delta.id.empty()) call.id = std::move(delta.id);
      if (!delta.name.empty()) call.name = std::move(delta.name);
      call.arguments += delta.arguments_delta;
    }
    if (part.token) completion.tokens.push_back(std::move(*part.token));
    if (part.finish) completion.finish = std::move(*part.finish);
  }

  std::string path_;
  std::vector<Completion> completions_;
};

}  // namespace

void Writer::begin(std::string&, const Usage&) {}

void Writer::warn_of_ignored(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name != "model") warn(name + ": ignored");  // that one chose who answers
  }
}

void Writer::add_warnings(Json& body) const {
  if (!warnings_.empty()) body["warnings"] = warnings_;
}

Reply answer_with(Service& service, const std::string& path, std::vector<Request> requests, const AnswerFormat& format,
                  bool is_stream, std::unique_ptr<Writer> writer) {
  if (const auto& constraint = requests.front().output.constraint) {
    for (const std::string& text : constraint->warnings) writer->warn(text);
  }
  auto answer = std::make_unique<Answer>(service, std::move(requests), format);
  Reply reply;
  if (is_stream) {
    reply.response.content_type = writer->content_type();
    reply.rest = std::make_unique<StreamedAnswer>(std::move(answer), std::move(writer));
  } else {
    reply.rest = std::make_unique<WholeAnswer>(std::move(answer), std::move(writer), path);
  }
  return reply;
}

void append_event(std::string& out, const Json& data, std::string_view name) {
  if (!name.empty()) out += fmt::format("event: {}\n", name);
  out += fmt::format("data: {}\n\n", to_text(data));
}

}  // namespace glint::server
