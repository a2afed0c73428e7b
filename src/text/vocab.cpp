// SPDX-License-Identifier: Apache-2.0
#include "text/vocab.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "base/check.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "text/pre_tokenizer.h"
#include "text/token_roles.h"

namespace glint {
namespace {

// Probes of the hash table beyond which tokens must have been chosen to collide.
constexpr size_t kMostProbes = 4096;

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, how SentencePiece writes a space

TokenizerModel model_of(const VocabData& data) {
  if (data.model == "gpt2") return TokenizerModel::kByteBpe;
  if (data.model == "gemma4") return TokenizerModel::kCharacterBpe;
  if (data.model == "llama") return TokenizerModel::kSentencePiece;
  fail("{}: tokenizer.ggml.model: '{}' is not known, expected gpt2, llama or gemma4", data.source,
       printable(data.model));
}

// Byte-level BPE writes every byte as a printable character: the printable ones of Latin-1 as themselves, the others
// as U+0100 and on, in order.
std::array<int16_t, 0x144> bytes_of_printable() {
  std::array<int16_t, 0x144> table;
  table.fill(-1);
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    table[printable ? byte : next++] = static_cast<int16_t>(byte);
  }
  return table;
}

// The bytes that a byte-level token spells. A token with any other character stands for itself, but no text is composed
// from it: false.
template <typename Bytes>
bool append_byte_level(Bytes& out, std::string_view token) {
  static const auto table = bytes_of_printable();
  const size_t start = out.size();
  for (size_t i = 0; i < token.size();) {
    const utf8::Decoded next = utf8::decode(token, i);
    const int byte = next.code_point < table.size() ? table[next.code_point] : -1;
    if (byte < 0) {
      out.resize(start);
      out.insert(out.end(), token.begin(), token.end());
      return false;
    }
    out.push_back(static_cast<char>(byte));
    i += next.size;
  }
  return true;
}

template <typename Bytes>
bool append_with_spaces(Bytes& out, std::string_view token) {
  for (size_t i = 0; i < token.size();) {
    if (token.substr(i, kSpaceMark.size()) == kSpaceMark) {
      out.push_back(' ');
      i += kSpaceMark.size();
    } else {
      out.push_back(token[i++]);
    }
  }
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// "<0x0A>" -> 10; -1 for anything else.
int byte_of_name(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = hex_digit(token[3]), low = hex_digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void check_lengths(const VocabData& data) {
  const size_t n = data.tokens.size();
  if (n == 0) fail("{}: tokenizer.ggml.tokens: no tokens", data.source);
  if (n > static_cast<size_t>(std::numeric_limits<int32_t>::max())) fail("{}: {} tokens are too many", data.source, n);
  if (!data.types.empty() && data.types.size() != n) {
    fail("{}: tokenizer.ggml.token_type: {} entries, expected one for each of {} tokens", data.source, data.types.size(), n);
  }
  if (!data.scores.empty() && data.scores.size() != n) {
    fail("{}: tokenizer.ggml.scores: {} entries, expected one for each of {} tokens", data.source, data.scores.size(), n);
  }
  for (size_t id = 0; id < data.scores.size(); ++id) {
    if (!std::isfinite(data.scores[id])) fail("{}: tokenizer.ggml.scores: entry {} is not a finite number", data.source, id);
  }
}

TokenType type_of(const VocabData& data, size_t id) {
  if (data.types.empty()) {
    // Without types, what begins or ends a text must still not be spelled by a user.
    const SpecialIds& special = data.special;
    for (const auto& role : {special.bos, special.eos, special.eot, special.eom}) {
      if (role && *role >= 0 && static_cast<size_t>(*role) == id) return TokenType::kControl;
    }
    return TokenType::kNormal;
  }
  const int32_t type = data.types[id];
  if (type < 0 || type > static_cast<int32_t>(TokenType::kByte)) {
    fail("{}: tokenizer.ggml.token_type: entry {} is {}, expected 0 to 6", data.source, id, type);
  }
  return static_cast<TokenType>(type);
}

}  // namespace

Vocab::Vocab(const VocabData& data) : source_(data.source), model_(model_of(data)) {
  check_lengths(data);
  read_tokens(data);
  read_special_ids(data);
  end_of_generation_ = find_end_of_generation(*this, data);
}

void Vocab::read_tokens(const VocabData& data) {
  size_t total = 0;
  for (const std::string_view token : data.tokens) total += token.size();
  bytes_.reserve(total);
  offsets_.reserve(data.tokens.size() + 1);
  types_.reserve(data.tokens.size());
  byte_tokens_.assign(256, -1);
  const bool byte_level = model_ == TokenizerModel::kByteBpe;
  std::vector<int32_t> pieces, user_pieces;
  for (size_t i = 0; i < data.tokens.size(); ++i) {
    const std::string_view token = data.tokens[i];
    const auto id = static_cast<int32_t>(i);
    types_.push_back(type_of(data, i));
    offsets_.push_back(bytes_.size());
    switch (types_.back()) {
      case TokenType::kUnused:
        break;
      case TokenType::kByte: {
        const int byte = byte_of_name(token);
        if (byte < 0) fail("{}: token {} is of type byte but not of the form <0xXX>", source_, id);
        bytes_.push_back(static_cast<char>(byte));
        if (byte_tokens_[byte] < 0) byte_tokens_[byte] = id;
        break;
      }
      case TokenType::kUnknown:
      case TokenType::kControl:
        bytes_.insert(bytes_.end(), token.begin(), token.end());
        break;
      case TokenType::kUserDefined:
        if (byte_level) {
          bytes_.insert(bytes_.end(), token.begin(), token.end());
        } else {
          append_with_spaces(bytes_, token);
          user_pieces.push_back(id);
        }
        break;
      default:
        if (byte_level ? append_byte_level(bytes_, token) : append_with_spaces(bytes_, token)) pieces.push_back(id);
    }
  }
  offsets_.push_back(bytes_.size());
  pieces.insert(pieces.end(), user_pieces.begin(), user_pieces.end());
  index_pieces(pieces);
}

// Of pieces with the same bytes the first counts.
void Vocab::index_pieces(std::span<const int32_t> pieces) {
  slots_.assign(std::bit_ceil(pieces.size() + pieces.size() / 2 + 1), -1);
  for (const int32_t id : pieces) {
    const std::string_view text = text_of(id);
    if (text.empty()) continue;
    const auto slot = slot_of(text);
    if (!slot) fail("{}: the tokens' texts were made to collide", source_);
    if (slots_[*slot] < 0) slots_[*slot] = id;
    longest_piece_ = std::max(longest_piece_, text.size());
  }
  for (int byte = 0; byte < 256 && model_ == TokenizerModel::kByteBpe; ++byte) {
    const char one = static_cast<char>(byte);
    if (const auto id = find_piece({&one, 1})) byte_tokens_[byte] = *id;
  }
  for (int32_t id = 0; id < size(); ++id) {
    if ((types_[id] == TokenType::kUserDefined || is_special(id)) && !bytes(id).empty()) added_.push_back(id);
  }
  std::ranges::sort(added_, [&](int32_t a, int32_t b) { return std::pair(bytes(a), a) < std::pair(bytes(b), b); });
}

void Vocab::read_special_ids(const VocabData& data) {
  special_ = data.special;
  const auto check = [&](std::optional<int32_t>& id, const char* role) {
    if (id == -1) id.reset();  // how some writers say "none"
    if (id && (*id < 0 || *id >= size())) {
      fail("{}: tokenizer.ggml.{}_token_id is {}, but there are {} tokens; name the right one with --override-kv "
           "tokenizer.ggml.{}_token_id=int:ID", source_, role, *id, size(), role);
    }
  };
  check(special_.bos, "bos");
  check(special_.eos, "eos");
  check(special_.eot, "eot");
  check(special_.eom, "eom");
  check(special_.unk, "unknown");
  check(special_.pad, "padding");
  check(special_.fim_prefix, "fim_pre");
  check(special_.fim_suffix, "fim_suf");
  check(special_.fim_middle, "fim_mid");
  if (model_ == TokenizerModel::kSentencePiece) {
    // Files from before these keys existed rely on SentencePiece's own names.
    if (!special_.bos) special_.bos = find("<s>");
    if (!special_.eos) special_.eos = find("</s>");
    if (!special_.unk) special_.unk = find("<unk>");
  }
  find_fill_in_middle(*this, special_);
  const bool family_adds_bos =
      model_ == TokenizerModel::kByteBpe ? data.patterns.empty() && PreTokenizer(data.pre).traits().add_bos : true;
  add_bos_ = data.add_bos.value_or(family_adds_bos) && special_.bos.has_value();
  add_space_prefix_ = data.add_space_prefix.value_or(model_ == TokenizerModel::kSentencePiece) &&
                      model_ != TokenizerModel::kByteBpe;
  add_eos_ = data.add_eos.value_or(false) && special_.eos.has_value();
}

std::string_view Vocab::bytes(int32_t id) const {
  if (id < 0 || id >= size()) fail("token id {} is outside the vocabulary of {} tokens", id, size());
  return text_of(id);
}

TokenType Vocab::type(int32_t id) const {
  if (id < 0 || id >= size()) fail("token id {} is outside the vocabulary of {} tokens", id, size());
  return types_[id];
}

bool Vocab::is_special(int32_t id) const {
  const TokenType kind = type(id);
  return kind == TokenType::kControl || kind == TokenType::kUnknown;
}

bool Vocab::is_end_of_generation(int32_t id) const { return std::ranges::binary_search(end_of_generation_, id); }

// The slot that holds the piece with these bytes, or the free slot where it would go; none after too many probes.
std::optional<size_t> Vocab::slot_of(std::string_view text) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = std::hash<std::string_view>{}(text) & mask;
  for (size_t probe = 0; probe < kMostProbes; ++probe, slot = (slot + 1) & mask) {
    if (slots_[slot] < 0 || text_of(slots_[slot]) == text) return slot;
  }
  return std::nullopt;
}

std::optional<int32_t> Vocab::find_piece(std::string_view text) const {
  if (text.empty() || text.size() > longest_piece_) return std::nullopt;
  const auto slot = slot_of(text);
  return slot && slots_[*slot] >= 0 ? std::optional(slots_[*slot]) : std::nullopt;
}

std::optional<int32_t> Vocab::find(std::string_view text) const {
  const auto at = std::ranges::lower_bound(added_, text, {}, [&](int32_t id) { return bytes(id); });
  if (at != added_.end() && bytes(*at) == text) return *at;
  return find_piece(text);
}

void Vocab::append_spelled(std::string& bytes, std::string_view spelling) const {
  model_ == TokenizerModel::kByteBpe ? append_byte_level(bytes, spelling) : append_with_spaces(bytes, spelling);
}

std::optional<int32_t> Vocab::byte_token(uint8_t byte) const {
  return byte_tokens_[byte] < 0 ? std::nullopt : std::optional(byte_tokens_[byte]);
}

}  // namespace glint
