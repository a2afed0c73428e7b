// SPDX-License-Identifier: Apache-2.0
#include "grammar/char_set.h"

#include <algorithm>

#include "base/utf8.h"

namespace glint::grammar {
namespace {

constexpr char32_t kLast = 0x10FFFF, kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

std::string encoded(char32_t c) {
  std::string bytes;
  utf8::append(bytes, c);
  return bytes;
}

/// Splits [low, high], both of n bytes, so that every piece is a product of byte ranges.
void split(char32_t low, char32_t high, std::vector<ByteSequence>& out) {
  const int size = static_cast<int>(encoded(low).size());
  for (int i = 1; i < size; ++i) {
    const char32_t mask = (char32_t{1} << (6 * i)) - 1;  // the last i bytes
    if ((low & ~mask) == (high & ~mask)) continue;
    if ((low & mask) != 0) {
      split(low, low | mask, out);
      split((low | mask) + 1, high, out);
      return;
    }
    if ((high & mask) != mask) {
      split(low, (high & ~mask) - 1, out);
      split(high & ~mask, high, out);
      return;
    }
  }
  ByteSequence sequence{size};
  const std::string first = encoded(low), last = encoded(high);
  for (int i = 0; i < size; ++i) {
    sequence.bytes[i] = {static_cast<uint8_t>(first[i]), static_cast<uint8_t>(last[i])};
  }
  out.push_back(sequence);
}

}  // namespace

CharSet::CharSet(std::vector<CharRange> ranges) : ranges_(std::move(ranges)) {
  normalise();
}

CharSet CharSet::all() {
  return CharSet{{0, kLast}};
}

void CharSet::normalise() {
  std::vector<CharRange> kept;
  const auto keep = [&](char32_t low, char32_t high) {
    if (low <= high) kept.push_back({low, high});
  };
  for (const CharRange& r : ranges_) {
    const char32_t high = std::min(r.high, kLast);
    keep(r.low, std::min<char32_t>(high, kFirstSurrogate - 1));
    keep(std::max<char32_t>(r.low, kLastSurrogate + 1), high);
  }
  std::sort(kept.begin(), kept.end(), [](const CharRange& a, const CharRange& b) { return a.low < b.low; });
  ranges_.clear();
  for (const CharRange& r : kept) {
    if (!ranges_.empty() && r.low <= ranges_.back().high + 1) {
      ranges_.back().high = std::max(ranges_.back().high, r.high);
    } else {
      ranges_.push_back(r);
    }
  }
}

bool CharSet::contains(char32_t c) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), c,
                                      [](char32_t value, const CharRange& r) { return value < r.low; });
  return after != ranges_.begin() && c <= (after - 1)->high;
}

CharSet CharSet::operator|(const CharSet& other) const {
  CharSet sum = *this;
  sum.ranges_.insert(sum.ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  sum.normalise();
  return sum;
}

CharSet CharSet::operator&(const CharSet& other) const {
  CharSet both;
  for (size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    const CharRange &a = ranges_[i], &b = other.ranges_[j];
    const char32_t low = std::max(a.low, b.low), high = std::min(a.high, b.high);
    if (low <= high) both.ranges_.push_back({low, high});
    a.high < b.high ? ++i : ++j;
  }
  return both;
}

CharSet CharSet::operator~() const {
  CharSet rest;
  char32_t next = 0;
  for (const CharRange& r : ranges_) {
    if (r.low > next) rest.ranges_.push_back({next, r.low - 1});
    next = r.high + 1;
  }
  if (next <= kLast) rest.ranges_.push_back({next, kLast});
  rest.normalise();
  return rest;
}

std::vector<ByteSequence> utf8_sequences(CharRange range) {
  std::vector<ByteSequence> out;
  char32_t low = range.low;
  for (const char32_t last : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}, kLast}) {
    if (low > range.high) break;
    if (low > last) continue;
    split(low, std::min(last, range.high), out);
    low = last + 1;
  }
  return out;
}

}  // namespace glint::grammar
