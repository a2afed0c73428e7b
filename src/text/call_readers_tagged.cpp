// SPDX-License-Identifier: Apache-2.0
//
// Calls whose arguments stand between tags, one by one, strings without quotes: of GLM-4.5 to 4.7, and of Qwen3-Coder.
// A value is whatever stands before its closing tag: it is not XML, nothing in it is escaped. Only where a value is an object
// or array is a tag within one of its strings text like any other.
#include <algorithm>

#include "text/call_reader.h"
#include "text/json_extent.h"

namespace glint {
namespace {

constexpr std::string_view kClose = "</tool_call>";
constexpr size_t kMaxNameBytes = 1024;  // a name that has not ended by then is none

/// What both have in common: a name, then keys and values.
class TaggedReader : public CallReader {
 public:
  explicit TaggedReader(const ToolSchemas& tools) : tools_(tools) {}

 protected:
  /// A key that comes twice has its last value.
  void add(std::string_view raw) {
    json_ = {};
    std::string value = tools_.argument(name_, key_, raw);
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i] != key_) continue;
      values_[i] = std::move(value);
      return;
    }
    keys_.push_back(key_);
    values_.push_back(std::move(value));
  }

  /// Where the closing tag of the value at at_ begins; npos when too little has arrived to tell. A reply that ends within an
  /// object or array that can be no string has no end of it.
  size_t value_end(std::string_view text, std::string_view tag, bool is_end) {
    if (json_.state == Json::kMore) read_json(text, is_end);
    if (json_.state == Json::kMore) return std::string_view::npos;
    if (json_.state == Json::kDone) {
      const size_t behind = std::min(text.find_first_not_of(kBlanks, json_.end), text.size());
      const std::string_view rest = text.substr(behind);
      if (rest.starts_with(tag)) return behind;
      if (tag.starts_with(rest) && !is_end) return std::string_view::npos;
      json_.state = Json::kNone;
    }
    return find(text, tag);
  }

  Status done() {
    std::string arguments = "{";
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (i > 0) arguments += ", ";
      arguments += json_quoted(keys_[i]) + ": " + values_[i];
    }
    calls_.push_back({.id = {}, .name = name_, .arguments = arguments + "}"});
    return Status::kDone;
  }

  /// At the end of the text without a closing tag: good enough if nothing is missing that the tool needs.
  bool may_end_here() const { return !keys_.empty() && tools_.is_complete(name_, keys_); }

  const ToolSchemas& tools_;
  std::string name_, key_;

 private:
  static constexpr std::string_view kBlanks = " \t\r\n";

  /// The object or array that a value may be.
  struct Json {
    enum State { kMore, kDone, kNone } state = kMore;
    JsonExtent extent;
    size_t end = 0;  // in the text, once it is done
  };

  void read_json(std::string_view text, bool is_end) {
    const size_t begin = text.find_first_not_of(kBlanks, at_);
    if (begin == std::string_view::npos) {
      if (is_end) json_.state = Json::kNone;
      return;
    }
    const unsigned types = tools_.types_of(name_, key_);
    const bool may_be_json = (text[begin] == '{' || text[begin] == '[') && (types & (kJsonObject | kJsonArray)) != 0;
    const auto status = may_be_json ? json_.extent.read(text.substr(begin)) : JsonExtent::Status::kBroken;
    if (status == JsonExtent::Status::kDone) {
      json_.state = Json::kDone;
      json_.end = begin + json_.extent.size();
    } else if (status == JsonExtent::Status::kBroken || (is_end && (types & kJsonString) != 0)) {
      json_.state = Json::kNone;
    }
  }

  std::vector<std::string> keys_, values_;
  Json json_;
};

class GlmReader : public TaggedReader {
 public:
  using TaggedReader::TaggedReader;

  Status read(std::string_view text, bool is_end) override {
    while (true) {
      switch (state_) {
        case State::kOpener:
          at_ = call_opener(CallSyntax::kGlm).size();
          state_ = State::kName;
          break;
        case State::kName: {
          const size_t end = find(text, "<");
          if (end == std::string_view::npos) {
            return text.size() - at_ > kMaxNameBytes ? Status::kBroken : more_unless(is_end);
          }
          name_ = trimmed(text.substr(at_, end - at_));
          if (end - at_ > kMaxNameBytes || !is_tool_name(name_)) return Status::kBroken;
          at_ = end;
          state_ = State::kArgument;
          break;
        }
        case State::kArgument: {
          const Match key = take(text, "<arg_key>", is_end);
          if (key == Match::kYes) {
            state_ = State::kKey;
            break;
          }
          const Match close = take(text, kClose, is_end);
          if (close == Match::kYes) return done();
          if (key == Match::kOpen || close == Match::kOpen) return Status::kMore;
          if (is_end && may_end_here() && kClose.starts_with(trimmed(text.substr(at_)))) {
            at_ = text.size();
            return done();
          }
          return Status::kBroken;
        }
        case State::kKey: {
          const size_t end = find(text, "</arg_key>");
          if (end == std::string_view::npos) return more_unless(is_end);
          key_ = trimmed(text.substr(at_, end - at_));
          at_ = end + std::string_view("</arg_key>").size();
          state_ = State::kBetween;
          break;
        }
        case State::kBetween: {
          const Match value = take(text, "<arg_value>", is_end);
          if (value != Match::kYes) return value == Match::kOpen ? Status::kMore : Status::kBroken;
          state_ = State::kValue;
          break;
        }
        case State::kValue: {
          const size_t end = value_end(text, "</arg_value>", is_end);
          if (end == std::string_view::npos) return more_unless(is_end);
          add(text.substr(at_, end - at_));
          at_ = end + std::string_view("</arg_value>").size();
          state_ = State::kArgument;
          break;
        }
      }
    }
  }

 private:
  enum class State { kOpener, kName, kArgument, kKey, kBetween, kValue };
  State state_ = State::kOpener;
};

/// The line breaks that stand between a value and its tags are not the value's.
std::string_view without_line_breaks(std::string_view value) {
  if (value.starts_with("\r\n")) value.remove_prefix(2);
  else if (value.starts_with('\n')) value.remove_prefix(1);
  if (value.ends_with('\n')) value.remove_suffix(1);
  if (value.ends_with('\r')) value.remove_suffix(1);
  return value;
}

class FunctionReader : public TaggedReader {
 public:
  using TaggedReader::TaggedReader;

  Status read(std::string_view text, bool is_end) override {
    while (true) {
      switch (state_) {
        case State::kOpener:
          at_ = call_opener(CallSyntax::kFunction).size();
          state_ = State::kFunction;
          break;
        case State::kFunction: {
          const Match function = take(text, "<function=", is_end);
          if (function != Match::kYes) return function == Match::kOpen ? Status::kMore : Status::kBroken;
          state_ = State::kName;
          break;
        }
        case State::kName:
        case State::kKey: {
          const size_t end = find(text, ">");
          if (end == std::string_view::npos) {
            return text.size() - at_ > kMaxNameBytes ? Status::kBroken : more_unless(is_end);
          }
          const std::string_view word = trimmed(text.substr(at_, end - at_));
          if (end - at_ > kMaxNameBytes || word.empty()) return Status::kBroken;
          if (state_ == State::kName && !is_tool_name(word)) return Status::kBroken;
          (state_ == State::kName ? name_ : key_) = word;
          at_ = end + 1;
          state_ = state_ == State::kName ? State::kArgument : State::kValue;
          break;
        }
        case State::kArgument: {
          const Match key = take(text, "<parameter=", is_end);
          if (key == Match::kYes) {
            state_ = State::kKey;
            break;
          }
          const Match close = take(text, "</function>", is_end);
          if (close == Match::kYes) {
            state_ = State::kClose;
            break;
          }
          if (key == Match::kOpen || close == Match::kOpen) return Status::kMore;
          return is_end && trimmed(text.substr(at_)).empty() && may_end_here() ? done() : Status::kBroken;
        }
        case State::kValue: {
          const size_t end = value_end(text, "</parameter>", is_end);
          if (end == std::string_view::npos) return more_unless(is_end);
          add(without_line_breaks(text.substr(at_, end - at_)));
          at_ = end + std::string_view("</parameter>").size();
          state_ = State::kArgument;
          break;
        }
        case State::kClose:
          return take(text, kClose, is_end) == Match::kOpen ? Status::kMore : done();  // a forgotten tag is forgiven
      }
    }
  }

 private:
  enum class State { kOpener, kFunction, kName, kArgument, kKey, kValue, kClose };
  State state_ = State::kOpener;
};

}  // namespace

std::unique_ptr<CallReader> make_glm_call_reader(const ToolSchemas& tools) {
  return std::make_unique<GlmReader>(tools);
}

std::unique_ptr<CallReader> make_function_call_reader(const ToolSchemas& tools) {
  return std::make_unique<FunctionReader>(tools);
}

}  // namespace glint
