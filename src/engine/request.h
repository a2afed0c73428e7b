// SPDX-License-Identifier: Apache-2.0
//
// What a BatchEngine is asked, and what it answers: plain data that crosses threads.
// Filled by the server's handlers; read by engine/batch_engine. Tested by tests/unit/engine/batch_engine_test.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/generation.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"

namespace glint {

/// What becomes of the rows that the head would see, [n_tokens, d_model]: one row, or all of them.
enum class Pooling { kNone, kMean, kFirst, kLast };

/// What is done with the rows of a text instead of answering it: n is 1, n_predict 0.
enum class CacheTask {
  kNone,
  kSave,     // all its pages are put into the store; what the cache has lost of it is computed again
  kRestore,  // its pages are taken from the store; at most the last, part-full one is computed
  kErase,    // pages that no other text needs are given back; the store keeps its own
};

struct Request {
  std::vector<int32_t> ids;   // the prompt
  ResolvedSampling sampling;  // from resolve_sampling; with a seed, completion i has seed + i
  GenerateOptions output;     // with the constraint and the thinking budget, if any
  Priority priority = Priority::kNormal;
  int n = 1;                      // completions; they share the prompt's pages
  int n_logprobs = -1;            // alternatives reported with each token; 0: the token's own alone, -1: none
  std::optional<Pooling> pooling = {};  // asks for the prompt's embedding, not for completions: n is 1, n_predict 0
  CacheTask cache_task = CacheTask::kNone;
  std::vector<int> message_ends;  // position after each message's last token, ascending; for the cache report
};

/// Why a request was not taken.
class RequestError : public Error {
 public:
  enum class Kind { kInvalid, kContextLength, kQueueFull, kShutDown };
  RequestError(Kind kind, const std::string& message) : Error(message), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

/// How much of a prompt the cache had, and where the nearest prompt that it knew went another way.
struct CacheReport {
  struct Parting {
    int position = 0;         // of the first token that differs
    int message = -1;         // index of the message it lies in; -1: none was named, or behind the last
    std::string prompt_text;  // around the position, of both
    std::string cached_text;
  };
  int n_prompt = 0;
  int n_cached = 0;
  std::optional<Parting> parting;
};

/// How far an answer is. Written by the engine's thread, read by any.
struct Progress {
  std::atomic<int> n_cached = -1;  // of the prompt, that its first step found there; -1: it waits
  std::atomic<int> n_read = 0;     // tokens of prompt and answer whose rows are there
  std::atomic<int> n_written = 0;  // tokens of the answer
};

struct TokenLogprobs {
  double chosen = 0;  // log(softmax(logits)), before any sampler
  std::vector<TokenLogProbability> top;
};

struct Finish {
  FinishReason reason = FinishReason::kLimit;
  int32_t end_id = -1;          // for kEndOfText; -1 where a constraint was complete
  std::string stopping_string;  // for kStopString
  std::string error;            // for kError
  CacheReport cache;
  Timings timings;
  std::vector<float> embedding;  // of a request with pooling: d_model values, or with kNone so many for each token
  int n_stored = 0;             // of a cache task: tokens that were saved, restored or erased
  int64_t n_stored_bytes = 0;   // on disk, that these take (saved) or that were read (restored)
  double queue_seconds = 0;  // before the first of its tokens was computed
};

/// One chosen id and the text that became final with it, or the end of one completion (with text that was held back).
struct Event {
  int completion = 0;
  int32_t id = -1;   // -1: none was chosen
  std::string text;  // may be empty
  std::optional<TokenLogprobs> logprobs;
  std::optional<Finish> finish;  // set in the last event of a completion
};

}  // namespace glint
