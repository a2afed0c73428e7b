// SPDX-License-Identifier: Apache-2.0
#include "engine/event_stream.h"

#include <utility>

#include "base/check.h"

namespace glint {

void Doorbell::ring() {
  const std::lock_guard lock(mutex_);
  rung_ = true;
  rung_changed_.notify_one();
}

void Doorbell::wait() {
  std::unique_lock lock(mutex_);
  rung_changed_.wait(lock, [this] { return rung_; });
  rung_ = false;
}

EventQueue::EventQueue(int n_open, size_t capacity, std::shared_ptr<Doorbell> bell)
    : progress_(static_cast<size_t>(n_open)), n_open_(n_open), capacity_(capacity), bell_(std::move(bell)) {
  GLINT_CHECK(n_open >= 1 && capacity >= 1);
}

void EventQueue::push(Event event) {
  const std::lock_guard lock(mutex_);
  if (event.finish) --n_open_;
  events_.push_back(std::move(event));
  pushed_.notify_one();
  // Under the lock, so that a reader who has let go of its wake-up knows that it is not being called.
  if (const std::function<void()> wake = std::exchange(wake_, nullptr)) wake();
}

void EventQueue::when_ready(std::function<void()> wake) {
  {
    const std::lock_guard lock(mutex_);
    if (events_.empty() && n_open_ > 0) {
      wake_ = std::move(wake);
      return;
    }
  }
  wake();
}

bool EventQueue::is_full() const {
  const std::lock_guard lock(mutex_);
  return events_.size() >= capacity_;
}

std::optional<Event> EventQueue::pop(std::optional<std::chrono::steady_clock::time_point> deadline) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return !events_.empty() || n_open_ == 0; };
  if (deadline) {
    pushed_.wait_until(lock, *deadline, ready);
  } else {
    pushed_.wait(lock, ready);
  }
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  const bool has_room_again = events_.size() + 1 == capacity_;
  lock.unlock();
  if (has_room_again) bell_->ring();
  return event;
}

bool EventQueue::is_drained() const {
  const std::lock_guard lock(mutex_);
  return events_.empty() && n_open_ == 0;
}

void EventQueue::let_go() {
  {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
  }
  cancel();
}

void EventQueue::cancel() {
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_ || n_open_ == 0) return;
    cancelled_ = true;
  }
  bell_->ring();
}

bool EventQueue::is_cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

namespace {

/// Letters that are sent sooner than a thread is woken to send them.
constexpr size_t kFewLetters = 4;

void push_all(std::vector<EventSender::Letter>& batch) {
  for (EventSender::Letter& letter : batch) letter.queue->push(std::move(letter.event));
}

}  // namespace

EventSender::~EventSender() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EventSender::send(std::vector<Letter> batch) {
  if (batch.empty()) return;
  {
    std::unique_lock lock(mutex_);
    if (batch.size() > kFewLetters || sending_ || !waiting_.empty()) {
      changed_.wait(lock, [this] { return waiting_.empty(); });
      waiting_ = std::move(batch);
      lock.unlock();
      changed_.notify_all();
      return;
    }
  }
  push_all(batch);  // nothing is under way, and nobody else begins
}

void EventSender::work() {
  for (;;) {
    std::vector<Letter> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || stopping_; });
      if (waiting_.empty()) return;
      batch.swap(waiting_);
      sending_ = true;
    }
    changed_.notify_all();
    push_all(batch);
    const std::lock_guard lock(mutex_);
    sending_ = false;
  }
}

}  // namespace glint
