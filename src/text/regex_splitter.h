// SPDX-License-Identifier: Apache-2.0
//
// Splits text by a regular expression that glint has no scanner for. Over PCRE2 with its just-in-time compiler: no
// recursion, matching memory and steps are bounded. Called by text/pre_tokenizer.
// Tested by tests/unit/text/regex_splitter_test.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace glint {

/// Immutable; safe to use from any thread.
class RegexSplitter {
 public:
  /// `pattern` is UTF-8, in Perl's syntax with Unicode classes. Throws Error with PCRE2's reason when it does not compile.
  explicit RegexSplitter(const std::string& pattern);
  RegexSplitter(RegexSplitter&&) noexcept;
  ~RegexSplitter();

  /// Appends the pieces of `text` (valid UTF-8): every match that is not empty, and what lies between matches.
  /// Throws Error when matching takes more steps or memory than any tokenizer's pattern needs.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

 private:
  struct Compiled;
  std::string pattern_;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace glint
