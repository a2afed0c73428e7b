// SPDX-License-Identifier: Apache-2.0
#include "grammar/matcher.h"

#include <algorithm>

#include "base/check.h"

namespace glint::grammar {
namespace {

constexpr size_t kCachedMasks = 16;
constexpr size_t kMaxConfigs = 8192;      // then all but the history is forgotten
constexpr size_t kMaxThreadsOfSets = 64;  // beyond, one walk over the vocabulary is cheaper than joining sets

void set_bit(std::span<uint64_t> words, int32_t id) {
  words[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
}

}  // namespace

Matcher::Matcher(std::shared_ptr<TokenSets> sets)
    : sets_(std::move(sets)), machine_(sets_->grammar(), sets_->limits()) {
  history_.push_back({machine_.start(), false});
  path_.resize(static_cast<size_t>(sets_->trie()->longest()) + 1);
}

bool Matcher::mask(std::span<uint64_t> words) {
  GLINT_CHECK(words.size() == mask_words());
  std::fill(words.begin(), words.end(), 0);
  if (is_finished()) return false;
  const Machine::Config config = history_.back().config;
  const auto cached =
      std::find_if(cache_.begin(), cache_.end(), [&](const CachedMask& m) { return m.config == config; });
  if (cached != cache_.end()) {
    std::copy(cached->words.begin(), cached->words.end(), words.begin());
  } else {
    machine_.begin_operation();
    compute(config, words);
    if (cache_.size() < kCachedMasks) cache_.emplace_back();
    CachedMask& place = cache_[next_cached_++ % kCachedMasks];
    place.config = config;
    place.words.assign(words.begin(), words.end());
  }
  return std::any_of(words.begin(), words.end(), [](uint64_t word) { return word != 0; });
}

bool Matcher::may_use_sets(Machine::Config config) const {
  const auto threads = machine_.threads(config);
  return threads.size() <= kMaxThreadsOfSets &&
         std::all_of(threads.begin(), threads.end(),
                     [&](Machine::Thread thread) { return machine_.frame(thread.frame).depth <= sets_->set_depth(); });
}

void Matcher::compute(Machine::Config config, std::span<uint64_t> words) {
  const TokenTrie& trie = *sets_->trie();
  if (machine_.complete(config)) {
    for (const int32_t id : trie.end_ids()) set_bit(words, id);
  }
  const auto allow = [&](const TrieNode& node) {
    for (const int32_t id : trie.ids(node)) set_bit(words, id);
  };
  if (!may_use_sets(config)) {
    walk_allowed(machine_, config, trie.nodes(), path_, allow);
    return;
  }
  const auto now = machine_.threads(config);
  const std::vector<Machine::Thread> threads(now.begin(), now.end());
  for (const Machine::Thread thread : threads) {
    const auto set = sets_->of(machine_, thread);
    for (size_t i = 0; i < set->bits.size(); ++i) words[i] |= set->bits[i];
    for (const int32_t id : set->ids) set_bit(words, id);
    if (!set->open.empty()) walk_allowed(machine_, config, set->open, path_, allow);
  }
}

Machine::Config Matcher::read(std::string_view bytes) {
  machine_.begin_operation();
  Machine::Config config = history_.back().config;
  for (size_t i = 0; i < bytes.size() && config != Machine::kDead; ++i) {
    config = machine_.step(config, static_cast<uint8_t>(bytes[i]));
  }
  return config;
}

bool Matcher::allows(int32_t id) {
  if (is_finished()) return false;
  if (sets_->trie()->is_end(id)) return is_complete();
  const std::string_view bytes = sets_->trie()->bytes(id);
  return !bytes.empty() && read(bytes) != Machine::kDead;
}

bool Matcher::accept(int32_t id) {
  if (sets_->trie()->is_end(id)) {
    if (is_finished() || !is_complete()) return false;
    remember({history_.back().config, true});
    return true;
  }
  const std::string_view bytes = sets_->trie()->bytes(id);
  return !bytes.empty() && accept_bytes(bytes);
}

bool Matcher::accept_bytes(std::string_view bytes) {
  if (is_finished()) return false;
  const Machine::Config config = read(bytes);
  if (config == Machine::kDead) return false;
  remember({config, false});
  return true;
}

void Matcher::remember(Point point) {
  history_.push_back(point);
  if (history_.size() > kMaxRollback + 1) history_.pop_front();
  if (machine_.n_configs() <= kMaxConfigs) return;
  std::vector<Machine::Config*> kept;
  for (Point& past : history_) kept.push_back(&past.config);
  machine_.forget_all_but(kept);
  cache_.clear();
  next_cached_ = 0;
}

void Matcher::rollback(size_t n) {
  if (n >= history_.size()) fail("grammar: {} tokens cannot be taken back, only {} can", n, history_.size() - 1);
  history_.erase(history_.end() - static_cast<std::ptrdiff_t>(n), history_.end());
}

}  // namespace glint::grammar
