// SPDX-License-Identifier: Apache-2.0
//
// The parts that most architectures are put together from: widths, grouped-query attention, experts and their gate, the
// split of a file's blocks into trunk and prediction blocks. What is special to a family stays in its arch_*.cpp.
// Tested by tests/unit/model/{keys,gating,nextn}_test.cpp.
#pragma once

#include "model/arch/keys.h"
#include "model/arch/rope.h"
#include "model/spec.h"

namespace glint {

/// Whether a family has models that use token_embd as their head. For one that has none, output.weight is required.
enum class Head { kMayBeTied, kOwn };

/// What all families have: widths, heads, vocabulary, eps, context; no layers yet. Refuses expert counts that contradict
/// each other, in families without experts too.
ModelSpec common_spec(const Keys& keys, Head head);
int block_count(const Keys& keys);

/// A file's blocks: the trunk's, then those for multi-token prediction.
struct BlockSplit {
  int n_trunk = 0;
  int n_nextn = 0;
};
/// Metadata and tensors disagree in some files; what is there decides, with a note.
BlockSplit split_blocks(Keys& keys);

/// Grouped-query attention from the usual keys; RoPE as rope_spec gives it.
GqaSpec common_gqa(const Keys& keys, const ModelSpec& model, bool interleaved);

/// Experts from the usual keys; the gate is left to the caller.
MoeSpec common_moe(const Keys& keys);
/// "expert_gating_func". `absent` is the family's gate where the key is not there. A router with a correction bias scores
/// by sigmoid (arXiv 2412.19437, section 2.1.2): a file that says softmax beside one is an early, wrong conversion, and
/// is overruled with a warning, unless the user wrote it with --override-kv.
Gate read_gate(Keys& keys, bool has_correction_bias, Gate absent);

/// Findings of vocabularies of the GLM kind: its role tokens end an assistant's turn, but early conversions name only
/// <|endoftext|>, and text generated with those alone never ends. Says nothing of other vocabularies.
void lint_glm_turns(Keys& keys);

}  // namespace glint
