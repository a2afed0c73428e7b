// SPDX-License-Identifier: Apache-2.0
#include "gguf/synth/vocabulary.h"

#include <algorithm>

#include "base/check.h"

namespace glint::gguf {

namespace {

// The commonest English pairs: enough for merging to be exercised. Each line's result is a token of its own.
constexpr std::pair<std::string_view, std::string_view> kMerges[] = {{"t", "h"}, {"h", "e"}, {"i", "n"}, {"e", "r"},
                                                                     {"a", "n"}, {"r", "e"}, {"o", "n"}, {"th", "e"}};

std::string utf8(uint32_t code_point) {
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  GLINT_CHECK(code_point < 0x800);
  return {static_cast<char>(0xc0 | (code_point >> 6)), static_cast<char>(0x80 | (code_point & 63))};
}

// How byte-level BPE writes a byte: Latin-1's printable characters as themselves, the others from U+0100 on.
std::vector<std::string> byte_characters() {
  std::vector<std::string> characters;
  uint32_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    characters.push_back(utf8(printable ? byte : next++));
  }
  return characters;
}

}  // namespace

void Vocabulary::add(std::string token, TokenType type) {
  tokens.push_back(std::move(token));
  types.push_back(static_cast<int32_t>(type));
}

std::optional<uint32_t> Vocabulary::find(std::string_view token) const {
  const auto found = std::ranges::find(tokens, token);
  if (found == tokens.end()) return std::nullopt;
  return static_cast<uint32_t>(found - tokens.begin());
}

void Vocabulary::pad(size_t size) {
  while (tokens.size() < size) add(fmt::format("[PAD{}]", tokens.size()), TokenType::kUnused);
}

Vocabulary byte_level_vocabulary(std::span<const SpecialToken> special, size_t first_special, size_t size) {
  Vocabulary vocabulary;
  for (std::string& character : byte_characters()) vocabulary.add(std::move(character), TokenType::kNormal);
  for (const auto& [left, right] : kMerges) {
    vocabulary.add(fmt::format("{}{}", left, right), TokenType::kNormal);
    vocabulary.merges.push_back(fmt::format("{} {}", left, right));
  }
  while (vocabulary.tokens.size() < first_special) {
    vocabulary.add(fmt::format("w{}", vocabulary.tokens.size()), TokenType::kNormal);
  }
  for (const SpecialToken& token : special) vocabulary.add(std::string(token.text), token.type);
  vocabulary.pad(size);
  return vocabulary;
}

Vocabulary sentencepiece_vocabulary(std::span<const SpecialToken> special, size_t size) {
  Vocabulary vocabulary;
  for (const SpecialToken& token : special) vocabulary.add(std::string(token.text), token.type);
  for (int byte = 0; byte < 256; ++byte) vocabulary.add(fmt::format("<0x{:02X}>", byte), TokenType::kByte);
  vocabulary.scores.assign(vocabulary.tokens.size(), 0.0f);
  vocabulary.add("\xe2\x96\x81", TokenType::kNormal);  // U+2581, how SentencePiece writes a space
  for (char c = '!'; c <= '~'; ++c) vocabulary.add({c}, TokenType::kNormal);
  for (const auto& [left, right] : kMerges) vocabulary.add(fmt::format("{}{}", left, right), TokenType::kNormal);
  vocabulary.pad(size);
  // Later pieces score lower, as in a trained vocabulary.
  for (float score = -1; vocabulary.scores.size() < vocabulary.tokens.size(); --score) {
    vocabulary.scores.push_back(score);
  }
  return vocabulary;
}

}  // namespace glint::gguf
