// SPDX-License-Identifier: Apache-2.0
#include "grammar/token_sets.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/check.h"

namespace glint::grammar {
namespace {

constexpr size_t kMaxSetBytes = 64 << 20;
constexpr size_t kMaxConfigs = 20000;  // of the machine that makes them
// Counters are told apart up to this: tokens of more bytes, of which there are few, are left open where one is larger.
constexpr uint32_t kHorizon = 32;

MachineLimits halved(MachineLimits limits) {
  limits.max_depth -= limits.max_depth / 2;
  return limits;
}

/// The part of `nodes` that leads to the marked ones.
std::vector<TrieNode> paths_to(std::span<const TrieNode> nodes, const std::vector<int32_t>& marked) {
  std::vector<TrieNode> part;
  if (marked.empty()) return part;
  part.push_back(nodes[0]);
  std::vector<int32_t> path = {0}, kept = {0};  // nodes of the whole trie, and their places in `part`
  const auto leave = [&] {
    part[kept.back()].subtree_end = static_cast<int32_t>(part.size());
    path.pop_back();
    kept.pop_back();
  };
  for (const int32_t target : marked) {
    while (nodes[path.back()].subtree_end <= target) leave();
    for (int32_t at = path.back() + 1; path.back() != target;) {  // children of the path's end, left to right
      if (nodes[at].subtree_end <= target) {
        at = nodes[at].subtree_end;
        continue;
      }
      path.push_back(at);
      kept.push_back(static_cast<int32_t>(part.size()));
      part.push_back(nodes[at]);
      if (at != target) part.back().tokens_end = part.back().tokens;
      ++at;
    }
  }
  while (!path.empty()) leave();
  return part;
}

/// The text that leaves a machine where it is; asked often, about few configurations.
class Loops {
 public:
  explicit Loops(Machine& machine) : machine_(machine) {}

  /// Whether it stays on any text of this kind.
  bool stays(Machine::Config config, TextKind kind) {
    if (kind == TextKind::kAny || machine_.step(config, 'e') != config) return false;
    if (config != last_) {
      const auto known = known_.find(config);
      last_kind_ = known != known_.end() ? known->second : known_[config] = widest(config);
      last_ = config;
    }
    return kind >= last_kind_;
  }

 private:
  /// The widest kind on which it stays, or kNone.
  TextKind widest(Machine::Config config) {
    if (stays_on_plain_text(config)) return TextKind::kPlain;
    for (uint8_t byte = 'a'; byte <= 'z'; ++byte) {
      if (machine_.step(config, byte) != config) return kNone;
    }
    return TextKind::kSmallLetters;
  }

  bool stays_on_plain_text(Machine::Config config) {
    std::vector<std::pair<Machine::Config, CharacterRest>> seen = {{config, {}}};
    for (size_t i = 0; i < seen.size(); ++i) {
      const auto [from, rest] = seen[i];
      for (int byte = 0; byte < 256; ++byte) {
        const std::optional<CharacterRest> after = plain_text_after(rest, static_cast<uint8_t>(byte));
        if (!after) continue;
        const Machine::Config next = machine_.step(from, static_cast<uint8_t>(byte));
        if (next == Machine::kDead || (after->n == 0 && next != config)) return false;
        const std::pair state(next, *after);
        if (std::find(seen.begin(), seen.end(), state) == seen.end()) seen.push_back(state);
      }
    }
    return true;
  }

  static constexpr auto kNone = static_cast<TextKind>(255);  // above every kind

  Machine& machine_;
  std::map<Machine::Config, TextKind> known_;
  Machine::Config last_ = -1;  // that was asked about
  TextKind last_kind_ = kNone;
};

}  // namespace

size_t TokenSets::PlaceHash::operator()(const Place& p) const {
  uint64_t hash = static_cast<uint64_t>(static_cast<uint32_t>(p.state)) << 32 | static_cast<uint32_t>(p.rule);
  hash = (hash ^ hash >> 29) * 0x9E3779B97F4A7C15u ^ (static_cast<uint64_t>(p.min_left) << 32 | p.max_left);
  return (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u >> 16;
}

TokenSets::TokenSets(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie,
                     const MachineLimits& limits)
    : grammar_(std::move(grammar)), trie_(std::move(trie)), limits_(limits), machine_(grammar_, halved(limits)) {
  path_.resize(static_cast<size_t>(trie_->longest()) + 1);
  left_place_.resize(path_.size());
}

std::shared_ptr<const TokenSet> TokenSets::of(const Machine& machine, Machine::Thread thread) {
  Place place{thread.state};
  const Machine::Frame& frame = machine.frame(thread.frame);
  // The counter belongs to the place if the place lies in the counted rule itself, not in one that its end calls.
  const Rule& rule = grammar_->rules[frame.rule];
  const bool within = rule.start <= thread.state && thread.state < rule.states_end;
  if (thread.frame != Machine::kBottom && within && (frame.min_left > 0 || frame.max_left > 0)) {
    place.rule = frame.rule;
    place.min_left = std::min(frame.min_left, kHorizon);
    place.max_left = frame.max_left >= kHorizon ? kUnbounded : frame.max_left;
  }
  const std::lock_guard lock(mutex_);
  const auto known = sets_.find(place);
  if (known != sets_.end()) return known->second;
  if (set_bytes_ > kMaxSetBytes) {
    sets_.clear();
    set_bytes_ = 0;
  }
  if (machine_.n_configs() > kMaxConfigs) machine_.forget_all_but({});
  const auto made = make(place);
  set_bytes_ += 256 + made->bits.size() * sizeof(uint64_t) + made->ids.size() * sizeof(int32_t) +
                made->open.size() * sizeof(TrieNode);
  sets_[place] = made;
  return made;
}

std::shared_ptr<const TokenSet> TokenSets::make(const Place& place) {
  machine_.begin_operation();
  const Machine::Frame counter{Machine::kOutside, place.rule, place.min_left, place.max_left, Machine::kBottom, 1};
  const Machine::Config start = machine_.place(place.state, place.rule < 0 ? nullptr : &counter);
  const std::span<const TrieNode> nodes = trie_->nodes();
  const auto n_nodes = static_cast<int32_t>(nodes.size());
  // Every round of a counted call reads a byte at least, so counts beyond the horizon are not met within it.
  const bool clipped = place.rule >= 0 && (place.min_left == kHorizon || place.max_left == kUnbounded);
  std::vector<int32_t> allowed, open;
  Loops loops(machine_);
  path_[0] = start;
  left_place_[0] = false;  // whether the path may have left the place before its last byte
  for (int32_t i = 1; i < n_nodes;) {
    const TrieNode& node = nodes[i];
    const Machine::Config before = path_[node.depth - 1];
    if (!(clipped && node.deepest > kHorizon) && loops.stays(before, node.kind)) {
      const std::span<const int32_t> ids = trie_->ids_below(node);
      allowed.insert(allowed.end(), ids.begin(), ids.end());
      i = node.subtree_end;
      continue;
    }
    const bool left = left_place_[node.depth - 1] || (node.depth > 1 && machine_.complete(before));
    const Machine::Config next = machine_.step(before, node.byte);
    if (next == Machine::kDead) {
      for (int32_t at = i; left && at < node.subtree_end; ++at) {  // any of these may go on outside the place
        if (nodes[at].tokens != nodes[at].tokens_end) open.push_back(at);
      }
      i = node.subtree_end;
      continue;
    }
    path_[node.depth] = next;
    left_place_[node.depth] = left;
    if (node.tokens != node.tokens_end) {
      const bool beyond = clipped && node.depth > static_cast<int32_t>(kHorizon);
      if (!beyond) {
        for (const int32_t id : trie_->ids(node)) allowed.push_back(id);
      } else {
        open.push_back(i);
      }
    }
    ++i;
  }
  auto set = std::make_shared<TokenSet>();
  set->open = paths_to(nodes, open);
  const size_t n_words = (static_cast<size_t>(trie_->n_vocab()) + 63) / 64;
  if (allowed.size() * sizeof(int32_t) < n_words * sizeof(uint64_t)) {
    set->ids = std::move(allowed);
  } else {
    set->bits.resize(n_words);
    for (const int32_t id : allowed) set->bits[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  }
  return set;
}

}  // namespace glint::grammar
