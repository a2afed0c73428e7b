// SPDX-License-Identifier: Apache-2.0
//
// Roles of tokens that files leave out and the tokens' names give away: which ids end a generation, which frame a gap to
// fill in. Files name one to three end ids, older ones too few of them. Called by Vocab.
// Tested by tests/unit/text/vocab_test.cpp.
#pragma once

#include <cstdint>
#include <vector>

namespace glint {

class Vocab;
struct VocabData;
struct SpecialIds;

/// Ascending, without repeats. `vocab` must have its tokens and special ids; `data` is what it was made from.
/// Throws Error when the file names an id that is not a token.
std::vector<int32_t> find_end_of_generation(const Vocab& vocab, const VocabData& data);

/// Fills in those fim_* ids that are absent and have a known name.
void find_fill_in_middle(const Vocab& vocab, SpecialIds& special);

}  // namespace glint
