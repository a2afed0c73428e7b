// SPDX-License-Identifier: Apache-2.0
#include "engine/stop.h"

#include <algorithm>
#include <utility>

namespace glint {

StopMatcher::StopMatcher(std::vector<std::string> stop_strings) : stop_strings_(std::move(stop_strings)) {
  std::erase_if(stop_strings_, [](const std::string& text) { return text.empty(); });
}

StopMatcher::Result StopMatcher::push(std::string_view piece) {
  Result result;
  if (stopped_) return result;
  held_ += piece;
  size_t at = std::string::npos;
  size_t earliest_open = held_.size();  // where a stop string may have begun without being complete
  for (const std::string& stop : stop_strings_) {
    const size_t found = held_.find(stop);
    if (found != std::string::npos && (found < at || (found == at && stop.size() > result.matched.size()))) {
      at = found;
      result.matched = stop;
    }
    for (size_t n = std::min(held_.size(), stop.size() - 1); n > 0; --n) {
      if (std::string_view(held_).substr(held_.size() - n) == std::string_view(stop).substr(0, n)) {
        earliest_open = std::min(earliest_open, held_.size() - n);
        break;
      }
    }
  }
  // An incomplete stop string that began earlier may still win.
  if (at != std::string::npos && at <= earliest_open) {
    result.stopped = stopped_ = true;
    result.text = held_.substr(0, at);
    held_.clear();
    return result;
  }
  result.matched.clear();
  result.text = held_.substr(0, earliest_open);
  held_.erase(0, earliest_open);
  return result;
}

std::string StopMatcher::finish() {
  return std::exchange(held_, {});
}

}  // namespace glint
