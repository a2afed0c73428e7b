// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions as automata over code points: Thompson's construction (Thompson 1968), then subsets. Linear in
// the pattern until the subsets are made, and bounded there by states and by work.
// Called by json_schema (pattern, format) and for a request's own regular expression; knows nothing of bytes.
// Tested by tests/unit/grammar/regex_test.cpp.
#pragma once

#include <string_view>

#include "grammar/builder.h"
#include "grammar/char_dfa.h"
#include "grammar/grammar.h"

namespace glint::grammar {

/// Strings in which `pattern` matches somewhere, as JSON Schema reads it; ^ and $ tie it to the ends.
CharDfa regex_search(std::string_view pattern, const DfaLimit& limit = {});

/// Strings that `pattern` matches from end to end.
CharDfa regex_full_match(std::string_view pattern, const DfaLimit& limit = {});

/// A grammar of the texts that `pattern` matches from end to end. Throws Error for a pattern that matches nothing.
Grammar compile_regex(std::string_view pattern, const GrammarLimits& limits = {});
/// The same as a part of a grammar in the making.
Builder::Expr add_regex(Builder& builder, std::string_view pattern);

}  // namespace glint::grammar
