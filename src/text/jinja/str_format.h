// SPDX-License-Identifier: Apache-2.0
//
// str.format: "{} {name!r:>8} {0.attr[key]}". Look-ups go through the sandbox like any other.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include "text/jinja/runtime.h"

namespace glint::jinja {

Value format_fields(Runtime& runtime, const String& format, const Arguments& arguments);

}  // namespace glint::jinja
