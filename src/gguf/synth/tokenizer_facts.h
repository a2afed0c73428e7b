// SPDX-License-Identifier: Apache-2.0
//
// The tokenizers of the families that `synth` knows: special tokens in order of id, and which of them plays which role.
// Facts only; vocabulary.h makes the arrays.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "gguf/synth/vocabulary.h"

namespace glint::gguf {

/// The tokenizer of a family.
struct TokenizerFacts {
  std::string_view model;  // tokenizer.ggml.model: gpt2 (byte-level BPE) or llama (SentencePiece)
  std::string_view pre;    // tokenizer.ggml.pre
  std::span<const SpecialToken> special;
  std::span<const std::pair<std::string_view, std::string_view>> roles;  // "eos_token_id" -> token text
  std::span<const std::pair<std::string_view, bool>> flags;              // "add_bos_token" -> value
};

extern const TokenizerFacts kGlmTokenizer, kLlamaTokenizer, kQwenTokenizer, kOssTokenizer, kGemmaTokenizer,
    kPhiTokenizer;

}  // namespace glint::gguf
