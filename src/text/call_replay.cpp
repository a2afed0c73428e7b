// SPDX-License-Identifier: Apache-2.0
#include "text/call_replay.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "text/call_reader.h"
#include "text/tool_schemas.h"

namespace glint {
namespace {

using Json = nlohmann::ordered_json;

std::string string_in(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : std::string();
}

/// Whether two texts are the same JSON; order of keys aside.
bool is_same_json(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const nlohmann::json left = nlohmann::json::parse(a, nullptr, false), right = nlohmann::json::parse(b, nullptr, false);
  return !left.is_discarded() && left == right;
}

/// The same for calls that are the same but for their ids.
std::string content_of(const std::string& name, const std::string& arguments) {
  const nlohmann::json parsed = nlohmann::json::parse(arguments, nullptr, false);  // sorts keys
  return name + '\n' + (parsed.is_discarded() ? arguments : parsed.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// The parts of `ranges` within [begin, end), counted from begin.
std::vector<ByteRange> cut_out(const std::vector<ByteRange>& ranges, size_t begin, size_t end) {
  std::vector<ByteRange> part;
  for (const ByteRange& range : ranges) {
    const size_t from = std::max(range.begin, begin), to = std::min(range.end, end);
    if (from < to) part.push_back({from - begin, to - begin});
  }
  return part;
}

}  // namespace

void ReplyTrace::push(int32_t id, std::string_view text) {
  if (id >= 0) {
    ids_.push_back(id);
    begins_.push_back(text_.size());
  }
  text_ += text;
}

std::vector<int32_t> ReplyTrace::ids_of(const ToolCallDelta& call, const Vocab& vocab) const {
  if (call.source_end > text_.size() || call.source_begin >= call.source_end) return {};
  const std::string_view written = std::string_view(text_).substr(call.source_begin, call.source_end - call.source_begin);
  // Of the ids that begin there the last: those before it had no text to show.
  const auto behind = std::ranges::upper_bound(begins_, call.source_begin);
  if (behind == begins_.begin() || *(behind - 1) != call.source_begin) return {};
  std::vector<int32_t> ids;
  std::string text;
  for (auto i = static_cast<size_t>(behind - begins_.begin()) - 1; i < ids_.size() && text.size() < written.size(); ++i) {
    ids.push_back(ids_[i]);
    text += vocab.bytes(ids_[i]);
  }
  return text == written ? ids : std::vector<int32_t>();
}

void CallReplay::remember(const ToolCallDelta& call, std::vector<int32_t> ids) {
  if (ids.empty() || ids.size() > max_ids_) return;
  const std::lock_guard lock(mutex_);
  if (by_id_.contains(call.id)) return;
  n_ids_ += ids.size();
  calls_.push_front({call.id, call.name, call.arguments_delta, content_of(call.name, call.arguments_delta), std::move(ids)});
  by_id_[call.id] = by_content_[calls_.front().content] = calls_.begin();
  while (n_ids_ > max_ids_) forget(std::prev(calls_.end()));
}

void CallReplay::forget(Calls::iterator call) {
  n_ids_ -= call->ids.size();
  by_id_.erase(call->id);
  const auto known = by_content_.find(call->content);
  if (known != by_content_.end() && known->second == call) by_content_.erase(known);
  calls_.erase(call);
}

std::vector<int32_t> CallReplay::find(const Echo& echo) {
  const std::lock_guard lock(mutex_);
  const auto& calls = echo.id.empty() ? by_content_ : by_id_;
  const auto known = calls.find(echo.id.empty() ? content_of(echo.name, echo.arguments) : echo.id);
  if (known == calls.end()) return {};
  const Written& call = *known->second;
  if (call.name != echo.name || !is_same_json(call.arguments, echo.arguments)) return {};
  calls_.splice(calls_.begin(), calls_, known->second);
  return call.ids;
}

std::vector<int32_t> CallReplay::encode(const Tokenizer& tokenizer, const ChatPrompt& prompt, const ReplyFormat& format,
                                        const Json& messages, const Json* tools, EncodeOptions options) {
  std::vector<Echo> echoes;
  for (const Json& message : messages.is_array() ? messages : Json::array()) {
    if (!message.is_object() || !message.contains("tool_calls") || !message["tool_calls"].is_array()) continue;
    for (const Json& call : message["tool_calls"]) {
      if (!call.is_object()) continue;
      const Json& function = call.contains("function") && call["function"].is_object() ? call["function"] : call;
      std::string arguments = string_in(function, "arguments");
      if (arguments.empty() && function.contains("arguments")) {
        arguments = function["arguments"].dump(-1, ' ', false, Json::error_handler_t::replace);
      }
      echoes.push_back({string_in(call, "id"), string_in(function, "name"), std::move(arguments)});
    }
  }
  const std::string_view text = prompt.text, opener = call_opener(format.calls);
  std::vector<int32_t> ids;
  size_t done = 0;  // bytes of the text
  const auto encode_up_to = [&](size_t end) {
    const std::vector<ByteRange> literal = cut_out(prompt.literal, done, end);
    EncodeOptions part = options;
    part.literal = literal;
    part.add_special = options.add_special && done == 0;
    const std::vector<int32_t> more = tokenizer.encode(text.substr(done, end - done), part);
    ids.insert(ids.end(), more.begin(), more.end());
    done = end;
  };
  const ToolSchemas schemas = tools == nullptr ? ToolSchemas() : ToolSchemas(*tools);
  const Vocab& vocab = tokenizer.vocab();
  size_t next = 0;  // of echoes
  const bool may_splice = !opener.empty() && !vocab.add_space_prefix() && !vocab.add_eos();
  for (size_t at = may_splice ? text.find(opener) : text.npos; at != text.npos && next < echoes.size();
       at = text.find(opener, at)) {
    const std::unique_ptr<CallReader> reader = make_call_reader(format.calls, schemas);
    const size_t begin = at;
    at += opener.size();
    // What users and tools wrote is no call, whatever it says.
    const auto literal = std::ranges::upper_bound(prompt.literal, begin, {}, &ByteRange::end);
    if (literal != prompt.literal.end() && literal->begin < at) continue;
    if (reader->read(text.substr(begin), true) != CallReader::Status::kDone || reader->calls().size() != 1) continue;
    const ParsedCall& call = reader->calls()[0];
    if (call.name != echoes[next].name || !is_same_json(call.arguments, echoes[next].arguments)) continue;
    const std::vector<int32_t> written = find(echoes[next++]);
    const size_t end = begin + reader->size();
    if (!written.empty()) {
      encode_up_to(begin);
      ids.insert(ids.end(), written.begin(), written.end());
      done = end;
    }
    at = end;
  }
  encode_up_to(text.size());
  return ids;
}

}  // namespace glint
