// SPDX-License-Identifier: Apache-2.0
//
// Clients send a model's tool calls back as parsed JSON, and a template writes them anew: other blanks, other order, other
// tokens than the model chose, so that the cache is lost from there on and the model reads what it did not write. This
// keeps the ids that the model wrote for each call and puts them into the prompt where the template wrote that call.
//
//   ReplyTrace trace;  for each event: trace.push(event.id, event.text);     // as the parser was fed
//   replay.remember(call, trace.ids_of(call, vocab));
//   ids = replay.encode(tokenizer, prompt, format, messages, tools, options);  // of a later request
//
// Called by the server. Safe to use from any thread. Tested by tests/unit/text/call_replay_test.cpp.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat.h"
#include "text/reply_parser.h"
#include "text/tokenizer.h"

namespace glint {

/// The ids of a reply and the text that came with each.
class ReplyTrace {
 public:
  void push(int32_t id, std::string_view text);
  /// The ids that a call was written in; none if it does not begin and end with whole tokens, or shares its text with
  /// others.
  std::vector<int32_t> ids_of(const ToolCallDelta& call, const Vocab& vocab) const;

 private:
  std::vector<int32_t> ids_;
  std::vector<size_t> begins_;  // of each id's text
  std::string text_;
};

class CallReplay {
 public:
  /// Beyond `max_ids` ids in all, the calls that were not used for longest are forgotten.
  explicit CallReplay(size_t max_ids = 1 << 20) : max_ids_(max_ids) {}

  /// Nothing is kept where there are no ids.
  void remember(const ToolCallDelta& call, std::vector<int32_t> ids);

  /// Encodes a prompt that a template made of `messages` and `tools` (null: none), with the ids of remembered calls where it
  /// wrote them: calls whose id, name and arguments are as they were handed out; of a call without an id, the one with its
  /// name and arguments that was written last. Everything else is as encode() gives it;
  /// so is all of it for vocabularies that put a space before each stretch of text. `options.literal` is the prompt's.
  std::vector<int32_t> encode(const Tokenizer& tokenizer, const ChatPrompt& prompt, const ReplyFormat& format,
                              const nlohmann::ordered_json& messages, const nlohmann::ordered_json* tools,
                              EncodeOptions options);

 private:
  struct Written {
    std::string id, name, arguments, content;
    std::vector<int32_t> ids;
  };
  using Calls = std::list<Written>;
  struct Echo {
    std::string id, name, arguments;
  };
  std::vector<int32_t> find(const Echo& echo);
  void forget(Calls::iterator call);

  std::mutex mutex_;  // over all below
  size_t max_ids_;
  size_t n_ids_ = 0;
  Calls calls_;  // latest use first
  std::map<std::string, Calls::iterator, std::less<>> by_id_;
  std::map<std::string, Calls::iterator, std::less<>> by_content_;  // of equal ones the last
};

}  // namespace glint
