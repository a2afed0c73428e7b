// SPDX-License-Identifier: Apache-2.0
//
// Tokens to syntax tree: Jinja's grammar with the loop controls and transformers' {% generation %}. Recursive descent
// with bounded depth. What would load other templates (include, import, extends, block) is refused by name.
// Called by Template. Throws Error naming the line.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace glint::jinja {

/// The tree of a template, names not yet resolved.
TemplateTree parse(std::string_view source);

}  // namespace glint::jinja
