// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "text/bpe.h"
#include "text/unicode.h"

namespace glint {
namespace {

constexpr int32_t kUnknown = -1;  // a symbol that the vocabulary lacks
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// Phi-3's tokenizer declares its added tokens, these three apart, to take along the white space after them. A file can
// not say so, and no other family with this model does it.
std::vector<int32_t> tokens_that_strip_right(const Vocab& vocab, const VocabData& data) {
  if (data.architecture != "phi3" || vocab.model() != TokenizerModel::kSentencePiece) return {};
  std::vector<int32_t> ids(vocab.added().begin(), vocab.added().end());
  for (const std::string_view name : {"<unk>", "<s>", "<|endoftext|>"}) {
    if (const auto id = vocab.find(name)) std::erase(ids, *id);
  }
  std::ranges::sort(ids);
  return ids;
}

std::optional<PreTokenizer> make_pre_tokenizer(const Vocab& vocab, const VocabData& data) {
  if (vocab.model() != TokenizerModel::kByteBpe) return std::nullopt;
  return data.patterns.empty() ? PreTokenizer(data.pre) : PreTokenizer(data.patterns);
}

MergeTable make_merges(const Vocab& vocab, const VocabData& data) {
  return vocab.model() == TokenizerModel::kSentencePiece ? MergeTable::from_scores(vocab, data.scores)
                                                         : MergeTable::from_merges(vocab, data);
}

// The bytes that some piece has before a space. After any other byte a space begins a word that no merge joins to what
// comes before, so that merging word by word gives what merging the whole text does, in memory that the cache holds.
std::bitset<256> bytes_before_inner_space(const Vocab& vocab) {
  std::bitset<256> bytes;
  for (int32_t id = 0; id < vocab.size(); ++id) {
    const std::string_view text = vocab.bytes(id);
    for (size_t space = text.find(' ', 1); space != std::string_view::npos; space = text.find(' ', space + 1)) {
      if (text[space - 1] != ' ') bytes.set(static_cast<unsigned char>(text[space - 1]));
    }
  }
  return bytes;
}

}  // namespace

// One call of encode(): its output and scratch memory.
class Tokenizer::Encoder {
 public:
  explicit Encoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer), merger_(tokenizer.merges_) {}

  std::vector<int32_t> ids;

  void add_plain(std::string_view text) {
    if (text.empty()) return;
    std::string repaired;
    if (!utf8::is_valid(text)) text = repaired = utf8::repair(text);
    tokenizer_.pre_tokenizer_ ? add_bytes(text) : add_characters(text);
  }

 private:
  void add_bytes(std::string_view text) {
    const PreTokenizer& pre_tokenizer = *tokenizer_.pre_tokenizer_;
    std::string composed;
    if (pre_tokenizer.traits().nfc) text = composed = to_nfc(text);
    pieces_.clear();
    pre_tokenizer.split(text, pieces_);
    for (const std::string_view piece : pieces_) {
      if (pre_tokenizer.traits().ignore_merges) {
        if (const auto id = tokenizer_.vocab_.find_piece(piece)) {
          ids.push_back(*id);
          continue;
        }
      }
      const size_t first = ids.size();
      for (const char c : piece) {
        // Every byte-level vocabulary has all bytes; in a damaged one the missing ones are left out.
        if (const auto id = tokenizer_.vocab_.byte_token(static_cast<uint8_t>(c))) ids.push_back(*id);
      }
      merger_.merge(ids, first);
    }
  }

  void add_characters(std::string_view text) {
    const Vocab& vocab = tokenizer_.vocab_;
    std::string spaced = vocab.add_space_prefix() ? " " : "";
    for (size_t i = 0; i < text.size();) {
      const bool mark = text.substr(i, kSpaceMark.size()) == kSpaceMark;
      spaced.push_back(mark ? ' ' : text[i]);
      i += mark ? kSpaceMark.size() : 1;
    }
    const size_t first = ids.size();
    size_t word = first;
    for (size_t i = 0; i < spaced.size();) {
      const std::string_view character = std::string_view(spaced).substr(i, utf8::decode(spaced, i).size);
      if (i > 0 && begins_word(spaced[i - 1], spaced[i])) {
        merger_.merge(ids, word);
        word = ids.size();
      }
      i += character.size();
      const auto id = vocab.find_piece(character);
      id ? ids.push_back(*id) : add_bytes_of(character);
    }
    merger_.merge(ids, word);
    name_unknown(first);
  }

  bool begins_word(char before, char c) const {
    return c == ' ' && before != ' ' && !tokenizer_.joins_space_[static_cast<unsigned char>(before)];
  }

  // A character that the vocabulary lacks, as bytes where it has all of them.
  void add_bytes_of(std::string_view character) {
    const size_t first = ids.size();
    for (const char c : character) ids.push_back(tokenizer_.vocab_.byte_token(static_cast<uint8_t>(c)).value_or(kUnknown));
    if (std::find(ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end(), kUnknown) == ids.end()) return;
    ids.resize(first);
    ids.push_back(kUnknown);
  }

  // A run of unknown characters is one unknown token.
  void name_unknown(size_t first) {
    const auto start = static_cast<std::ptrdiff_t>(first);
    const auto both_unknown = [](int32_t a, int32_t b) { return a == kUnknown && b == kUnknown; };
    ids.erase(std::unique(ids.begin() + start, ids.end(), both_unknown), ids.end());
    if (const auto unknown = tokenizer_.vocab_.special().unk) {
      std::replace(ids.begin() + start, ids.end(), kUnknown, *unknown);
    } else {
      ids.erase(std::remove(ids.begin() + start, ids.end(), kUnknown), ids.end());
    }
  }

  const Tokenizer& tokenizer_;
  BpeMerger merger_;
  std::vector<std::string_view> pieces_;
};

Tokenizer::Tokenizer(const VocabData& data)
    : vocab_(data),
      pre_tokenizer_(make_pre_tokenizer(vocab_, data)),
      added_tokens_(vocab_, tokens_that_strip_right(vocab_, data)),
      merges_(make_merges(vocab_, data)),
      joins_space_(bytes_before_inner_space(vocab_)) {}

std::vector<int32_t> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  Encoder encoder(*this);
  const AddedTokens::Rules rules{.control = options.parse_special, .literal = options.literal};
  size_t done = 0;
  while (const auto match = added_tokens_.find(text, done, rules)) {
    encoder.add_plain(text.substr(done, match->begin - done));
    encoder.ids.push_back(match->id);
    done = match->end;
  }
  encoder.add_plain(text.substr(done));
  std::vector<int32_t> ids = std::move(encoder.ids);
  const SpecialIds& special = vocab_.special();
  if (options.add_special && vocab_.add_bos()) {
    const bool has_one = options.single_bos && !ids.empty() && ids.front() == *special.bos;
    if (!has_one) ids.insert(ids.begin(), *special.bos);
  }
  if (options.add_special && vocab_.add_eos()) ids.push_back(*special.eos);
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, const DecodeOptions& options) const {
  Detokenizer detokenizer(vocab_, options);
  std::string text;
  for (const int32_t id : ids) text += detokenizer.push(id);
  return text + detokenizer.flush();
}

}  // namespace glint
