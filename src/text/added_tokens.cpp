// SPDX-License-Identifier: Apache-2.0
#include "text/added_tokens.h"

#include <algorithm>

#include "base/check.h"
#include "text/scanner_primitives.h"
#include "text/vocab.h"

namespace glint {
namespace {

constexpr size_t kLongest = 256;  // of an added token, in bytes; real ones have fewer than 100

bool overlaps(std::span<const ByteRange> ranges, size_t begin, size_t end) {
  auto range = std::ranges::partition_point(ranges, [&](const ByteRange& r) { return r.end <= begin; });
  while (range != ranges.end() && range->begin == range->end) ++range;  // an empty range touches nothing
  return range != ranges.end() && range->begin < end;
}

}  // namespace

AddedTokens::AddedTokens(const Vocab& vocab, std::span<const int32_t> strips_right) {
  for (const int32_t id : vocab.added()) {
    const std::string text(vocab.bytes(id));
    if (text.size() > kLongest) {
      fail("{}: token {} is matched as a whole and {} bytes long, at most {} are supported", vocab.source(), id,
           text.size(), kLongest);
    }
    const bool strip = std::ranges::binary_search(strips_right, id);
    entries_.push_back({text, id, vocab.is_special(id), strip});
    // SentencePiece writes its tokens of spaces with U+2581, and a text that has that character literally means them too.
    const bool spaces = text.find_first_not_of(' ') == std::string::npos;
    if (!spaces || vocab.model() == TokenizerModel::kByteBpe) continue;
    std::string marks;
    for (size_t i = 0; i < text.size(); ++i) marks += "\xE2\x96\x81";
    entries_.push_back({marks, id, false, strip});
  }
  std::ranges::stable_sort(entries_, {}, &Entry::text);
  for (int byte = 0; byte < 256; ++byte) {
    first_byte_[byte + 1] = std::ranges::partition_point(entries_, [&](const Entry& entry) {
      return static_cast<unsigned char>(entry.text[0]) <= byte;
    }) - entries_.begin();
  }
}

// Narrows the range of entries that share the text's first 1, 2, 3, ... bytes; an entry of exactly that length sorts first.
const AddedTokens::Entry* AddedTokens::longest_at(std::string_view text, size_t begin, const Rules& rules) const {
  const auto byte_at = [](const Entry& entry, size_t i) { return static_cast<unsigned char>(entry.text[i]); };
  const unsigned char first = static_cast<unsigned char>(text[begin]);
  auto low = entries_.begin() + first_byte_[first], high = entries_.begin() + first_byte_[first + 1];
  const Entry* best = nullptr;
  for (size_t length = 1; low != high; ++length) {
    for (; low != high && low->text.size() == length; ++low) {
      const bool blocked = low->control && (!rules.control || overlaps(rules.literal, begin, begin + length));
      if (!blocked && (best == nullptr || best->text.size() < length)) best = &*low;
    }
    if (low == high || begin + length >= text.size()) break;
    const unsigned char next = static_cast<unsigned char>(text[begin + length]);
    low = std::partition_point(low, high, [&](const Entry& entry) { return byte_at(entry, length) < next; });
    high = std::partition_point(low, high, [&](const Entry& entry) { return byte_at(entry, length) == next; });
  }
  return best;
}

std::optional<AddedTokens::Match> AddedTokens::find(std::string_view text, size_t from, const Rules& rules) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    const unsigned char first = static_cast<unsigned char>(text[begin]);
    if (first_byte_[first] == first_byte_[first + 1]) continue;
    const Entry* entry = longest_at(text, begin, rules);
    if (entry == nullptr) continue;
    const size_t end = begin + entry->text.size();
    return Match{entry->id, begin, entry->strip_right ? scan::run_of(text, end, kSpace) : end};
  }
  return std::nullopt;
}

}  // namespace glint
