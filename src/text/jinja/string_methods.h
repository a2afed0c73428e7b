// SPDX-License-Identifier: Apache-2.0
//
// The string operations that methods and filters share. Results keep marks of trust and the markup flag of `self`.
// Tested by tests/unit/text/jinja_language_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"

namespace glint::jinja {

enum class Side { kLeft, kRight, kBoth };

/// str.strip and its halves; without `chars` white space is removed.
Value strip(Runtime& runtime, const String& self, const Text* chars, Side side);
/// str.replace; a negative count replaces all.
Text replace(Runtime& runtime, const Text& self, const Text& from, const Text& to, int64_t count);
/// str.split / str.rsplit; null separator: at white space. A negative `most` splits everywhere.
std::vector<Value> split(Runtime& runtime, const String& self, const Text* separator, int64_t most, bool from_right);
std::vector<Value> split_lines(Runtime& runtime, const String& self, bool keep_ends);
/// The text mapped by a function of its bytes, such as upper(); trusted if all of it was.
Value map_text(Runtime& runtime, const String& self, std::string (*function)(std::string_view));
/// str.isupper / str.islower: no letter of another case and at least one of the wanted one.
bool has_only_case(Runtime& runtime, const Text& text, bool wanted_upper);
/// Padded to `width` code points on the given side(s).
Value pad(Runtime& runtime, const String& self, int64_t width, const Text& fill, Side side);

}  // namespace glint::jinja
