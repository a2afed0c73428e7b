// SPDX-License-Identifier: Apache-2.0
//
// Calls that are JSON, framed in the ways of Hermes and Qwen, Llama 3, Mistral and DeepSeek.
#include <algorithm>
#include <array>

#include "text/call_reader.h"
#include "text/json_extent.h"

namespace glint {
namespace {

/// A JSON object or array within a call, read as it arrives.
class JsonPart {
 public:
  /// `text` from where the value begins, always the same place.
  CallReader::Status read(std::string_view text, bool is_end) {
    switch (extent_.read(text)) {
      case JsonExtent::Status::kDone: return CallReader::Status::kDone;
      case JsonExtent::Status::kBroken: return CallReader::Status::kBroken;
      case JsonExtent::Status::kMore: break;
    }
    return is_end ? CallReader::Status::kBroken : CallReader::Status::kMore;
  }
  size_t size() const { return extent_.size(); }

 private:
  JsonExtent extent_;
};

/// Position of the first byte that is no blank; npos if none has arrived.
size_t first_mark(std::string_view text, size_t at) {
  return text.find_first_not_of(" \t\r\n", at);
}

/// An opener, a JSON object that says everything, and perhaps a closing tag.
class ObjectReader : public CallReader {
 public:
  ObjectReader(std::string_view opener, std::string_view close) : close_(close) { at_ = opener.size(); }

  Status read(std::string_view text, bool is_end) override {
    if (calls_.empty()) {
      const size_t begin = first_mark(text, at_);
      if (begin == std::string_view::npos) return more_unless(is_end);
      const std::string_view value = text.substr(begin);
      if (value[0] != '{' || is_hopeless(value)) return Status::kBroken;
      const Status status = json_.read(value, is_end);
      if (status != Status::kDone) return status;
      ParsedCall call;
      if (!parse_json_call(value.substr(0, json_.size()), call) || !is_wanted(call)) return Status::kBroken;
      calls_.push_back(std::move(call));
      at_ = begin + json_.size();
    }
    // A forgotten closing tag is forgiven.
    return !close_.empty() && take(text, close_, is_end) == Match::kOpen ? Status::kMore : Status::kDone;
  }

 protected:
  virtual bool is_wanted(const ParsedCall&) const { return true; }
  /// Certain to be no call, whatever follows.
  virtual bool is_hopeless(std::string_view) { return false; }

 private:
  std::string_view close_;
  JsonPart json_;
};

/// A reply that begins with a brace may as well be the JSON that the user asked for.
class BareReader : public ObjectReader {
 public:
  explicit BareReader(const ToolSchemas& tools) : ObjectReader("", ""), tools_(tools) {}

 protected:
  bool is_wanted(const ParsedCall& call) const override { return tools_.has(call.name); }
  /// By its first key, so that other JSON need not wait for its end.
  bool is_hopeless(std::string_view text) override {
    const size_t quote = first_mark(text, 1);
    if (quote == std::string_view::npos) return false;
    if (text[quote] != '"') return true;
    const std::string_view key = text.substr(quote);
    return std::none_of(kKeys.begin(), kKeys.end(),
                        [&](std::string_view known) { return key.starts_with(known) || known.starts_with(key); });
  }

 private:
  static constexpr std::array<std::string_view, 6> kKeys = {"\"name\"",      "\"type\"",       "\"function\"",
                                                            "\"arguments\"", "\"parameters\"", "\"id\""};
  const ToolSchemas& tools_;
};

/// [TOOL_CALLS] and a list of objects, or a name, perhaps an id, and the arguments alone.
class MistralReader : public CallReader {
 public:
  Status read(std::string_view text, bool is_end) override {
    if (at_ == 0) at_ = call_opener(CallSyntax::kMistral).size();
    const size_t begin = first_mark(text, at_);
    if (begin == std::string_view::npos) return more_unless(is_end);
    return text[begin] == '[' ? read_list(text, begin, is_end) : read_named(text, is_end);
  }

 private:
  Status read_list(std::string_view text, size_t begin, bool is_end) {
    const Status status = json_.read(text.substr(begin), is_end);
    if (status != Status::kDone) return status;
    const auto items = json_items(text.substr(begin, json_.size()));
    if (!items || items->empty()) return Status::kBroken;
    for (std::string_view item : *items) {
      if (!parse_json_call(item, calls_.emplace_back())) return Status::kBroken;
    }
    at_ = begin + json_.size();
    return Status::kDone;
  }

  Status read_named(std::string_view text, bool is_end) {
    const size_t brace = find(text, "{");
    if (brace == std::string_view::npos) {
      return text.size() - at_ > kMaxHeadBytes ? Status::kBroken : more_unless(is_end);
    }
    if (!read_head(text.substr(at_, brace - at_))) return Status::kBroken;
    const Status status = json_.read(text.substr(brace), is_end);
    if (status != Status::kDone) return status;
    call_.arguments = text.substr(brace, json_.size());
    if (!is_json(call_.arguments)) return Status::kBroken;
    calls_.push_back(std::move(call_));
    at_ = brace + json_.size();
    return Status::kDone;
  }

  /// name[CALL_ID]id[ARGS], the last two perhaps missing.
  bool read_head(std::string_view head) {
    constexpr std::string_view kArguments = "[ARGS]", kId = "[CALL_ID]";
    if (head.size() > kMaxHeadBytes) return false;
    head = trimmed(head);
    if (head.ends_with(kArguments)) head.remove_suffix(kArguments.size());
    const size_t id = head.find(kId);
    if (id != std::string_view::npos) {
      call_.id = trimmed(head.substr(id + kId.size()));
      head = head.substr(0, id);
    }
    call_.name = trimmed(head);
    return is_tool_name(call_.name);
  }

  static constexpr size_t kMaxHeadBytes = 1024;
  JsonPart json_;
  ParsedCall call_;
};

/// Opener, name, separator, arguments; older models put a type before the separator and name and a code fence behind.
class DeepSeekReader : public CallReader {
 public:
  Status read(std::string_view text, bool is_end) override {
    if (at_ == 0) at_ = call_opener(CallSyntax::kDeepSeek).size();
    if (calls_.empty()) {
      const Status status = read_call(text, is_end);
      if (status != Status::kDone) return status;
    }
    if (take(text, "```", is_end) == Match::kOpen) return Status::kMore;
    return take(text, "<｜tool▁call▁end｜>", is_end) == Match::kOpen ? Status::kMore : Status::kDone;
  }

 private:
  Status read_call(std::string_view text, bool is_end) {
    if (separator_ == std::string_view::npos) {
      separator_ = find(text, kSeparator);
      if (separator_ == std::string_view::npos) {
        return text.size() - at_ > kMaxHeadBytes ? Status::kBroken : more_unless(is_end);
      }
    }
    const size_t behind = separator_ + kSeparator.size();
    const size_t brace = text.find('{', behind);
    if (brace == std::string_view::npos) {
      return text.size() - behind > kMaxHeadBytes ? Status::kBroken : more_unless(is_end);
    }
    if (separator_ - at_ > kMaxHeadBytes || brace - behind > kMaxHeadBytes) return Status::kBroken;
    std::string_view name = trimmed(text.substr(behind, brace - behind));
    for (std::string_view fence : {"json", "```"}) {
      if (name.ends_with(fence) && name.find("```") != std::string_view::npos) name.remove_suffix(fence.size());
    }
    name = trimmed(name);
    if (name.empty()) name = trimmed(text.substr(at_, separator_ - at_));
    if (!is_tool_name(name)) return Status::kBroken;
    const Status status = json_.read(text.substr(brace), is_end);
    if (status != Status::kDone) return status;
    const std::string_view arguments = text.substr(brace, json_.size());
    if (!is_json(arguments)) return Status::kBroken;
    calls_.push_back({.id = {}, .name = std::string(name), .arguments = std::string(arguments)});
    at_ = brace + json_.size();
    return Status::kDone;
  }

  static constexpr std::string_view kSeparator = "<｜tool▁sep｜>";
  static constexpr size_t kMaxHeadBytes = 1024;
  size_t separator_ = std::string_view::npos;
  JsonPart json_;
};

}  // namespace

std::unique_ptr<CallReader> make_hermes_call_reader() {
  return std::make_unique<ObjectReader>(call_opener(CallSyntax::kHermes), "</tool_call>");
}

std::unique_ptr<CallReader> make_llama_call_reader() {
  return std::make_unique<ObjectReader>(call_opener(CallSyntax::kLlama), "");
}

std::unique_ptr<CallReader> make_bare_call_reader(const ToolSchemas& tools) {
  return std::make_unique<BareReader>(tools);
}

std::unique_ptr<CallReader> make_mistral_call_reader() {
  return std::make_unique<MistralReader>();
}

std::unique_ptr<CallReader> make_deepseek_call_reader() {
  return std::make_unique<DeepSeekReader>();
}

}  // namespace glint
