// SPDX-License-Identifier: Apache-2.0
//
// The way from the engine's thread to a request's: a queue of events with a bound, and a thread that fills the queues.
// The engine never waits for a reader: an answer whose queue is full is paused until the reader has caught up
// (engine/batch_engine.cpp). A reader who goes away cancels what is still running. Tested by
// tests/unit/engine/event_stream_test.cpp.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/request.h"

namespace glint {

/// Wakes one thread. A ring while nobody waits is remembered.
class Doorbell {
 public:
  void ring();
  void wait();

 private:
  std::mutex mutex_;
  std::condition_variable rung_changed_;
  bool rung_ = false;
};

/// Shared by the engine, which pushes, and one Stream. Safe from any thread.
class EventQueue {
 public:
  /// `n_open` completions will finish; `bell` is rung when the engine should look at this queue again.
  EventQueue(int n_open, size_t capacity, std::shared_ptr<Doorbell> bell);

  /// Always succeeds: whoever produces looks at is_full() before it goes on.
  void push(Event event);
  bool is_full() const;
  /// The oldest event; waits until `deadline`. Absent when none came, or when all completions have finished.
  std::optional<Event> pop(std::optional<std::chrono::steady_clock::time_point> deadline);
  /// All completions have finished and their events were popped.
  bool is_drained() const;
  /// Stream::when_ready.
  void when_ready(std::function<void()> wake);
  void cancel();
  /// The reader has gone: cancels, and forgets its wake-up, which is not being called when this returns.
  void let_go();
  bool is_cancelled() const;
  Progress& progress(int completion) { return progress_[static_cast<size_t>(completion)]; }

 private:
  std::vector<Progress> progress_;  // [completions]
  mutable std::mutex mutex_;
  std::condition_variable pushed_;
  std::deque<Event> events_;
  std::function<void()> wake_;  // empty: nobody asked
  int n_open_;
  const size_t capacity_;
  bool cancelled_ = false;
  std::shared_ptr<Doorbell> bell_;
};

/// Pushes events in the order given, many of them from a thread of its own: to wake a reader takes the engine longer
/// than to choose a token. At most two batches are under way, so that a reader is never far behind what the engine
/// knows of its queue.
class EventSender {
 public:
  struct Letter {
    std::shared_ptr<EventQueue> queue;
    Event event;
  };

  EventSender() : thread_([this] { work(); }) {}
  /// Sends what it has been given.
  ~EventSender();
  EventSender(const EventSender&) = delete;
  EventSender& operator=(const EventSender&) = delete;

  /// Waits while the batch before the last is still being sent; pushes a few itself. One thread at a time.
  void send(std::vector<Letter> batch);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Letter> waiting_;
  bool sending_ = false;  // the thread, what waited before
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

/// A reader's end. One thread at a time reads; cancel() is safe from any. May outlive the engine.
class Stream {
 public:
  explicit Stream(std::shared_ptr<EventQueue> queue) : queue_(std::move(queue)) {}
  /// Cancels what is still running.
  ~Stream() { queue_->let_go(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// The next event, as soon as there is one; absent when all completions have finished.
  std::optional<Event> next() { return queue_->pop(std::nullopt); }
  /// The same, but absent also when none came in time; is_over() tells the two apart.
  std::optional<Event> next_within(std::chrono::milliseconds timeout) {
    return queue_->pop(std::chrono::steady_clock::now() + timeout);
  }
  bool is_over() const { return queue_->is_drained(); }
  /// Calls `wake` once, as soon as next_within(0) has something to say: at once, or from the engine's thread, which it
  /// must not keep, nor use this object from. Never called once this is destroyed. For more readers than threads.
  void when_ready(std::function<void()> wake) { queue_->when_ready(std::move(wake)); }
  /// Every completion that has not finished does so within one step, with FinishReason::kCancelled.
  void cancel() { queue_->cancel(); }
  /// Of one completion; may outlive this.
  std::shared_ptr<const Progress> progress(int completion) const { return {queue_, &queue_->progress(completion)}; }

 private:
  std::shared_ptr<EventQueue> queue_;
};

}  // namespace glint
