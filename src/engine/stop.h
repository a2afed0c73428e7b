// SPDX-License-Identifier: Apache-2.0
//
// Watches streamed text for stop strings. Text that may be the beginning of one is held back until it is decided, so
// no part of a stop string is ever shown. Byte-exact. Tested by tests/unit/engine/stop_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace glint {

class StopMatcher {
 public:
  /// Empty strings are ignored.
  explicit StopMatcher(std::vector<std::string> stop_strings);

  struct Result {
    std::string text;      // certain to be output
    bool stopped = false;  // a stop string was met; what came before it is in text, the rest is dropped
    std::string matched;
  };
  /// Of several stop strings the one that begins first wins, then the longest. After `stopped`, push gives nothing
  /// more.
  Result push(std::string_view piece);
  /// The end of output: what was held back is text.
  std::string finish();

 private:
  std::vector<std::string> stop_strings_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace glint
