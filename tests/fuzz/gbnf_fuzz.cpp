// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a GBNF grammar: an Error, or a grammar in which a random walk never meets a dead end.
#include "base/check.h"
#include "grammar/gbnf.h"
#include "tests/fuzz/grammar_walk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    glint::grammar::walk_grammar(glint::grammar::compile_gbnf({reinterpret_cast<const char*>(bytes), size},
                                                              {.max_states = 20000, .max_edges = 100000}),
                                 bytes, size);
  } catch (const glint::Error&) {
  }
  return 0;
}
