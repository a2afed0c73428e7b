// SPDX-License-Identifier: Apache-2.0
//
// Counts what a rendering costs against its RenderLimits: steps, live bytes, depth. Everything that evaluates or
// allocates on behalf of a template reports here first, so a bound is hit before the memory or the time is spent.
// One Meter a rendering, one thread. Values must not outlive the Meter they were charged to.
// Tested by tests/unit/text/jinja_limits_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "text/jinja/limits.h"

namespace glint::jinja {

class Meter {
 public:
  explicit Meter(const RenderLimits& limits) : limits_(limits), steps_left_(limits.max_steps) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  const RenderLimits& limits() const { return limits_; }

  /// One evaluated node, or one item of a sequence.
  void step() {
    if (--steps_left_ < 0) out_of_steps();
  }

  /// `bytes` of text or values read, compared or copied.
  void work(size_t bytes) {
    steps_left_ -= static_cast<int64_t>(bytes / 64) + 1;
    if (steps_left_ < 0) out_of_steps();
  }

  void allocate(size_t bytes) {
    work(bytes);
    if (bytes > limits_.max_live_bytes - live_bytes_) {
      fail("template too expensive: its values need more than {} bytes", limits_.max_live_bytes);
    }
    live_bytes_ += bytes;
  }

  void release(size_t bytes) noexcept { live_bytes_ -= bytes; }

 private:
  friend class Nesting;

  [[noreturn]] void out_of_steps() const {
    fail("template too expensive: it takes more than {} steps", limits_.max_steps);
  }

  const RenderLimits limits_;
  int64_t steps_left_;
  size_t live_bytes_ = 0;
  int depth_ = 0;
};

/// Live bytes of one value, given back when the value dies. Without a meter it counts nothing (literals of a template
/// and input, which were admitted when they were read).
class Charge {
 public:
  Charge() = default;
  Charge(Meter* meter, size_t bytes) : meter_(meter) { grow(bytes); }
  Charge(Charge&& other) noexcept
      : meter_(std::exchange(other.meter_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(meter_, other.meter_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (meter_ != nullptr) meter_->release(bytes_);
  }

  void grow(size_t bytes) {
    if (meter_ == nullptr) return;
    meter_->allocate(bytes);
    bytes_ += bytes;
  }

 private:
  Meter* meter_ = nullptr;
  size_t bytes_ = 0;
};

/// One level of nested evaluation, for as long as it lives: bounds the machine stack.
class Nesting {
 public:
  explicit Nesting(Meter& meter) : meter_(meter) {
    if (meter.depth_ >= meter.limits_.max_depth) {
      fail("template too expensive: nested more than {} levels deep", meter.limits_.max_depth);
    }
    ++meter.depth_;
  }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  ~Nesting() { --meter_.depth_; }

 private:
  Meter& meter_;
};

}  // namespace glint::jinja
