// SPDX-License-Identifier: Apache-2.0
//
// From automata with silent edges to a Grammar: each rule by subset construction, calls taken as symbols, so that
// alternatives share their beginnings (an enum of 5,000 strings becomes a trie). A rule whose subsets explode is kept
// non-deterministic: it is slower to run, but no larger than it was.
// Called by builder.cpp only. Tested by tests/unit/grammar/builder_test.cpp.
#pragma once

#include "grammar/lower.h"

namespace glint::grammar {

/// `lowered` has been analysed.
Grammar determinise(const Lowered& lowered, const GrammarLimits& limits);

}  // namespace glint::grammar
