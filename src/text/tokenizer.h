// SPDX-License-Identifier: Apache-2.0
//
// Text to ids and back, as the tokenizer that a model was trained with does it (Hugging Face's answer, where a file states
// enough to know it).
//
//   const Tokenizer tokenizer(vocab_from_gguf(file.metadata()));
//   std::vector<int32_t> ids = tokenizer.encode("Hello", {.add_special = true});
//   std::string text = tokenizer.decode(ids);
//
// What encode() does, in order: added tokens are matched in the raw text and split it; each part between them is repaired
// (invalid UTF-8 becomes U+FFFD), normalized as the family does, cut into pieces by its pre-tokenizer, and the pieces are
// merged from bytes or characters into tokens. All of it takes O(n log n) time and O(n) memory for any text.
// Called by engine, apps. Tested by tests/unit/text/*_test.cpp.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"
#include "text/detokenizer.h"
#include "text/merge_table.h"
#include "text/pre_tokenizer.h"
#include "text/vocab.h"

namespace glint {

struct EncodeOptions {
  /// Add what the vocabulary asks for: a token that begins the text, one that ends it.
  bool add_special = false;
  /// Match control tokens in the text. Without it no text can become one; user-defined tokens are matched in any case.
  bool parse_special = false;
  /// Add no second beginning-of-text token when the text itself begins with one, as many chat templates do.
  bool single_bos = false;
  /// With parse_special: byte ranges of the text, ascending and disjoint, in which control tokens are not matched even
  /// partly: what users and tools wrote, inside a prompt that a template built. All else is as without the ranges.
  std::span<const ByteRange> literal = {};
};

/// Immutable; safe to use from any thread. Movable, not copyable.
class Tokenizer {
 public:
  /// Throws Error for a vocabulary that contradicts itself and for a pre-tokenizer that glint does not know.
  explicit Tokenizer(const VocabData& data);

  const Vocab& vocab() const { return vocab_; }

  /// Total: any bytes may be given.
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;
  /// Always valid UTF-8. Throws Error when an id is not a token.
  std::string decode(std::span<const int32_t> ids, const DecodeOptions& options = {}) const;

 private:
  class Encoder;

  Vocab vocab_;
  std::optional<PreTokenizer> pre_tokenizer_;  // of byte BPE
  AddedTokens added_tokens_;
  MergeTable merges_;
  std::bitset<256> joins_space_;  // bytes that some piece has before a space
};

}  // namespace glint
