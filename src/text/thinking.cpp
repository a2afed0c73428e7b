// SPDX-License-Identifier: Apache-2.0
#include "text/thinking.h"

#include <algorithm>
#include <utility>

namespace glint {
namespace {

/// Length of the longest proper beginning of `tag` that `text` ends with.
size_t partial_tag(std::string_view text, std::string_view tag) {
  for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == tag.substr(0, n)) return n;
  }
  return 0;
}

}  // namespace

ThinkingSplitter::ThinkingSplitter(bool inside, ThinkingTags tags) : tags_(std::move(tags)), inside_(inside) {}

void ThinkingSplitter::take(std::string_view text, ThinkingSplit& out) {
  if (inside_) {
    out.thinking += text;
    return;
  }
  if (trim_breaks_) {
    const size_t start = std::min(text.find_first_not_of("\r\n"), text.size());
    text.remove_prefix(start);
    if (text.empty()) return;
    trim_breaks_ = false;
  }
  out.answer += text;
}

ThinkingSplit ThinkingSplitter::push(std::string_view piece) {
  ThinkingSplit out;
  held_ += piece;
  size_t at = 0;
  while (true) {
    const size_t open = held_.find(tags_.open, at);
    const size_t close = held_.find(tags_.close, at);
    const size_t tag = std::min(open, close);
    if (tag == std::string::npos) break;
    take(std::string_view(held_).substr(at, tag - at), out);
    const bool closing = tag == close;
    at = tag + (closing ? tags_.close : tags_.open).size();
    if (closing && inside_) trim_breaks_ = true;
    inside_ = !closing;
  }
  const std::string_view rest = std::string_view(held_).substr(at);
  const size_t keep = std::max(partial_tag(rest, tags_.open), partial_tag(rest, tags_.close));
  take(rest.substr(0, rest.size() - keep), out);
  held_.erase(0, held_.size() - keep);
  return out;
}

ThinkingSplit ThinkingSplitter::finish() {
  ThinkingSplit out;
  take(std::exchange(held_, {}), out);
  return out;
}

bool ends_inside_thinking(std::string_view prompt, const ThinkingTags& tags) {
  const size_t end = prompt.find_last_not_of(" \t\r\n");
  return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(tags.open);
}

}  // namespace glint
