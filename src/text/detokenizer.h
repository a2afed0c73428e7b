// SPDX-License-Identifier: Apache-2.0
//
// Turns ids into text while they arrive. A token can end within a code point, so what push() returns is held back until it
// is whole: every returned string is valid UTF-8, and all of them joined are what decoding everything at once gives.
//
// Bytes that are no UTF-8, as a model may produce them, become one U+FFFD for each maximal subpart (base/utf8.h); at the
// end of the stream flush() turns an unfinished code point into one U+FFFD.
// Called by Tokenizer::decode and engine/generation. Tested by tests/unit/text/detokenizer_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace glint {

class Vocab;

struct DecodeOptions {
  bool skip_special = false;  // leave control tokens and the unknown token out
  std::vector<int32_t> shown = {};  // but not these; ascending
  bool continues = false;     // the ids follow others: a leading space that encoding did not add is kept
};

/// One stream. Keeps a reference to `vocab`; for use by one thread at a time.
class Detokenizer {
 public:
  explicit Detokenizer(const Vocab& vocab, const DecodeOptions& options = {});

  /// The text that `id` completes, possibly none. Throws Error when `id` is not a token.
  std::string push(int32_t id);
  /// What is still held back, as U+FFFD; the next push() starts a new stream.
  std::string flush();

 private:
  bool is_left_out(int32_t id) const;

  const Vocab& vocab_;
  DecodeOptions options_;
  std::string held_;      // the beginning of a code point: at most 3 bytes
  bool strip_space_ = false;  // the next byte, if a space, is the one that encoding put before the text
};

}  // namespace glint
