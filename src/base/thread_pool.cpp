// SPDX-License-Identifier: Apache-2.0
//
// state_ holds everything that decides who may touch the loop's members:
//
//   bits 0..15   workers inside
//   bit  16      open: a worker may enter (compare-and-swap of the whole word, so never after the close)
//   bits 17..31  epoch: one more for each loop, so that a worker enters each loop at most once
//
// The caller publishes the members with the store that opens the loop; it reuses them only after it has closed the loop
// and seen "workers inside" at 0.
#include "base/thread_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace glint {
namespace {

constexpr uint32_t kInside = 0xffff;
constexpr uint32_t kOpen = 1u << 16;
constexpr uint32_t kEpoch = 1u << 17;

uint32_t epoch_of(uint32_t state) {
  return state & ~(kEpoch - 1);
}

/// Tells the core that this is a spin loop, so that it saves power and leaves a sibling thread its share.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int checked_thread_count(int n_threads) {
  if (n_threads < 1 || n_threads > ThreadPool::kMaxThreads) {
    fail("thread count must be between 1 and {}, not {}", ThreadPool::kMaxThreads, n_threads);
  }
  return n_threads;
}

}  // namespace

ThreadPool::ThreadPool(int n_threads, int spins) : n_threads_(checked_thread_count(n_threads)), spins_(spins) {
  threads_.reserve(static_cast<size_t>(n_threads_ - 1));
  try {
    for (int thread = 1; thread < n_threads_; ++thread) {
      threads_.emplace_back([this, thread] { worker_main(thread); });
    }
  } catch (const std::system_error& error) {
    const size_t started = threads_.size() + 1;
    stop_and_join();
    fail("the system gave only {} of {} threads ({}); ask for fewer", started, n_threads_, error.what());
  }
}

ThreadPool::~ThreadPool() {
  stop_and_join();
}

void ThreadPool::stop_and_join() {
  stop_.store(true, std::memory_order_relaxed);
  state_.fetch_add(kEpoch, std::memory_order_release);
  state_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ThreadPool::run(int64_t n_items, int64_t grain, void* callable, Function function) {
  if (n_items <= 0) return;
  GLINT_CHECK(grain > 0);
  if (n_threads_ == 1 || n_items <= grain) {
    for (int64_t begin = 0; begin < n_items; begin += grain) {
      function(callable, begin, std::min(begin + grain, n_items), 0);
    }
    return;
  }
  GLINT_CHECK(!busy_);
  busy_ = true;
  callable_ = callable;
  function_ = function;
  n_items_ = n_items;
  grain_ = grain;
  next_.store(0, std::memory_order_relaxed);
  const uint32_t epoch = epoch_of(state_.load(std::memory_order_relaxed)) + kEpoch;
  state_.store(epoch | kOpen, std::memory_order_release);
  state_.notify_all();
  work(0);
  close_and_wait();
  busy_ = false;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::work(int thread) {
  for (;;) {
    const int64_t begin = next_.fetch_add(grain_, std::memory_order_relaxed);
    if (begin >= n_items_) return;
    try {
      function_(callable_, begin, std::min(begin + grain_, n_items_), thread);
    } catch (...) {
      next_.store(n_items_, std::memory_order_relaxed);
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
}

void ThreadPool::close_and_wait() {
  const uint32_t emptied = emptied_.load(std::memory_order_relaxed);
  const uint32_t state = state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  if ((state & kInside) == 0) return;
  // The last worker to leave a closed loop advances emptied_. Seeing it leave state_ would not do: its advance could
  // then come late and be taken for the next loop's.
  for (int spin = 0; spin < spins_; ++spin) {
    if (emptied_.load(std::memory_order_acquire) != emptied) return;
    relax();
  }
  emptied_.wait(emptied, std::memory_order_acquire);
}

uint32_t ThreadPool::wait_for_loop(uint32_t seen_epoch) {
  for (int spin = 0;; ++spin) {
    const uint32_t state = state_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return state;
    if ((state & kOpen) != 0 && epoch_of(state) != seen_epoch) return state;
    if (spin < spins_) {
      relax();
    } else {
      state_.wait(state, std::memory_order_acquire);
    }
  }
}

void ThreadPool::worker_main(int thread) {
  uint32_t seen_epoch = 0;
  for (;;) {
    uint32_t state = wait_for_loop(seen_epoch);
    if (stop_.load(std::memory_order_relaxed)) return;
    if (!state_.compare_exchange_strong(state, state + 1, std::memory_order_acquire, std::memory_order_relaxed))
      continue;
    seen_epoch = epoch_of(state);
    work(thread);
    const uint32_t before = state_.fetch_sub(1, std::memory_order_acq_rel);
    if ((before & kInside) == 1 && (before & kOpen) == 0) {
      emptied_.fetch_add(1, std::memory_order_release);
      emptied_.notify_one();
    }
  }
}

}  // namespace glint
