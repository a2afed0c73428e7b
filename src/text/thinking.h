// SPDX-License-Identifier: Apache-2.0
//
// The tags around a model's thinking. Templates often end the prompt inside an opened tag.
// Used by reply_parser, chat_probe and whoever renders prompts. Tested by tests/unit/text/reply_parser_test.cpp.
#pragma once

#include <string>
#include <string_view>

namespace glint {

struct ThinkingTags {
  std::string open = "<think>";
  std::string close = "</think>";
};

/// True when a rendered prompt ends in an opening tag (blanks after it allowed).
bool ends_inside_thinking(std::string_view prompt, const ThinkingTags& tags = {});

/// How thinking may stand to an answer when it begins.
enum class ThinkingStart {
  kNone,     // it will not think: it cannot, or the prompt has closed the tag already
  kMayOpen,  // it may write the opening tag itself
  kInside,   // the prompt ended in the opened tag
};

}  // namespace glint
