// SPDX-License-Identifier: Apache-2.0
//
// Vocabularies for synthetic models: small ones made here (enough to encode any text byte by byte), or a real one from
// a Hugging Face tokenizer.json, converted to the very arrays that llama.cpp's converter writes. Called by synth.cpp.
// Tested by tests/unit/gguf/vocabulary_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glint::gguf {

/// GGUF's token types.
enum class TokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

/// The tokenizer.ggml.* arrays of one file.
struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<int32_t> types;       // TokenType
  std::vector<float> scores;        // SentencePiece only
  std::vector<std::string> merges;  // byte-level BPE only

  void add(std::string token, TokenType type);
  std::optional<uint32_t> find(std::string_view token) const;
  /// Appends "[PAD123]" tokens of type unused up to `size`.
  void pad(size_t size);
};

/// A token that a family needs at the end of its vocabulary.
struct SpecialToken {
  std::string_view text;
  TokenType type = TokenType::kControl;
};

/// 256 byte tokens, a few merges, "w300"-like fillers, then `special` from id `first_special` on, padded to `size`.
Vocabulary byte_level_vocabulary(std::span<const SpecialToken> special, size_t first_special, size_t size);

/// SentencePiece with byte fallback: `special` from id 0 on, "<0x00>" ..., printable letters, padded to `size`.
Vocabulary sentencepiece_vocabulary(std::span<const SpecialToken> special, size_t size);

/// Converts a byte-level BPE tokenizer.json (at `path`); token ids that the file leaves free become padding, up to the
/// highest id. Throws Error naming what the file lacks or contradicts.
Vocabulary read_tokenizer_json(const std::string& path);
/// The same from text; `name` is for messages.
Vocabulary parse_tokenizer_json(std::string_view json, const std::string& name);

}  // namespace glint::gguf
