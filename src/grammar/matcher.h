// SPDX-License-Identifier: Apache-2.0
//
// Follows one generation through a grammar: which tokens may come next, which one came, and back again when a
// speculated token is taken back.
// Called by the sampler (mask) and the session (accept, rollback); one matcher a sequence, not shared between threads.
// Tested by tests/unit/grammar/matcher_test.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "grammar/token_sets.h"

namespace glint::grammar {

class Matcher {
 public:
  /// Tokens that rollback() can take back at most.
  static constexpr size_t kMaxRollback = 512;

  explicit Matcher(std::shared_ptr<TokenSets> sets);

  /// 64-bit words of a mask.
  size_t mask_words() const { return (static_cast<size_t>(sets_->trie()->n_vocab()) + 63) / 64; }
  /// Sets bit id % 64 of words[id / 64] for every token that may come next and clears the others. End tokens are
  /// allowed where the text is complete. Returns false if no token is allowed: after the end, or with a vocabulary
  /// that cannot spell what the grammar needs.
  bool mask(std::span<uint64_t> words);
  /// Takes `id` as the next token; false, and nothing changes, if it is not allowed.
  bool accept(int32_t id);
  /// As if these bytes had been one token; false, and nothing changes, if they are not allowed.
  bool accept_bytes(std::string_view bytes);
  /// Whether accept(id) would succeed.
  bool allows(int32_t id);
  /// Takes back the last n tokens. n must be at most kMaxRollback and the number of tokens accepted.
  void rollback(size_t n);
  /// The text so far is a whole text of the grammar.
  bool is_complete() const { return machine_.complete(history_.back().config); }
  /// It is, and nothing but its end may come.
  bool is_over() const { return is_complete() && machine_.threads(history_.back().config).empty(); }
  /// An end token was accepted.
  bool is_finished() const { return history_.back().finished; }

 private:
  struct Point {
    Machine::Config config = Machine::kDead;
    bool finished = false;
  };
  struct CachedMask {
    Machine::Config config = Machine::kDead;
    std::vector<uint64_t> words;
  };

  Machine::Config read(std::string_view bytes);
  void remember(Point point);
  void compute(Machine::Config config, std::span<uint64_t> words);
  bool may_use_sets(Machine::Config config) const;

  std::shared_ptr<TokenSets> sets_;
  Machine machine_;
  std::deque<Point> history_;  // where the text was after each token; the last is now
  std::vector<CachedMask> cache_;
  size_t next_cached_ = 0;
  std::vector<Machine::Config> path_;
};

}  // namespace glint::grammar
