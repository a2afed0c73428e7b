// SPDX-License-Identifier: Apache-2.0
//
// Vocabularies for the text tests: those of the reference data folder, and small ones made on the spot.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/file.h"
#include "text/tokenizer.h"

namespace glint {

inline std::string shared_path(const std::string& name) { return std::string(GLINT_SHARED) + "/" + name; }
inline bool has_shared() { return std::filesystem::exists(shared_path("golden/README.md")); }

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Tokenizer load_tokenizer(const std::string& path) {
  const gguf::File file = gguf::File::open(path);
  return Tokenizer(vocab_from_gguf(file.metadata()));
}

/// A vocabulary that owns its strings. Copies would leave the views behind, so it only moves by pointer.
struct OwnedVocab {
  std::vector<std::string> tokens, merges;
  std::vector<int32_t> types;
  std::vector<float> scores;
  VocabData data;

  int32_t add(std::string token, TokenType type = TokenType::kNormal, float score = 0) {
    tokens.push_back(std::move(token));
    types.push_back(static_cast<int32_t>(type));
    scores.push_back(score);
    return static_cast<int32_t>(tokens.size()) - 1;
  }
  const VocabData& view() {
    data.tokens.assign(tokens.begin(), tokens.end());
    data.merges.assign(merges.begin(), merges.end());
    data.types = types;
    data.scores = data.model == "llama" ? scores : std::vector<float>{};
    return data;
  }
};

/// How byte-level BPE spells a byte.
std::string byte_spelling(int byte);

/// All 256 bytes as tokens 0 to 255, and nothing else yet.
std::unique_ptr<OwnedVocab> byte_vocab(const std::string& pre);

/// SentencePiece: <unk> <s> </s>, then the 256 byte tokens (ids 3 to 258), and nothing else yet.
std::unique_ptr<OwnedVocab> sentence_piece_vocab();

/// GLM-4.7-Flash's own tokenizer.json, laid out as its GGUF files have it.
std::unique_ptr<OwnedVocab> glm_vocab();

}  // namespace glint
