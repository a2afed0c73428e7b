// SPDX-License-Identifier: Apache-2.0
#include "grammar/machine.h"

#include <algorithm>

#include "base/check.h"

namespace glint::grammar {
namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 31;
}

}  // namespace

size_t Machine::FrameHash::operator()(const Frame& f) const {
  const uint64_t counts = static_cast<uint64_t>(f.min_left) << 32 | f.max_left;
  const uint64_t places = static_cast<uint64_t>(static_cast<uint32_t>(f.target)) << 32 | static_cast<uint32_t>(f.rule);
  return mix(mix(mix(0, counts), places), static_cast<uint32_t>(f.parent));
}

Machine::Machine(std::shared_ptr<const Grammar> grammar, const MachineLimits& limits)
    : grammar_(std::move(grammar)), limits_(limits) {
  visited_.resize(1024);
  visited_round_.resize(1024);
  clear();
}

void Machine::clear() {
  frames_.assign(1, Frame{});
  frame_ids_.clear();
  configs_.clear();
  threads_.clear();
  config_ids_.clear();
  table_.clear();
  const Config dead = intern_config({}, false);
  GLINT_CHECK(dead == kDead);
  std::fill(table_.begin(), table_.end(), kDead);
}

Machine::Config Machine::start() {
  ++round_;
  n_visited_ = 0;
  visit(grammar_->rules[grammar_->root].start, kBottom);
  close();
  return intern_config(reached_, complete_);
}

Machine::Config Machine::place(int32_t state, const Frame* counter) {
  const Thread thread{state, counter == nullptr ? kBottom : intern_frame(*counter)};
  return intern_config({&thread, 1}, false);
}

Machine::Config Machine::compute_step(Config config, uint8_t byte) {
  ++round_;
  n_visited_ = 0;
  const ConfigData data = configs_[config];
  for (uint32_t i = data.threads; i < data.threads_end; ++i) {
    const Thread thread = threads_[i];
    for (const ByteEdge& edge : grammar_->bytes_of(grammar_->states[thread.state])) {
      if (edge.low <= byte && byte <= edge.high) visit(edge.target, thread.frame);
    }
  }
  // Last in, first out: turn the order round, so that readings are tried in the grammar's order.
  std::reverse(pending_.begin(), pending_.end());
  work_ += data.threads_end - data.threads;
  close();
  const Config next = intern_config(reached_, complete_);
  table_[row(config) + grammar_->byte_class[byte]] = next;
  return next;
}

void Machine::visit(int32_t state, int32_t frame) {
  pending_.push_back({state, frame});
}

void Machine::close() {
  reached_.clear();
  fresh_.clear();
  complete_ = false;
  while (!pending_.empty()) {
    const Thread thread = pending_.back();
    pending_.pop_back();
    if (++work_ > limits_.max_work) {
      pending_.clear();
      fail("grammar: too ambiguous to follow at this point; more than {} readings were tried", limits_.max_work);
    }
    expand(thread);
  }
}

void Machine::expand(Thread thread) {
  if (thread.state == kOutside) {
    complete_ = true;
    return;
  }
  const State& state = grammar_->states[thread.state];
  if (frames_[thread.frame].depth + state.height > limits_.max_depth) return;
  if (reached_.size() >= limits_.max_threads || !first_visit(thread)) return;
  if (state.byte_edges != state.byte_edges_end) reached_.push_back(thread);
  if (state.final) leave(thread.frame);
  for (const CallEdge& edge : grammar_->calls_of(state)) call(edge, thread.frame);
}

void Machine::call(const CallEdge& edge, int32_t frame) {
  // A rule that may be empty may be so as often as is asked for.
  const uint32_t min = grammar_->rules[edge.rule].nullable ? 0 : edge.min;
  if (min == 0) visit(edge.target, frame);
  const uint32_t max_left = edge.max == kUnbounded ? kUnbounded : edge.max - 1;
  enter({edge.target, edge.rule, min == 0 ? 0 : min - 1, max_left, frame, 0});
}

void Machine::enter(Frame frame) {
  const Rule& rule = grammar_->rules[frame.rule];
  const bool last = frame.max_left == 0 && frame.target != kOutside;
  if (last && grammar_->states[frame.target].only_final) {  // a tail call: nothing to come back to
    visit(rule.start, frame.parent);
    return;
  }
  frame.depth = frames_[frame.parent].depth + 1;
  const int32_t id = intern_frame(frame);
  if (rule.nullable) fresh_.push_back(id);
  visit(rule.start, id);
}

void Machine::leave(int32_t id) {
  if (id == kBottom) {
    complete_ = true;
    return;
  }
  Frame frame = frames_[id];
  if (frame.min_left == 0) visit(frame.target, frame.parent);
  if (frame.max_left == 0) return;
  // Going round without a byte read gains nothing: what the frame allows after fewer rounds includes the rest.
  if (std::find(fresh_.begin(), fresh_.end(), id) != fresh_.end()) return;
  if (frame.min_left > 0) --frame.min_left;
  if (frame.max_left != kUnbounded) --frame.max_left;
  enter(frame);
}

bool Machine::first_visit(Thread thread) {
  if (n_visited_ * 2 > visited_.size()) {
    std::vector<Thread> old = std::move(visited_);
    std::vector<uint32_t> old_round = std::move(visited_round_);
    visited_.assign(old.size() * 4, {});
    visited_round_.assign(old.size() * 4, 0);
    n_visited_ = 0;
    for (size_t i = 0; i < old.size(); ++i) {
      if (old_round[i] == round_) first_visit(old[i]);
    }
  }
  const uint64_t key =
      static_cast<uint64_t>(static_cast<uint32_t>(thread.state)) << 32 | static_cast<uint32_t>(thread.frame);
  for (size_t slot = mix(0, key) % visited_.size();; slot = (slot + 1) % visited_.size()) {
    if (visited_round_[slot] != round_) {
      visited_round_[slot] = round_;
      visited_[slot] = thread;
      ++n_visited_;
      return true;
    }
    if (visited_[slot] == thread) return false;
  }
}

int32_t Machine::intern_frame(const Frame& frame) {
  const auto [place, added] = frame_ids_.try_emplace(frame, static_cast<int32_t>(frames_.size()));
  if (added) frames_.push_back(frame);
  return place->second;
}

Machine::Config Machine::intern_config(std::span<const Thread> threads, bool complete) {
  uint64_t hash = complete;
  for (const Thread& t : threads) {
    hash = mix(hash, static_cast<uint64_t>(static_cast<uint32_t>(t.state)) << 32 | static_cast<uint32_t>(t.frame));
  }
  const auto [begin, end] = config_ids_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const auto known = this->threads(it->second);
    if (configs_[it->second].complete == complete &&
        std::equal(known.begin(), known.end(), threads.begin(), threads.end())) {
      return it->second;
    }
  }
  const auto id = static_cast<Config>(configs_.size());
  const auto first = static_cast<uint32_t>(threads_.size());
  const std::vector<Thread> copy(threads.begin(), threads.end());  // `threads` may lie in threads_
  threads_.insert(threads_.end(), copy.begin(), copy.end());
  configs_.push_back({first, static_cast<uint32_t>(threads_.size()), complete});
  config_ids_.emplace(hash, id);
  table_.resize(table_.size() + static_cast<size_t>(grammar_->n_classes), kUnknown);
  work_ += static_cast<size_t>(grammar_->n_classes);
  return id;
}

void Machine::forget_all_but(std::span<Config* const> kept) {
  const std::vector<Frame> old_frames = std::move(frames_);
  const std::vector<ConfigData> old_configs = std::move(configs_);
  const std::vector<Thread> old_threads = std::move(threads_);
  clear();
  std::vector<int32_t> renumbered(old_frames.size(), -1), path;
  renumbered[kBottom] = kBottom;
  const auto move_frame = [&](int32_t id) {
    for (int32_t f = id; renumbered[f] < 0; f = old_frames[f].parent) path.push_back(f);
    for (; !path.empty(); path.pop_back()) {
      Frame frame = old_frames[path.back()];
      frame.parent = renumbered[frame.parent];
      renumbered[path.back()] = intern_frame(frame);
    }
    return renumbered[id];
  };
  for (Config* config : kept) {
    const ConfigData& data = old_configs[*config];
    std::vector<Thread> threads(old_threads.begin() + data.threads, old_threads.begin() + data.threads_end);
    for (Thread& thread : threads) thread.frame = move_frame(thread.frame);
    *config = threads.empty() && !data.complete ? kDead : intern_config(threads, data.complete);
  }
}

bool matches(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  Machine machine(grammar);
  Machine::Config at = machine.start();
  for (const char c : text) {
    machine.begin_operation();
    at = machine.step(at, static_cast<uint8_t>(c));
    if (at == Machine::kDead) return false;
  }
  return machine.complete(at);
}

}  // namespace glint::grammar
