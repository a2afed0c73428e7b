// SPDX-License-Identifier: Apache-2.0
//
// Reads a message from the terminal with editing, history and several lines. Enter sends; Alt-Enter or a
// backslash at the end of the line adds a line; pasted text keeps its line breaks (bracketed paste).
// Where stdin is no terminal, reads plain lines with the same backslash rule, so pipes and tests work.
// Tested by tests/integration/chat_test.py on a pseudo-terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace glint::app {

class LineEditor {
 public:
  enum class Outcome { kText, kInterrupt, kEnd };
  struct Result {
    Outcome outcome;
    std::string text;
  };

  /// Shows `prompt` and reads one message. `initial` is text to edit (/edit). Ctrl-C: kInterrupt; Ctrl-D on an empty
  /// message or the end of input: kEnd. The terminal's modes are restored before this returns or throws.
  Result read(const std::string& prompt, const std::string& initial = "");

  /// Past messages, oldest first; the up and down keys walk through them.
  void add_history(const std::string& text);

 private:
  std::vector<std::string> history_;
};

}  // namespace glint::app
