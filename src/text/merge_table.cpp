// SPDX-License-Identifier: Apache-2.0
#include "text/merge_table.h"

#include <algorithm>
#include <bit>
#include <string>

#include "base/check.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "text/vocab.h"

namespace glint {
namespace {

// Real vocabularies stay below 100 bytes; the bound keeps trying all splits of all tokens linear in the file's size.
constexpr size_t kLongestScoredPiece = 256;

}  // namespace

MergeTable::MergeTable(std::span<const Entry> entries) {
  slots_.resize(std::bit_ceil(std::max<size_t>(2, entries.size() + entries.size() / 2 + 1)));
  shift_ = 64 - std::countr_zero(slots_.size());
  for (const Entry& entry : entries) {
    const auto slot = slot_of(entry.left, entry.right);
    if (!slot) fail("the vocabulary's merges were made to collide");
    if (slots_[*slot].merge.result >= 0) continue;  // a repeat: the first, better rank holds
    slots_[*slot] = {entry.left, entry.right, entry.merge};
    ++size_;
  }
}

MergeTable MergeTable::from_merges(const Vocab& vocab, const VocabData& data) {
  std::vector<Entry> entries;
  entries.reserve(data.merges.size());
  std::string bytes;
  for (size_t rank = 0; rank < data.merges.size(); ++rank) {
    const std::string_view merge = data.merges[rank];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      fail("{}: tokenizer.ggml.merges: entry {} ('{}') is not two tokens with a space between", vocab.source(), rank,
           printable(merge));
    }
    const auto id_of = [&](std::string_view piece) {
      // Rarely a merge makes an added token, which has no byte-level spelling.
      auto id = vocab.find_piece(piece);
      if (!id) id = vocab.find(piece);
      if (!id) {
        fail("{}: tokenizer.ggml.merges: entry {} ('{}') needs the token '{}', which the vocabulary lacks", vocab.source(),
             rank, printable(merge), printable(piece));
      }
      return *id;
    };
    bytes.clear();
    vocab.append_spelled(bytes, merge.substr(0, space));
    const size_t cut = bytes.size();
    vocab.append_spelled(bytes, merge.substr(space + 1));
    const std::string_view whole = bytes;
    entries.push_back({id_of(whole.substr(0, cut)), id_of(whole.substr(cut)), {static_cast<uint32_t>(rank), id_of(whole)}});
  }
  return MergeTable(entries);
}

MergeTable MergeTable::from_scores(const Vocab& vocab, std::span<const float> scores) {
  const auto is_space_run = [&](int32_t id) {
    return vocab.type(id) == TokenType::kUserDefined && vocab.bytes(id).find_first_not_of(' ') == std::string_view::npos;
  };
  std::vector<int32_t> results;
  for (int32_t id = 0; id < vocab.size(); ++id) {
    const bool normal = vocab.type(id) == TokenType::kNormal || vocab.type(id) == TokenType::kUndefined;
    if ((normal || is_space_run(id)) && vocab.find_piece(vocab.bytes(id)) == id) results.push_back(id);
  }
  const auto score = [&](int32_t id) { return scores.empty() ? 0.0f : scores[id]; };
  std::ranges::sort(results, [&](int32_t a, int32_t b) {
    if (is_space_run(a) != is_space_run(b)) return is_space_run(a);
    return is_space_run(a) ? a < b : score(a) > score(b);
  });
  std::vector<Entry> entries;
  uint32_t rank = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const int32_t id = results[i];
    const std::string_view text = vocab.bytes(id);
    if (text.size() > kLongestScoredPiece) {
      fail("{}: token {} is {} bytes long, at most {} are supported", vocab.source(), id, text.size(), kLongestScoredPiece);
    }
    // Equal scores are equal ranks, so that their merges go from left to right.
    if (i > 0 && (is_space_run(results[i - 1]) || score(results[i - 1]) != score(id))) ++rank;
    for (size_t cut = utf8::decode(text).size; cut < text.size(); cut += utf8::decode(text, cut).size) {
      const auto left = vocab.find_piece(text.substr(0, cut)), right = vocab.find_piece(text.substr(cut));
      if (left && right) entries.push_back({*left, *right, {rank, id}});
    }
  }
  return MergeTable(entries);
}

}  // namespace glint
