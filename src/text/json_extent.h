// SPDX-License-Identifier: Apache-2.0
//
// Finds where a JSON object or array ends in text that is still arriving, and the parts of a finished one as they were
// written: numbers keep their digits and strings their escapes.
// Called by the readers of tool calls. Knows nothing of calls. Tested by tests/unit/text/json_extent_test.cpp.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glint {

/// Nesting beyond which a value is refused; everything that reads JSON by recursion is safe below it.
inline constexpr size_t kMaxJsonNesting = 200;

/// Reads a value that begins with { or [ byte by byte; each byte is looked at once.
class JsonExtent {
 public:
  enum class Status { kMore, kDone, kBroken };
  /// `text` is what was given before and what has arrived since. kBroken as soon as no JSON can begin so.
  Status read(std::string_view text);
  /// Bytes of the value, once it is done.
  size_t size() const { return at_; }

 private:
  size_t at_ = 0;
  std::string open_;  // brackets
  bool in_string_ = false, escaped_ = false;
};

struct JsonMember {
  std::string key;
  std::string_view value;  // in the text that was given
};
/// The members of an object in their order; nothing if the text is not a JSON object (UTF-8, no deeper than allowed).
std::optional<std::vector<JsonMember>> json_members(std::string_view text);
/// The items of an array.
std::optional<std::vector<std::string_view>> json_items(std::string_view text);
/// A string literal's text; nothing if it is none.
std::optional<std::string> json_string(std::string_view literal);
/// `text` as a JSON string literal; bytes that are no UTF-8 become U+FFFD.
std::string json_quoted(std::string_view text);
/// Whether the text, blanks around it aside, is one JSON value no deeper than allowed.
bool is_json(std::string_view text);

std::string_view trimmed(std::string_view text);

}  // namespace glint
