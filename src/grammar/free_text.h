// SPDX-License-Identifier: Apache-2.0
//
// Text that goes on until certain words: what a model thinks before its answer begins, what it says between calls, a
// value up to its closing tag. By the automaton of Aho and Corasick (1975), over code points.
// Called by whoever puts grammars into frames. Tested by tests/unit/grammar/free_text_test.cpp.
#pragma once

#include <span>
#include <string>

#include "grammar/char_dfa.h"

namespace glint::grammar {

/// Texts in which none of `words` (valid UTF-8, not empty) occurs.
CharDfa text_without(std::span<const std::string> words);
/// Texts that end with `word`, which occurs nowhere before, and in which none of `others` does.
CharDfa text_up_to(const std::string& word, std::span<const std::string> others = {});

}  // namespace glint::grammar
