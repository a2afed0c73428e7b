// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a JSON schema: an Error, or a grammar in which a random walk never meets a dead end and ends in JSON.
// The first byte picks the options.
#include <cstdlib>

#include "base/check.h"
#include "grammar/json_schema.h"
#include "tests/fuzz/grammar_walk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  glint::grammar::JsonSchemaOptions options;
  options.strict = (bytes[0] & 1) != 0;
  options.open = (bytes[0] & 2) != 0;
  options.max_alternatives = 50;
  options.max_automaton_states = 30000;
  try {
    const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    auto compiled =
        glint::grammar::compile_json_schema_text(text, options, {.max_states = 100000, .max_edges = 400000});
    const std::string value = glint::grammar::walk_grammar(std::move(compiled.grammar), bytes, size);
    if (!value.empty() && !nlohmann::json::accept(value)) std::abort();
  } catch (const glint::Error&) {
  }
  return 0;
}
