// SPDX-License-Identifier: Apache-2.0
#include "engine/session.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "engine/guide.h"

namespace glint {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool is_cancelled(const std::atomic<bool>* cancel) {
  return cancel != nullptr && cancel->load(std::memory_order_relaxed);
}

}  // namespace

Session::Session(Engine& engine, int sequence)
    : engine_(engine), sequence_(sequence), ids_(engine.cached_ids(sequence)) {}

bool Session::sync(std::span<const int32_t> ids, const std::function<void(int, int)>& progress,
                   const std::atomic<bool>* cancel) {
  if (ids.empty()) fail("the prompt is empty");
  engine_.check_ids(ids);
  if (ids.size() > static_cast<size_t>(engine_.n_ctx())) {
    fail("the prompt has {} tokens and the context {}; raise it with -c", ids.size(), engine_.n_ctx());
  }
  const auto [mine, theirs] = std::mismatch(ids_.begin(), ids_.end(), ids.begin(), ids.end());
  // The last id is always computed: its logits are wanted.
  const size_t keep = std::min(static_cast<size_t>(mine - ids_.begin()), ids.size() - 1);
  ids_.resize(keep);
  engine_.decoder().truncate(sequence_, static_cast<int>(keep));
  timings_ = {.n_cached = static_cast<int>(keep)};
  logits_.clear();
  const double start = seconds_now();
  const auto chunk = static_cast<size_t>(engine_.options().n_ubatch);
  while (ids_.size() < ids.size()) {
    if (is_cancelled(cancel)) return false;
    const size_t end = std::min(ids.size(), ids_.size() + chunk);
    std::vector<Row> rows;
    for (size_t i = ids_.size(); i < end; ++i) rows.push_back({ids[i], static_cast<int32_t>(i), sequence_});
    engine_.decoder().forward(rows);
    timings_.n_prompt += static_cast<int>(rows.size());
    if (end == ids.size()) {
      const std::span<const float> last = engine_.decoder().logits(std::vector<int>{static_cast<int>(rows.size()) - 1});
      logits_.assign(last.begin(), last.end());
    }
    ids_.insert(ids_.end(), ids.begin() + static_cast<std::ptrdiff_t>(ids_.size()),
                ids.begin() + static_cast<std::ptrdiff_t>(end));
    timings_.prompt_seconds = seconds_now() - start;
    if (progress) progress(static_cast<int>(end - keep), static_cast<int>(ids.size() - keep));
  }
  return true;
}

std::span<const float> Session::logits() const {
  return logits_;
}

void Session::append(int32_t id, Guide& guide) {
  const Row row{id, static_cast<int32_t>(ids_.size()), sequence_};
  engine_.decoder().forward(std::span(&row, 1));
  guide.prepare();  // while the device computes
  const std::span<const float> last = engine_.decoder().logits(std::vector<int>{0});
  logits_.assign(last.begin(), last.end());
  ids_.push_back(id);
}

GenerateResult Session::generate(Sampler& sampler, const GenerateOptions& options,
                                 const std::function<bool(const Piece&)>& on_piece, const std::atomic<bool>* cancel) {
  GLINT_CHECK(!logits_.empty());
  Generation generation(engine_.has_vocabulary() ? &engine_.tokenizer().vocab() : nullptr, options);
  const double start = seconds_now();
  Guide guide(options, engine_.has_vocabulary() ? &engine_.tokenizer().vocab() : nullptr);
  while (!generation.is_over()) {
    if (is_cancelled(cancel)) {
      generation.stop(FinishReason::kCancelled);
      break;
    }
    const int32_t id = guide.choose(sampler, logits_);
    const std::string text = generation.push(id);
    if (guide.is_over()) generation.stop(FinishReason::kEndOfText);
    const bool is_output = generation.result().end_id < 0;
    if (is_output && on_piece && !on_piece({id, text})) generation.stop(FinishReason::kCancelled);
    // The last id of the output is computed only when something follows it.
    if (static_cast<int>(ids_.size()) >= engine_.n_ctx()) generation.stop(FinishReason::kContextFull);
    if (!generation.is_over()) append(id, guide);
  }
  const std::string rest = generation.finish();
  if (!rest.empty() && on_piece) on_piece({-1, rest});
  timings_.n_predicted = static_cast<int>(generation.result().ids.size());
  timings_.predicted_seconds = seconds_now() - start;
  return generation.take_result();
}

}  // namespace glint
