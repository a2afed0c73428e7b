// SPDX-License-Identifier: Apache-2.0
//
// A model's vocabulary: what each token id stands for, which ids have a role, and which end a generation.
//
//   VocabData   what a file says, as views into it; from GGUF metadata, or filled by hand
//   Vocab       the checked, self-contained form that everything else uses
//
// Called by text/tokenizer, text/detokenizer, the sampler (end of generation) and apps. Knows nothing of encoding.
// Tested by tests/unit/text/vocab_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/metadata.h"

namespace glint {

/// GGUF's `tokenizer.ggml.token_type`.
enum class TokenType : uint8_t {
  kUndefined = 0,
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // matched in text only on request, left out of text by default
  kUserDefined = 4,  // always matched in text
  kUnused = 5,       // padding: stands for nothing
  kByte = 6,         // one byte, for characters that the vocabulary lacks
};

/// How text becomes tokens.
enum class TokenizerModel {
  kByteBpe,         // "gpt2": BPE over bytes by ranked merges, after pre-tokenization
  kCharacterBpe,    // "gemma4": BPE over characters by ranked merges, spaces as U+2581, bytes for what is missing
  kSentencePiece,   // "llama": BPE over characters by the score of the result, spaces as U+2581, bytes likewise
};

/// Ids with a role, where the vocabulary has them.
struct SpecialIds {
  std::optional<int32_t> bos = {}, eos = {}, eot = {}, eom = {}, unk = {}, pad = {};
  std::optional<int32_t> fim_prefix = {}, fim_suffix = {}, fim_middle = {};  // fill in the middle
};

/// A vocabulary as a file states it. The views must stay valid until a Vocab or Tokenizer has been built.
struct VocabData {
  std::string source = "vocabulary";  // file name, for messages
  std::string architecture;           // general.architecture
  std::string model;                  // tokenizer.ggml.model
  std::string pre;                    // tokenizer.ggml.pre
  std::vector<std::string> patterns;  // instead of `pre`: regular expressions that split text
  std::vector<std::string_view> tokens;
  std::vector<float> scores;             // empty or one a token
  std::vector<int32_t> types;            // empty or one a token
  std::vector<std::string_view> merges;  // "left right", best first
  SpecialIds special;
  std::vector<int32_t> more_eos;  // further ids that end a generation
  std::optional<bool> add_bos, add_eos, add_space_prefix;
};

/// Reads the tokenizer.* keys. Views point into the metadata. Throws Error for a key that is missing or ill-typed, and
/// for a tokenizer model that glint does not know.
VocabData vocab_from_gguf(const gguf::Metadata& metadata);

/// Immutable; safe to use from any thread.
class Vocab {
 public:
  /// Copies what it needs. Throws Error when array lengths differ, a special id is not a token (-1, in any width, means
  /// absent), or a score is not a number.
  explicit Vocab(const VocabData& data);

  int32_t size() const { return static_cast<int32_t>(types_.size()); }
  TokenizerModel model() const { return model_; }
  const std::string& source() const { return source_; }

  /// The bytes that `id` stands for in text: not always whole code points, empty for unused tokens. For control tokens
  /// their name. Throws Error when `id` is not a token.
  std::string_view bytes(int32_t id) const;
  TokenType type(int32_t id) const;
  /// Control tokens and the unknown token: what decoding leaves out by default.
  bool is_special(int32_t id) const;

  const SpecialIds& special() const { return special_; }
  bool add_bos() const { return add_bos_; }
  bool add_eos() const { return add_eos_; }
  /// Encoding puts a space before each stretch of text, and decoding takes the one at the start away.
  bool add_space_prefix() const { return add_space_prefix_; }

  /// Ids after which the model has nothing more to say, ascending: those the file names and those known by their text.
  std::span<const int32_t> end_of_generation() const { return end_of_generation_; }
  bool is_end_of_generation(int32_t id) const;

  /// The token with these bytes among those that encoding composes text from (normal ones), if there is one.
  std::optional<int32_t> find_piece(std::string_view bytes) const;
  /// The control, unknown or user-defined token of this name, if there is one; else the piece.
  std::optional<int32_t> find(std::string_view text) const;
  /// Appends the bytes of a piece that files spell so: byte-level in printable characters, else with U+2581 for spaces.
  void append_spelled(std::string& bytes, std::string_view spelling) const;
  /// The token for one byte: of a byte BPE its piece, else the one of type kByte.
  std::optional<int32_t> byte_token(uint8_t byte) const;
  /// Length of the longest piece in bytes.
  size_t longest_piece() const { return longest_piece_; }
  /// Control, unknown and user-defined tokens, sorted by their bytes.
  std::span<const int32_t> added() const { return added_; }

 private:
  void read_tokens(const VocabData& data);
  void read_special_ids(const VocabData& data);
  void index_pieces(std::span<const int32_t> pieces);
  std::string_view text_of(int32_t id) const {
    return {bytes_.data() + offsets_[id], offsets_[id + 1] - offsets_[id]};
  }
  std::optional<size_t> slot_of(std::string_view bytes) const;

  std::string source_;
  TokenizerModel model_;
  std::vector<char> bytes_;         // of all tokens, one after the other
  std::vector<size_t> offsets_;     // [size + 1] into bytes_
  std::vector<TokenType> types_;    // [size]
  std::vector<int32_t> slots_;      // hash table of pieces: open addressing, -1 is free
  std::vector<int32_t> added_;
  std::vector<int32_t> byte_tokens_;  // [256], -1 is none
  std::vector<int32_t> end_of_generation_;
  size_t longest_piece_ = 0;
  SpecialIds special_;
  bool add_bos_ = false, add_eos_ = false, add_space_prefix_ = false;
};

}  // namespace glint
