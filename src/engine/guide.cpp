// SPDX-License-Identifier: Apache-2.0
#include "engine/guide.h"

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "engine/constraint.h"

namespace glint {

Guide::Guide(const GenerateOptions& options, const Vocab* vocab) : vocab_(vocab) {
  if (vocab == nullptr) {
    if (options.constraint || options.thinking_budget)
      fail("to bind an answer takes a vocabulary, and the file has none");
    return;
  }
  if (options.constraint) {
    matcher_.emplace(options.constraint->sets);
    allowed_.resize(matcher_->mask_words());
  }
  if (options.thinking_budget) {
    thinking_.emplace();
    thinking_->budget = *options.thinking_budget;
    thinking_->time_is_up = thinking_->budget.inside && thinking_->budget.n_tokens <= 0;
  }
}

void Guide::prepare() {
  if (!matcher_ || prepared_ || (thinking_ && thinking_->time_is_up)) return;
  try {
    matcher_->mask(allowed_);
    prepared_ = true;
  } catch (const Error&) {
    // choose() meets it again and answers for it.
  }
}

int32_t Guide::choose(Sampler& sampler, std::span<const float> logits) {
  return choose_by(sampler, [&] {
    if (matcher_ && !prepared_) matcher_->mask(allowed_);
    return sampler.sample(logits, allowed_);
  });
}

int32_t Guide::choose(Sampler& sampler, std::span<const Candidate> largest) {
  GLINT_CHECK(!matcher_);
  return choose_by(sampler, [&] { return sampler.sample_largest(largest); });
}

int32_t Guide::choose_by(Sampler& sampler, const std::function<int32_t()>& sample) {
  int32_t id = -1;
  if (thinking_ && thinking_->time_is_up && thinking_->n_forced < thinking_->budget.end_ids.size()) {
    id = thinking_->budget.end_ids[thinking_->n_forced++];
    if (thinking_->n_forced == thinking_->budget.end_ids.size()) thinking_->time_is_up = false;
    sampler.accept(id);
  } else {
    id = sample();
  }
  prepared_ = false;
  if (matcher_ && !matcher_->accept(id)) {
    fail("token {} was to end thinking, but the constraint does not allow it there", id);
  }
  if (thinking_) note_thinking(id);
  return id;
}

/// Tags may come as one token or in pieces; a model may open and close them by itself.
void Guide::note_thinking(int32_t id) {
  ThinkingBudget& budget = thinking_->budget;
  std::string& recent = thinking_->recent;
  if (budget.inside) ++thinking_->n_thought;
  recent += vocab_->bytes(id);
  while (true) {
    const std::string& tag = budget.inside ? budget.tags.close : budget.tags.open;
    const size_t found = recent.find(tag);
    if (found == std::string::npos) break;
    recent.erase(0, found + tag.size());
    budget.inside = !budget.inside;
  }
  // Not amid a character: what the end says would garble it.
  if (budget.inside && thinking_->n_thought >= budget.n_tokens && thinking_->n_forced == 0) {
    thinking_->time_is_up = utf8::truncated_suffix(recent) == 0;
  }
  const size_t keep = std::max(budget.tags.open.size(), budget.tags.close.size());
  if (recent.size() > keep) recent.erase(0, recent.size() - keep);
}

}  // namespace glint
