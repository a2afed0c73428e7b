// SPDX-License-Identifier: Apache-2.0
//
// The two ways in which replies are framed, behind one interface: by markers within running text (most models), or as
// a series of messages on channels (gpt-oss). Each keeps what is not certain yet.
// Called by reply_parser only. Tested by tests/unit/text/reply_parser_test.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/reply_format.h"
#include "text/tool_schemas.h"

namespace glint {

struct ParsedCall {
  std::string id;  // the model's own; mostly empty
  std::string name;
  std::string arguments;  // text of a JSON object
  // Where it was written, in bytes of the reply; the same for all calls of one list, and 0 where that is not known.
  size_t begin = 0, end = 0;
};

/// What became certain.
struct ReplyPart {
  std::string reasoning;
  std::string content;
  std::vector<ParsedCall> calls;
};

class ReplyReader {
 public:
  virtual ~ReplyReader() = default;
  /// `is_end`: nothing follows this piece.
  virtual ReplyPart read(std::string_view piece, bool is_end) = 0;
};

std::unique_ptr<ReplyReader> make_marked_reader(const ReplyFormat& format, ToolSchemas tools, bool inside_thinking);
std::unique_ptr<ReplyReader> make_harmony_reader(ToolSchemas tools);

/// Length of the longest proper beginning of `marker` that `text` ends with.
size_t partial_marker(std::string_view text, std::string_view marker);

}  // namespace glint
