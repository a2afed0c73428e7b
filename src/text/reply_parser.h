// SPDX-License-Identifier: Apache-2.0
//
// Takes a model's reply apart while it streams: thinking, content and tool calls, whatever the pieces' boundaries.
//
//   ReplyParser parser(ReplyFormat::detect(chat.source()), {.tools = &tools, .inside_thinking = prompt_ends_inside});
//   for (piece : reply) send(parser.push(piece));
//   send(parser.finish());
//
// A call is handed out when it is complete, with its arguments as one JSON object, typed by the tool's schema. One that
// breaks off, or is not what the syntax says, is content (thinking, if it stood there) word for word; nothing is ever
// lost and no reply is an error. What comes out, joined, does not depend on how the reply was cut.
// Called by chat and the server. Tested by tests/unit/text/reply_parser_test.cpp and tests/fuzz/reply_fuzz.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/reply_format.h"

namespace glint {

struct ToolCallDelta {
  int index = 0;  // of the call in the reply
  std::string id = {};
  std::string name = {};
  std::string arguments_delta = {};  // text of a JSON object
  // Where it was written, in bytes of the reply; the same for all calls of one list, and 0 where that is not known.
  size_t source_begin = 0, source_end = 0;
};

struct ReplyDelta {
  std::string reasoning;
  std::string content;
  std::vector<ToolCallDelta> calls;

  bool empty() const { return reasoning.empty() && content.empty() && calls.empty(); }
};

struct ReplyOptions {
  /// Array of tools, as OpenAI's API has them or as bare {"name", "parameters"}; null or empty: calls are not looked
  /// for. Copied.
  const nlohmann::ordered_json* tools = nullptr;
  bool inside_thinking = false;          // the prompt ended in the opened tag
  std::optional<uint64_t> id_seed = {};  // call ids are a function of it and the index; absent: random
};

class ReplyReader;

class ReplyParser {
 public:
  ReplyParser(const ReplyFormat& format, const ReplyOptions& options);
  ReplyParser(ReplyParser&&) noexcept;
  ReplyParser& operator=(ReplyParser&&) noexcept;
  ~ReplyParser();

  /// What became certain with this piece.
  ReplyDelta push(std::string_view piece);
  /// The end of the reply; only once.
  ReplyDelta finish();
  /// Calls handed out so far.
  int n_calls() const { return n_calls_; }

 private:
  ReplyDelta number(struct ReplyPart part);

  std::unique_ptr<ReplyReader> reader_;
  bool short_ids_;
  uint64_t id_seed_;
  int n_calls_ = 0;
};

}  // namespace glint
