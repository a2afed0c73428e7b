// SPDX-License-Identifier: Apache-2.0
//
// Substring search in linear time, so that no text and pattern from outside can make a template quadratic.
// Tested by tests/unit/text/jinja_text_test.cpp.
#pragma once

#include <cstring>
#include <string_view>

#include "text/jinja/meter.h"

namespace glint::jinja {

/// First occurrence of `needle` at or after `from` (<= size), npos if none.
inline size_t find_text(std::string_view haystack, std::string_view needle, size_t from) {
  if (needle.empty()) return from;
  if (needle.size() > haystack.size() - from) return std::string_view::npos;
  if (needle.size() == 1) return haystack.find(needle[0], from);
  // std::string_view::find is quadratic for needles such as "aaa...b"; memmem is not.
  const void* found = memmem(haystack.data() + from, haystack.size() - from, needle.data(), needle.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<size_t>(static_cast<const char*>(found) - haystack.data());
}

/// Last occurrence of `needle` that ends at or before `end` (<= size), npos if none. Charges the worst case, which is
/// quadratic, so a hostile pattern runs into the limit instead of the clock.
inline size_t find_last_text(Meter& meter, std::string_view haystack, std::string_view needle, size_t end) {
  meter.work(end * (needle.size() / 2 + 1));
  return haystack.substr(0, end).rfind(needle);
}

}  // namespace glint::jinja
