// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/text.h"

#include <algorithm>

#include "text/jinja/characters.h"

namespace glint::jinja {

Text::Text(std::string bytes, bool trusted)
    : bytes_(std::move(bytes)), first_trusted_(trusted), n_points_(count_points(bytes_)) {}

size_t Text::offset_of(size_t point) const {
  if (n_points_ == bytes_.size()) return std::min(point, bytes_.size());
  constexpr size_t kBlock = 256;  // counted at once, which is much faster than stepping
  size_t offset = 0;
  while (offset + kBlock < bytes_.size()) {
    const size_t in_block = count_points(view().substr(offset, kBlock));
    if (in_block > point) break;
    point -= in_block;
    offset += kBlock;
  }
  // A block may have ended inside a code point.
  while (offset < bytes_.size() && (static_cast<unsigned char>(bytes_[offset]) & 0xc0) == 0x80) ++offset;
  for (; point > 0 && offset < bytes_.size(); --point) next_point(bytes_, offset);
  return offset;
}

size_t Text::points_before(size_t offset) const {
  if (n_points_ == bytes_.size()) return offset;
  return count_points(view().substr(0, offset));
}

Text Text::slice(size_t begin, size_t end) const {
  TextBuilder builder(nullptr);
  builder.append(*this, begin, end);
  return builder.take();
}

void TextBuilder::append(std::string_view bytes, bool trusted) {
  if (bytes.empty()) return;
  charge_.grow(bytes.size());
  if (text_.bytes_.empty()) {
    text_.first_trusted_ = trusted;
  } else if (trusted != last_trusted_) {
    charge_.grow(sizeof(size_t));
    text_.edges_.push_back(text_.bytes_.size());
  }
  last_trusted_ = trusted;
  text_.bytes_.append(bytes);
}

void TextBuilder::append(const Text& text, size_t begin, size_t end) {
  text.for_each_run(begin, end, [&](std::string_view run, bool trusted) { append(run, trusted); });
}

void TextBuilder::append_repeated(char byte, size_t count, bool trusted) {
  constexpr size_t kChunk = 4096;
  const std::string chunk(std::min(count, kChunk), byte);
  for (; count > 0; count -= std::min(count, kChunk)) append(std::string_view(chunk).substr(0, count), trusted);
}

Text TextBuilder::take() {
  text_.n_points_ = count_points(text_.bytes_);
  charge_ = Charge();
  return std::exchange(text_, Text());
}

}  // namespace glint::jinja
