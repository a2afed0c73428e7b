// SPDX-License-Identifier: Apache-2.0
#include "server/service.h"

#include <chrono>
#include <random>

#include "base/printable.h"
#include "server/api_error.h"

namespace glint::server {

int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

namespace {

/// By the numbers that files have for it.
Pooling pooling_of(const Engine& engine) {
  const std::string key = engine.model().spec.architecture + ".pooling_type";
  switch (engine.file().metadata().integer_or(key, 3)) {
    case 0: return Pooling::kNone;
    case 1: return Pooling::kMean;
    case 2: return Pooling::kFirst;
    default: return Pooling::kLast;
  }
}

}  // namespace

Pooling parse_pooling(std::string_view name) {
  if (name == "none") return Pooling::kNone;
  if (name == "mean") return Pooling::kMean;
  if (name == "cls") return Pooling::kFirst;
  if (name == "last") return Pooling::kLast;
  fail("pooling \"{}\" is unknown; known are none, mean, cls and last", printable(name));
}

Service::Service(Engine engine, const BatchOptions& batch, std::optional<ChatTemplate> chat, ServiceOptions options)
    : batch_(std::move(engine), batch),
      chat_(std::move(chat)),
      reply_format_(chat_ ? ReplyFormat::detect(chat_->source()) : ReplyFormat()),
      constraints_(tokenizer().vocab(), this->engine().model().spec.n_vocab, reply_format_),
      options_(std::move(options)),
      pooling_(options_.pooling.value_or(pooling_of(this->engine()))),
      created_(unix_time()),
      slots_(this->engine().options().n_sequences) {
  GLINT_CHECK(!options_.names.empty());
  try {
    rank_head_ = RankHead::read(this->engine().file(), this->engine().model().spec);
  } catch (const Error& error) {  // it may still be good for other things
    no_rank_head_ = error.what();
  }
  for (const HostTensor& tensor : this->engine().file().tensors()) n_parameters_ += tensor.elements();
}

const ChatTemplate& Service::chat() const {
  if (!chat_) throw ApiError::invalid("this model has no chat template; use /v1/completions, or start with --chat-template-file");
  return *chat_;
}

const RankHead& Service::rank_head() const {
  if (rank_head_) return *rank_head_;
  if (!no_rank_head_.empty()) throw ApiError::disabled(no_rank_head_);
  throw ApiError::disabled("this model has no classifier (cls.output.weight), which reranking takes; Qwen3-Reranker has one");
}

std::string new_id(std::string_view prefix) {
  static constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  static thread_local std::mt19937_64 random{std::random_device{}()};
  std::string id(prefix);
  for (int i = 0; i < 24; ++i) id += kLetters[random() % kLetters.size()];
  return id;
}

}  // namespace glint::server
