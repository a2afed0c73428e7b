// SPDX-License-Identifier: Apache-2.0
//
// One conversation with a model: the tokens so far, their cache, and generation. Callers pass the whole token list each
// time; sync() keeps what the cache already holds and computes the rest, so edits and retries cost only what changed.
// Tested by tests/unit/engine/session_test.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "engine/generation.h"
#include "engine/sampler.h"

namespace glint {

class Session {
 public:
  /// Sessions may share a sequence; each then syncs before it generates. Throws Error for a sequence that does not
  /// exist.
  explicit Session(Engine& engine, int sequence = 0);

  /// Makes `ids` the content: keeps the longest common prefix in the cache (always recomputing at least the last id),
  /// computes the rest in chunks of n_ubatch. Throws Error when ids exceed the context or an id is outside the
  /// vocabulary. `progress(done, total)` after each chunk; returns false when cancelled (the cache then holds what was
  /// done).
  bool sync(std::span<const int32_t> ids, const std::function<void(int, int)>& progress = {},
            const std::atomic<bool>* cancel = nullptr);
  /// Logits after the last id, [n_vocab]; valid until the next call. Empty before a first sync and after a cancelled
  /// one.
  std::span<const float> logits() const;
  /// Appends ids one by one until a reason to stop; on_piece returns false to cancel, as *cancel does from another
  /// thread. The last id chosen is not computed: to go on, sync to everything so far. PRECOND: sync returned true.
  GenerateResult generate(Sampler& sampler, const GenerateOptions& options,
                          const std::function<bool(const Piece&)>& on_piece = {},
                          const std::atomic<bool>* cancel = nullptr);

  std::span<const int32_t> ids() const { return ids_; }  // in the cache
  const Timings& timings() const { return timings_; }    // of the last sync and generate

 private:
  /// Computes one more id after those in the cache.
  void append(int32_t id, class Guide& guide);

  Engine& engine_;
  int sequence_;
  std::vector<int32_t>& ids_;  // the engine's, of this sequence
  std::vector<float> logits_;
  Timings timings_;
};

}  // namespace glint
