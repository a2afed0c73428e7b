// SPDX-License-Identifier: Apache-2.0
//
// Reads one tool call (of some syntaxes, one list of calls) from text that is still arriving. One object a call; it is
// given the same text again and again, each time with more of it, and remembers how far it came, so that the work is
// linear in the text. What it says depends on the text alone, never on where it was cut.
// Called by marked_reader. Tested by tests/unit/text/reply_parser_test.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/reply_reader.h"

namespace glint {

class CallReader {
 public:
  enum class Status {
    kMore,    // not certain yet; never at the end of the text
    kDone,    // calls() hold what the first size() bytes say
    kBroken,  // this is no call
  };
  virtual ~CallReader() = default;
  /// `text` begins with the marker that opens calls. `is_end`: no more will come.
  virtual Status read(std::string_view text, bool is_end) = 0;
  size_t size() const { return at_; }
  std::vector<ParsedCall>& calls() { return calls_; }

 protected:
  enum class Match { kYes, kNo, kOpen };
  /// Skips blanks, then `tag` if it is there; kOpen when too little has arrived to tell.
  Match take(std::string_view text, std::string_view tag, bool is_end);
  /// Position of `tag` behind at_, npos if it has not arrived; text that was searched is not searched again.
  size_t find(std::string_view text, std::string_view tag);
  static Status more_unless(bool is_end) { return is_end ? Status::kBroken : Status::kMore; }

  size_t at_ = 0;  // everything before it is understood
  std::vector<ParsedCall> calls_;

 private:
  size_t searched_ = 0;
};

/// What a syntax's calls begin with; empty for one whose calls begin with nothing but a brace.
std::string_view call_opener(CallSyntax syntax);
/// A reader for a text that begins with the opener. `tools` must outlive it.
std::unique_ptr<CallReader> make_call_reader(CallSyntax syntax, const ToolSchemas& tools);
/// A reader for a reply that begins with a brace: a call only if it is one of a known tool.
std::unique_ptr<CallReader> make_bare_call_reader(const ToolSchemas& tools);

// The kinds, by file.
std::unique_ptr<CallReader> make_glm_call_reader(const ToolSchemas& tools);
std::unique_ptr<CallReader> make_function_call_reader(const ToolSchemas& tools);
std::unique_ptr<CallReader> make_hermes_call_reader();
std::unique_ptr<CallReader> make_llama_call_reader();
std::unique_ptr<CallReader> make_mistral_call_reader();
std::unique_ptr<CallReader> make_deepseek_call_reader();

/// A call from its JSON object: "name" with "arguments" or "parameters", an object or one in a string.
bool parse_json_call(std::string_view json, ParsedCall& call);

}  // namespace glint
