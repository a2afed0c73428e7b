// SPDX-License-Identifier: Apache-2.0
#include "text/detokenizer.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "text/vocab.h"

namespace glint {

Detokenizer::Detokenizer(const Vocab& vocab, const DecodeOptions& options)
    : vocab_(vocab), options_(options), strip_space_(vocab.add_space_prefix() && !options.continues) {}

bool Detokenizer::is_left_out(int32_t id) const {
  return options_.skip_special && vocab_.is_special(id) && !std::ranges::binary_search(options_.shown, id);
}

std::string Detokenizer::push(int32_t id) {
  std::string_view bytes = vocab_.bytes(id);
  if (bytes.empty() || is_left_out(id)) return {};
  if (std::exchange(strip_space_, false) && bytes.front() == ' ') bytes.remove_prefix(1);
  held_.append(bytes);
  const size_t whole = held_.size() - utf8::truncated_suffix(held_);
  std::string text = utf8::repair(std::string_view(held_).substr(0, whole));
  held_.erase(0, whole);
  return text;
}

std::string Detokenizer::flush() {
  strip_space_ = vocab_.add_space_prefix() && !options_.continues;
  return utf8::repair(std::exchange(held_, {}));
}

}  // namespace glint
