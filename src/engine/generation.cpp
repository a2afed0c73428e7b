// SPDX-License-Identifier: Apache-2.0
#include "engine/generation.h"

#include "base/check.h"

namespace glint {

Generation::Generation(const Vocab* vocab, const GenerateOptions& options)
    : vocab_(vocab), n_predict_(options.n_predict), ignore_eos_(options.ignore_eos), stop_(options.stop_strings) {
  if (vocab != nullptr)
    detokenizer_.emplace(
        *vocab, DecodeOptions{.skip_special = !options.show_special, .shown = options.shown_ids, .continues = true});
  check_limit();
}

void Generation::check_limit() {
  if (n_predict_ >= 0 && static_cast<int>(result_.ids.size()) >= n_predict_) stop(FinishReason::kLimit);
}

std::string Generation::push(int32_t id) {
  GLINT_CHECK(!over_);
  if (!ignore_eos_ && vocab_ != nullptr && vocab_->is_end_of_generation(id)) {
    result_.end_id = id;
    stop(FinishReason::kEndOfText);
    return {};
  }
  result_.ids.push_back(id);
  std::string text;
  if (detokenizer_ && id < vocab_->size()) {
    StopMatcher::Result piece = stop_.push(detokenizer_->push(id));
    text = std::move(piece.text);
    if (piece.stopped) {
      result_.stopping_string = std::move(piece.matched);
      stop(FinishReason::kStopString);
    }
  }
  result_.text += text;
  check_limit();
  return text;
}

void Generation::stop(FinishReason reason) {
  if (over_) return;
  over_ = true;
  result_.reason = reason;
}

std::string Generation::finish() {
  GLINT_CHECK(over_);
  if (result_.reason == FinishReason::kStopString || !detokenizer_) return {};
  StopMatcher::Result piece = stop_.push(detokenizer_->flush());
  std::string rest = std::move(piece.text) + stop_.finish();
  result_.text += rest;
  return rest;
}

}  // namespace glint
