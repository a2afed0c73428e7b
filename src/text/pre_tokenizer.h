// SPDX-License-Identifier: Apache-2.0
//
// Splits text into the pieces within which BPE may merge, by the rule that a vocabulary's `tokenizer.ggml.pre` names.
// The known names and what else they imply are one table in pre_tokenizer.cpp. Called by text/tokenizer.
// Tested by tests/unit/text/pre_tokenizer_test.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex_splitter.h"
#include "text/scanners.h"

namespace glint {

/// What Hugging Face's tokenizer of a family does and a GGUF file states only by the name of the pre-tokenizer.
struct PreTokenizerTraits {
  bool ignore_merges = false;  // a piece that is a token is that token, whatever the merges say
  bool nfc = false;            // text is brought to normalization form C first
  bool add_bos = false;        // when the file does not say
};

/// Immutable; safe to use from any thread.
class PreTokenizer {
 public:
  /// Throws Error that lists the known names when `name` is not one of them.
  explicit PreTokenizer(std::string_view name);
  /// Patterns applied one after the other, each to the pieces of the one before.
  explicit PreTokenizer(std::span<const std::string> patterns);

  const PreTokenizerTraits& traits() const { return traits_; }

  /// Appends the pieces of `text` (valid UTF-8) in order; together they are the text. Linear in its length.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

  /// The names the constructor knows, in alphabetical order.
  static std::vector<std::string_view> names();

 private:
  PreTokenizerTraits traits_;
  std::vector<Scanner> scanners_;         // passes; either these
  std::vector<RegexSplitter> patterns_;   // or these
};

}  // namespace glint
