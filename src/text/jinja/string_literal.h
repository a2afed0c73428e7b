// SPDX-License-Identifier: Apache-2.0
//
// Escapes in string literals of a template: Python's, as Jinja decodes them.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <string>
#include <string_view>

namespace glint::jinja {

/// What stands between the quotes, unescaped. Throws Error naming `line` for a malformed escape.
std::string unescape_string(std::string_view text, int line);

}  // namespace glint::jinja
