// SPDX-License-Identifier: Apache-2.0
//
// What binds one answer besides its sampler: a constraint on the text, and a limit on thinking. It follows the ids that
// were chosen, so an answer that is computed anew after it was preempted needs nothing.
// Called by engine/session and engine/batch_engine; one object an answer, for one thread at a time.
// Tested by tests/unit/engine/constraint_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/generation.h"
#include "engine/sampler.h"
#include "grammar/matcher.h"

namespace glint {

/// How far a thinking budget is spent.
struct ThinkingSpent {
  ThinkingBudget budget;
  int n_thought = 0;
  size_t n_forced = 0;  // of end_ids, once the time is up
  bool time_is_up = false;
  std::string recent;  // bytes in which a tag may have begun
};

class Guide {
 public:
  /// `vocab` must outlive this; it may be null where neither a constraint nor a budget is asked for, else Error.
  Guide(const GenerateOptions& options, const Vocab* vocab);

  /// Not everything may come: prepare() has something to do.
  bool is_bound() const { return matcher_.has_value(); }
  /// Works out what may come next, if that is not known: for a time when the processor has nothing else to do.
  void prepare();
  /// Chooses the next id and accepts it. Throws Error when nothing can be chosen.
  int32_t choose(Sampler& sampler, std::span<const float> logits);
  /// How many of the largest logits suffice; 0: all may matter.
  int n_deciding(const Sampler& sampler) const { return matcher_ ? 0 : sampler.n_deciding(); }
  /// The same from the n_deciding() largest.
  int32_t choose(Sampler& sampler, std::span<const Candidate> largest);
  /// The text is complete and nothing can follow.
  bool is_over() const { return matcher_ && (matcher_->is_over() || matcher_->is_finished()); }

 private:
  int32_t choose_by(Sampler& sampler, const std::function<int32_t()>& sample);
  void note_thinking(int32_t id);

  const Vocab* vocab_;
  std::optional<grammar::Matcher> matcher_;
  std::vector<uint64_t> allowed_;
  bool prepared_ = false;
  std::optional<ThinkingSpent> thinking_;
};

}  // namespace glint
