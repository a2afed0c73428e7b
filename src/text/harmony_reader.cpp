// SPDX-License-Identifier: Apache-2.0
//
// Replies of gpt-oss (declared in reply_reader.h): messages, each a header and a body,
//   <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json
//   <|message|>{...}<|call|>
// where the channel says whether the body is thinking, and a recipient that it is a call. The prompt ends before the
// first header. Text that has no header at all is content.
#include <algorithm>
#include <array>

#include "text/json_extent.h"
#include "text/reply_reader.h"

namespace glint {
namespace {

constexpr std::string_view kChannel = "<|channel|>", kMessage = "<|message|>", kStart = "<|start|>";
constexpr std::array<std::string_view, 7> kMarkers = {kStart,     kChannel,     kMessage,    "<|constrain|>",
                                                      "<|end|>", "<|call|>", "<|return|>"};

class HarmonyReader : public ReplyReader {
 public:
  explicit HarmonyReader(ToolSchemas tools) : tools_(std::move(tools)) {}

  ReplyPart read(std::string_view piece, bool is_end) override {
    ReplyPart out;
    held_ += piece;
    size_t at = 0;
    while (true) {
      const std::string_view rest = std::string_view(held_).substr(at);
      size_t place = std::string_view::npos;
      std::string_view first;
      for (std::string_view marker : kMarkers) {
        const size_t found = rest.find(marker);
        if (found >= place) continue;
        place = found;
        first = marker;
      }
      if (first.empty()) break;
      take(rest.substr(0, place), out);
      follow(first, out);
      at += place + first.size();
    }
    const std::string_view rest = std::string_view(held_).substr(at);
    size_t keep = 0;
    if (!is_end) {
      for (std::string_view marker : kMarkers) keep = std::max(keep, partial_marker(rest, marker));
    }
    take(rest.substr(0, rest.size() - keep), out);
    held_.erase(0, held_.size() - keep);
    if (is_end) finish(out);
    return out;
  }

 private:
  enum class State { kBefore, kHeader, kThinking, kContent, kCall };

  void take(std::string_view text, ReplyPart& out) {
    switch (state_) {
      case State::kBefore: {
        header_ += text;
        const std::string_view begun = trimmed(header_);
        constexpr std::string_view kRecipient = "to=";
        if (begun.empty() || begun.starts_with(kRecipient) || kRecipient.starts_with(begun)) break;
        state_ = State::kContent;
        out.content += std::exchange(header_, {});
        break;
      }
      case State::kHeader: header_ += text; break;
      case State::kThinking: out.reasoning += text; break;
      case State::kContent: out.content += text; break;
      case State::kCall: arguments_ += text; break;
    }
  }

  void follow(std::string_view marker, ReplyPart& out) {
    const bool in_header = state_ == State::kBefore || state_ == State::kHeader;
    if (in_header && marker == kMessage) {
      begin_body();
    } else if (in_header && (marker == kChannel || marker == "<|constrain|>")) {
      header_ += marker;
      state_ = State::kHeader;
    } else {  // a body ends, by its own marker or because the next message begins
      finish(out);
      header_ = marker == kChannel ? std::string(marker) : std::string();
      state_ = marker == kMessage ? State::kContent : State::kHeader;
    }
  }

  void begin_body() {
    const std::string_view header = header_;
    const auto word_after = [&](std::string_view mark) {
      const size_t found = header.find(mark);
      if (found == std::string_view::npos) return std::string_view();
      const std::string_view rest = trimmed(header.substr(found + mark.size()));
      return rest.substr(0, rest.find_first_of(" \t\r\n<"));
    };
    name_ = word_after("to=");
    constexpr std::string_view kPrefix = "functions.";
    if (name_.starts_with(kPrefix)) name_.erase(0, kPrefix.size());
    if (!tools_.empty() && is_tool_name(name_)) {
      state_ = State::kCall;
    } else {
      state_ = word_after(kChannel) == "analysis" ? State::kThinking : State::kContent;
    }
    header_.clear();
  }

  /// The end of a message.
  void finish(ReplyPart& out) {
    if (state_ == State::kBefore) out.content += header_;
    if (state_ == State::kCall) {
      const std::string_view arguments = trimmed(arguments_);
      if (json_members(arguments)) {
        out.calls.push_back({.id = {}, .name = name_, .arguments = std::string(arguments)});
      } else {
        out.content += arguments_;
      }
      arguments_.clear();
    }
    header_.clear();
  }

  ToolSchemas tools_;
  State state_ = State::kBefore;
  std::string header_, name_, arguments_;
  std::string held_;  // the beginning of a marker
};

}  // namespace

std::unique_ptr<ReplyReader> make_harmony_reader(ToolSchemas tools) {
  return std::make_unique<HarmonyReader>(std::move(tools));
}

}  // namespace glint
