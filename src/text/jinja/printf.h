// SPDX-License-Identifier: Apache-2.0
//
// The % operator of strings: "%s has %d" % (name, n), "%(name)s" % mapping.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include "text/jinja/runtime.h"

namespace glint::jinja {

Value format_printf(Runtime& runtime, const String& format, const Value& arguments);

}  // namespace glint::jinja
