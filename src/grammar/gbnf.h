// SPDX-License-Identifier: Apache-2.0
//
// Reads grammars in llama.cpp's GBNF: rules "name ::= ...", alternation, sequences, groups, literals, character
// classes, ".", * + ? {m,n}, comments. The text starts with the rule "root".
// Called for a request's `grammar`; knows nothing of how grammars are run.
// Tested by tests/unit/grammar/gbnf_test.cpp and tests/fuzz/gbnf_fuzz.cpp.
#pragma once

#include <string_view>

#include "grammar/builder.h"
#include "grammar/grammar.h"

namespace glint::grammar {

/// Throws Error with line and column for what is not GBNF, for undefined, left-recursive and unending rules, and past a
/// limit.
Grammar compile_gbnf(std::string_view text, const GrammarLimits& limits = {});
/// The same as a part of a grammar in the making; its rules are the builder's, and unending ones are found there.
Builder::Expr add_gbnf(Builder& builder, std::string_view text);

}  // namespace glint::grammar
