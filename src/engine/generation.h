// SPDX-License-Identifier: Apache-2.0
//
// What becomes of the ids that are chosen: text that is safe to show, and the reason to stop. One object an answer; it
// knows nothing of models or caches, so that a Session and the BatchEngine treat an answer alike.
// Called by engine/session.cpp and engine/batch_engine.cpp. Tested by tests/unit/engine/session_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/stop.h"
#include "text/detokenizer.h"
#include "text/thinking.h"
#include "text/vocab.h"

namespace glint {

struct Constraint;

enum class FinishReason { kEndOfText, kStopString, kLimit, kContextFull, kCancelled, kError };

/// When the model has thought for n_tokens, `end_ids` follow, whatever it would have said. They should hold the closing
/// tag; what they say is part of the output.
struct ThinkingBudget {
  int n_tokens = 0;
  std::vector<int32_t> end_ids = {};
  ThinkingTags tags = {};
  bool inside = true;  // the prompt ended in the opened tag
};

struct GenerateOptions {
  int n_predict = -1;                            // tokens; -1: until the end of text or a full context
  bool ignore_eos = false;                       // end-of-generation ids are never chosen
  bool show_special = false;                     // print control tokens' text
  std::vector<int32_t> shown_ids;                // control tokens printed all the same, ascending
  std::vector<std::string> stop_strings;         // not part of the output
  std::shared_ptr<const Constraint> constraint;  // what the output must be; null: anything
  std::optional<ThinkingBudget> thinking_budget;
};

/// What on_piece receives: text that is final (whole code points, no part of a stop string), and the id that led to it.
struct Piece {
  int32_t id = -1;
  std::string_view text;  // may be empty
};

struct Timings {
  int n_cached = 0;  // prompt tokens found in the cache
  int n_prompt = 0;  // prompt tokens computed
  double prompt_seconds = 0;
  int n_predicted = 0;
  double predicted_seconds = 0;
};

struct GenerateResult {
  std::vector<int32_t> ids;  // chosen ids, the end-of-generation id excluded
  std::string text;
  FinishReason reason = FinishReason::kLimit;
  int32_t end_id = -1;          // the end-of-generation id that stopped it; -1: none, or a constraint was complete
  std::string stopping_string;  // for kStopString
};

class Generation {
 public:
  /// `vocab` may be null (ids without text) and must outlive this.
  Generation(const Vocab* vocab, const GenerateOptions& options);

  /// What choosing `id` adds to the output; the id is not part of the answer when it ended it. PRECOND: not over.
  std::string push(int32_t id);
  /// For reasons that lie outside: cancelled, the context is full. Keeps an earlier reason.
  void stop(FinishReason reason);
  /// Once it is over, and only once: text that was held back as the possible beginning of something.
  std::string finish();

  bool is_over() const { return over_; }
  const GenerateResult& result() const { return result_; }
  GenerateResult take_result() { return std::move(result_); }

 private:
  void check_limit();

  const Vocab* vocab_;
  int n_predict_;
  bool ignore_eos_;
  std::optional<Detokenizer> detokenizer_;
  StopMatcher stop_;
  GenerateResult result_;
  bool over_ = false;
};

}  // namespace glint
