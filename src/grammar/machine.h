// SPDX-License-Identifier: Apache-2.0
//
// Runs a Grammar byte by byte. A configuration is the set of places where the grammar may be: threads of a state and a
// stack of calls. Stacks share their tails and equal frames are one frame, so configurations are compared by their
// numbers and each (configuration, byte) is worked out once: a lazily built automaton, which makes walks over tens of
// thousands of tokens table look-ups.
//
// Bounded: stacks by max_depth (a thread that could not finish within it is not started, so there are no dead ends),
// ambiguity by max_threads (further readings are dropped, which refuses texts but never accepts a wrong one), one
// operation by max_work (an Error).
// Called by matcher and token_sets; knows nothing of tokens. Not safe to share between threads.
// Tested by tests/unit/grammar/machine_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/grammar.h"

namespace glint::grammar {

struct MachineLimits {
  int32_t max_depth = 1000;      // frames
  size_t max_threads = 2000;     // of a configuration
  size_t max_work = 20'000'000;  // threads looked at and table entries made in one operation: 80 MB, or half a second
};

class Machine {
 public:
  using Config = int32_t;
  static constexpr Config kDead = 0;
  static constexpr int32_t kBottom = 0;    // frame: the end of the whole text is next
  static constexpr int32_t kOutside = -1;  // state to return to: outside of what this machine knows

  /// A call in progress: where to go on, and how often the rule must and may be called again before that.
  struct Frame {
    int32_t target = kOutside, rule = 0;
    uint32_t min_left = 0, max_left = 0;
    int32_t parent = kBottom, depth = 0;
    bool operator==(const Frame&) const = default;
  };
  struct Thread {
    int32_t state = 0, frame = kBottom;
    bool operator==(const Thread&) const = default;
  };

  explicit Machine(std::shared_ptr<const Grammar> grammar, const MachineLimits& limits = {});

  const Grammar& grammar() const { return *grammar_; }
  Config start();
  /// kDead when the byte is not allowed. Throws Error when this operation exceeds max_work.
  Config step(Config config, uint8_t byte) {
    const Config next = table_[row(config) + grammar_->byte_class[byte]];
    return next != kUnknown ? next : compute_step(config, byte);
  }
  /// The text may end here (or, of a part of a grammar, the part may).
  bool complete(Config config) const { return configs_[config].complete; }
  std::span<const Thread> threads(Config config) const {
    return {threads_.data() + configs_[config].threads, threads_.data() + configs_[config].threads_end};
  }
  const Frame& frame(int32_t id) const { return frames_[id]; }
  /// The configuration of one thread: `state`, called as `counter` says if it is not null, outside unknown.
  Config place(int32_t state, const Frame* counter);

  /// Starts to count max_work anew.
  void begin_operation() { work_ = 0; }
  size_t n_configs() const { return configs_.size(); }
  /// Forgets all but `kept`, and renumbers those.
  void forget_all_but(std::span<Config* const> kept);

 private:
  static constexpr Config kUnknown = -1;

  struct ConfigData {
    uint32_t threads = 0, threads_end = 0;
    bool complete = false;
  };
  struct FrameHash {
    size_t operator()(const Frame& f) const;
  };

  void clear();
  size_t row(Config config) const { return static_cast<size_t>(config) * static_cast<size_t>(grammar_->n_classes); }
  Config compute_step(Config config, uint8_t byte);
  int32_t intern_frame(const Frame& frame);
  Config intern_config(std::span<const Thread> threads, bool complete);
  void visit(int32_t state, int32_t frame);
  void close();
  void expand(Thread thread);
  void call(const CallEdge& edge, int32_t frame);
  void enter(Frame frame);
  void leave(int32_t frame);
  bool first_visit(Thread thread);

  std::shared_ptr<const Grammar> grammar_;
  MachineLimits limits_;
  std::vector<Frame> frames_;  // 0 is kBottom
  std::unordered_map<Frame, int32_t, FrameHash> frame_ids_;
  std::vector<ConfigData> configs_;
  std::vector<Thread> threads_;
  std::unordered_multimap<uint64_t, Config> config_ids_;  // by hash
  std::vector<Config> table_;                             // [n_configs][n_classes]
  size_t work_ = 0;

  // Of the closure at hand.
  std::vector<Thread> pending_, reached_;
  std::vector<int32_t> fresh_;  // frames of empty-able rules entered without a byte read since
  bool complete_ = false;
  std::vector<Thread> visited_;          // open addressing
  std::vector<uint32_t> visited_round_;  // round_ marks a slot as taken
  size_t n_visited_ = 0;
  uint32_t round_ = 0;
};

/// Whether `text` as a whole is in the grammar.
bool matches(const std::shared_ptr<const Grammar>& grammar, std::string_view text);

}  // namespace glint::grammar
