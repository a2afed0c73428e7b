// SPDX-License-Identifier: Apache-2.0
//
// What one rendering shares between all built-ins: the meter, the date, and the objects that may form cycles.
// Made by Template::render, dead when it returns; no value outlives it.
// Tested by tests/unit/text/jinja_limits_test.cpp.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/object.h"

namespace glint::jinja {

class Runtime {
 public:
  Runtime(const RenderLimits& limits, const std::tm& now) : meter(limits), now(now) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime() {
    for (const auto& clear : clear_at_end_) clear();
  }

  Meter meter;
  const std::tm now;  // what strftime_now() tells

  Value text(Text text, bool markup = false) { return make_string(&meter, std::move(text), markup); }
  Value text(std::string_view text, bool trusted) { return make_string(&meter, text, trusted); }
  Value undefined(std::string message) { return make_undefined(&meter, std::move(message)); }

  /// Keeps `held` until the rendering ends and then calls its clear(): for whatever a template can tie into a cycle.
  template <class T>
  void clear_at_end(std::shared_ptr<T> held) {
    meter.allocate(sizeof(T) + 64);
    clear_at_end_.push_back([held = std::move(held)] { held->clear(); });
  }

 private:
  std::vector<std::function<void()>> clear_at_end_;
};

}  // namespace glint::jinja
