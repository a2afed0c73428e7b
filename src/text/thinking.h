// SPDX-License-Identifier: Apache-2.0
//
// Splits streamed output into thinking and answer at the model's tags, whatever the pieces' boundaries. Templates often
// end the prompt inside an opened tag, so the initial state is the caller's. Used by chat and by the server.
// Tested by tests/unit/text/thinking_test.cpp.
#pragma once

#include <string>
#include <string_view>

namespace glint {

struct ThinkingTags {
  std::string open = "<think>";
  std::string close = "</think>";
};

/// Text that became certain: which of the two is decided by `thinking` of the splitter when it was produced.
struct ThinkingSplit {
  std::string thinking;
  std::string answer;
};

class ThinkingSplitter {
 public:
  /// `inside`: the prompt already ended in the opening tag.
  explicit ThinkingSplitter(bool inside, ThinkingTags tags = {});

  /// Takes the next piece; what might be the beginning of a tag is held back. A closing tag while answering and an
  /// opening tag while thinking are dropped: neither is ever text. Line breaks right after the closing tag are dropped.
  ThinkingSplit push(std::string_view piece);
  /// The end of output: what was held back is text.
  ThinkingSplit finish();
  bool inside() const { return inside_; }

 private:
  void take(std::string_view text, ThinkingSplit& out);

  ThinkingTags tags_;
  bool inside_;
  bool trim_breaks_ = false;  // right after a closing tag
  std::string held_;
};

/// True when a rendered prompt ends in an opening tag (blanks after it allowed).
bool ends_inside_thinking(std::string_view prompt, const ThinkingTags& tags = {});

}  // namespace glint
