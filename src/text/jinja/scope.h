// SPDX-License-Identifier: Apache-2.0
//
// Decides, once per template, in which slot every name lives and what a frame loads when it is entered. It follows
// the rules of Jinja's own compiler, which decide by reading and not by running: a name that a frame assigns anywhere
// belongs to that frame and starts as the outer variable of the same name (loop bodies, blocks) or as nothing (the
// template itself); a macro sees the variables of the place where it is written, with their values at the call.
// Also finds what only shows in the whole: unknown filters outside conditions, assignments to `loop`.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include "text/jinja/ast.h"

namespace glint::jinja {

/// Fills in the slots, frames and functions of `tree`. Throws Error naming the line.
void resolve_names(TemplateTree& tree);

}  // namespace glint::jinja
