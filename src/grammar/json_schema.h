// SPDX-License-Identifier: Apache-2.0
//
// JSON Schema (draft 2020-12, the subset that docs/STRUCTURED_OUTPUT.md states) to grammar. What cannot be enforced is
// refused with the place in the schema and what to write instead; nothing is ignored silently.
// Called for `response_format`, `json_schema` and tools; knows nothing of requests.
// Tested by tests/unit/grammar/json_schema_test.cpp, tests/integration/json_schema_suite_test.py and
// json_schema_random_test.py, tests/fuzz/json_schema_fuzz.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "grammar/builder.h"
#include "grammar/grammar.h"

namespace glint::grammar {

struct JsonSchemaOptions {
  /// Refuse what cannot be enforced. Otherwise it is left out and named in the warnings. A schema with "x-strict": false
  /// at its root is never strict.
  bool strict = true;
  /// Allow properties and items that the schema permits only by not mentioning them, as the standard says. Otherwise
  /// an object that declares properties has those and no others unless additionalProperties says so: the output is
  /// valid all the same, and models do not ramble.
  bool open = false;
  // Bounds on hostile schemas.
  size_t max_nodes = 50'000;       // values in the document
  size_t max_nesting = 256;        // of the document, and of references that apply at one place
  size_t max_alternatives = 1000;  // that anyOf, oneOf and the like make at one place
  size_t max_rules = 20'000;
  size_t max_automaton_states = 200'000;  // of all patterns, formats and number bounds together
};

/// Adds the values of `schema`, written as compact JSON with an optional space after each comma and colon, to a
/// grammar in the making. Warnings (of the non-strict mode) are appended. Throws Error "schema #/pointer: ...".
Builder::Expr add_json_schema(Builder& builder, const nlohmann::ordered_json& schema, const JsonSchemaOptions& options,
                              std::vector<std::string>& warnings);

struct CompiledSchema {
  Grammar grammar;
  std::vector<std::string> warnings;
};

/// As add_json_schema, alone. Throws Error also when no value satisfies the schema.
CompiledSchema compile_json_schema(const nlohmann::ordered_json& schema, const JsonSchemaOptions& options = {},
                                   const GrammarLimits& limits = {});
/// The same for a schema as text; its nesting is checked while it is read.
CompiledSchema compile_json_schema_text(std::string_view text, const JsonSchemaOptions& options = {},
                                        const GrammarLimits& limits = {});

}  // namespace glint::grammar
