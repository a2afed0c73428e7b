// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a regular expression: an Error, or a grammar in which a random walk never meets a dead end.
#include "base/check.h"
#include "grammar/regex.h"
#include "tests/fuzz/grammar_walk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    const std::string_view pattern(reinterpret_cast<const char*>(bytes), size);
    glint::grammar::walk_grammar(glint::grammar::compile_regex(pattern), bytes, size);
    glint::grammar::regex_search(pattern);
  } catch (const glint::Error&) {
  }
  return 0;
}
