// SPDX-License-Identifier: Apache-2.0
//
// What all endpoints work with: the engine, its chat template, and what the command line said about both. One model a
// Service; made by apps/serve once the model is loaded, then read by many threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/batch_engine.h"
#include "engine/constraint.h"
#include "engine/rank_head.h"
#include "server/json.h"
#include "server/metrics.h"
#include "server/slots.h"
#include "text/call_replay.h"
#include "text/chat.h"
#include "text/reply_format.h"

namespace glint::server {

struct ServiceOptions {
  std::vector<std::string> names = {"glint"};  // the model's; the first is shown
  SamplingParams sampling;                     // of the flags
  int n_predict = -1;                          // of requests that set no limit
  Json template_variables = Json::object();
  bool prefill_assistant = true;               // a last message of the assistant is continued
  std::optional<Pooling> pooling = {};         // of embeddings; absent: as the file says, or else of the last token
  int reasoning_budget = -1;                   // tokens of thinking; 0: none, -1: no limit
  bool show_slots = true;
  bool may_change_props = false;               // POST /props
  bool show_metrics = true;
};

class Service {
 public:
  /// Throws Error for a model without a vocabulary.
  Service(Engine engine, const BatchOptions& batch, std::optional<ChatTemplate> chat, ServiceOptions options);

  BatchEngine& batch() { return batch_; }
  const BatchEngine& batch() const { return batch_; }
  const Engine& engine() const { return batch_.engine(); }
  const Tokenizer& tokenizer() const { return engine().tokenizer(); }
  const ServiceOptions& options() const { return options_; }
  const std::string& name() const { return options_.names.front(); }
  /// Seconds since 1970, of the start.
  int64_t created() const { return created_; }
  bool has_chat() const { return chat_.has_value(); }
  /// Throws ApiError when the model has no template.
  const ChatTemplate& chat() const;
  /// How the model writes thoughts and calls; of a model without a template, not at all.
  const ReplyFormat& reply_format() const { return reply_format_; }
  ConstraintCompiler& constraints() { return constraints_; }
  /// The ids of calls that were handed out, for when they come back.
  CallReplay& calls() const { return calls_; }
  Pooling pooling() const { return pooling_; }
  /// Throws ApiError where the model is no reranker.
  const RankHead& rank_head() const;
  int64_t n_parameters() const { return n_parameters_; }
  Metrics& metrics() { return metrics_; }
  const Metrics& metrics() const { return metrics_; }
  Slots& slots() { return slots_; }
  const Slots& slots() const { return slots_; }

 private:
  BatchEngine batch_;
  std::optional<ChatTemplate> chat_;
  ReplyFormat reply_format_;
  ConstraintCompiler constraints_;
  mutable CallReplay calls_;  // locks itself
  ServiceOptions options_;
  Pooling pooling_;
  std::optional<RankHead> rank_head_;
  std::string no_rank_head_;  // why not
  int64_t created_ = 0;
  int64_t n_parameters_ = 0;
  Metrics metrics_;
  Slots slots_;
};

/// By llama.cpp's names: none, mean, cls, last. Throws Error for others; ranking is none of them.
Pooling parse_pooling(std::string_view name);
/// Seconds since 1970.
int64_t unix_time();
/// A new name for an answer: the prefix and 24 random letters and digits.
std::string new_id(std::string_view prefix);

}  // namespace glint::server
