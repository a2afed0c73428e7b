// SPDX-License-Identifier: Apache-2.0
//
// Replies as running text in which markers open and close thinking and calls (declared in reply_reader.h).
//
// Blanks beside a call are not content, nor are line breaks after thinking. A call within thinking ends it, as in other
// servers; the same call repeated word for word after it is one call. Where a call breaks, its opener is text and
// reading goes on right behind it, a limited number of times, so that hostile text costs linear time.
#include <algorithm>
#include <optional>

#include "text/call_reader.h"
#include "text/reply_reader.h"

namespace glint {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr int kMaxBroken = 64;  // then no more calls are looked for

class MarkedReader : public ReplyReader {
 public:
  MarkedReader(const ReplyFormat& format, ToolSchemas tools, bool inside_thinking)
      : tags_(format.thinking),
        thinking_anywhere_(format.thinking_anywhere),
        syntax_(tools.empty() ? CallSyntax::kNone : format.calls),
        tools_(std::move(tools)),
        inside_(inside_thinking) {}

  ReplyPart read(std::string_view piece, bool is_end) override {
    ReplyPart out;
    held_ += piece;
    size_t at = 0;  // bytes of held_ that are done with
    while (call_ ? read_call(at, is_end, out) : read_text(at, is_end, out)) {
    }
    held_.erase(0, at);
    n_gone_ += at;
    if (is_end && !after_call_) out.content += blanks_;
    return out;
  }

 private:
  enum class Role { kOpen, kClose, kCall, kDropped };
  struct Marker {
    Role role;
    std::string_view text;
  };

  // Each advances `at`; false: the rest has to wait.
  bool read_call(size_t& at, bool is_end, ReplyPart& out);
  bool read_text(size_t& at, bool is_end, ReplyPart& out);
  void follow(const Marker& marker, size_t& at);
  bool begins_bare_call(size_t& at, ReplyPart& out);
  void hand_out(std::vector<ParsedCall>& calls, ReplyPart& out);
  std::vector<Marker> markers() const;
  /// What may stand before text without being content: Llama writes a semicolon between calls.
  const char* separators() const { return after_call_ && syntax_ == CallSyntax::kLlama ? " \t\r\n;" : " \t\r\n"; }
  void take(std::string_view text, ReplyPart& out);

  ThinkingTags tags_;
  bool thinking_anywhere_;
  CallSyntax syntax_;
  ToolSchemas tools_;

  bool inside_;               // thinking
  bool at_start_ = true;      // no content yet, or none since a call
  bool at_reply_start_ = true;
  bool trim_breaks_ = false;  // right after thinking
  bool after_call_ = false;   // nothing but blanks since a call
  std::string blanks_;        // content, unless a call follows
  size_t n_gone_ = 0;         // bytes of the reply before held_
  std::string held_;          // what is not certain: the beginning of a marker, or a call
  std::unique_ptr<CallReader> call_;
  int n_broken_ = 0;
  std::vector<ParsedCall> thought_;  // calls made within thinking
};

std::vector<MarkedReader::Marker> MarkedReader::markers() const {
  std::vector<Marker> markers;
  if (thinking_anywhere_ || at_reply_start_ || inside_) markers.push_back({Role::kOpen, tags_.open});
  if (thinking_anywhere_ || inside_) markers.push_back({Role::kClose, tags_.close});
  if (syntax_ != CallSyntax::kNone && n_broken_ < kMaxBroken) markers.push_back({Role::kCall, call_opener(syntax_)});
  if (syntax_ == CallSyntax::kDeepSeek) {
    markers.push_back({Role::kDropped, "<｜tool▁calls▁begin｜>"});
    markers.push_back({Role::kDropped, "<｜tool▁calls▁end｜>"});
  }
  return markers;
}

bool MarkedReader::read_call(size_t& at, bool is_end, ReplyPart& out) {
  const std::string_view text = std::string_view(held_).substr(at);
  CallReader::Status status = call_->read(text, is_end);
  // In its thoughts a model may spell out the syntax; only what names a tool is meant.
  const auto is_unknown = [&](const ParsedCall& call) { return !tools_.has(call.name); };
  if (status == CallReader::Status::kDone && inside_ && std::ranges::any_of(call_->calls(), is_unknown)) {
    status = CallReader::Status::kBroken;
  }
  switch (status) {
    case CallReader::Status::kMore: return false;
    case CallReader::Status::kDone:
      for (ParsedCall& call : call_->calls()) {
        call.begin = n_gone_ + at;
        call.end = call.begin + call_->size();
      }
      hand_out(call_->calls(), out);
      at += call_->size();
      break;
    case CallReader::Status::kBroken: {
      ++n_broken_;
      const std::string_view opener = call_opener(syntax_);
      const size_t n = text.starts_with(opener) ? opener.size() : 1;  // a bare call has its brace only
      take(text.substr(0, n), out);
      at += n;
      break;
    }
  }
  call_.reset();
  return true;
}

void MarkedReader::hand_out(std::vector<ParsedCall>& calls, ReplyPart& out) {
  for (ParsedCall& call : calls) {
    const auto same = [&](const ParsedCall& other) { return other.name == call.name && other.arguments == call.arguments; };
    if (inside_) {
      thought_.push_back(call);
    } else if (const auto before = std::find_if(thought_.begin(), thought_.end(), same); before != thought_.end()) {
      thought_.erase(before);
      continue;
    }
    out.calls.push_back(std::move(call));
  }
  inside_ = false;
  at_start_ = after_call_ = true;
  at_reply_start_ = trim_breaks_ = false;
  blanks_.clear();
}

/// A reply, or what follows a call, that begins with a brace.
bool MarkedReader::begins_bare_call(size_t& at, ReplyPart& out) {
  if (syntax_ != CallSyntax::kLlama || inside_ || !at_start_ || n_broken_ >= kMaxBroken) return false;
  const std::string_view text = std::string_view(held_).substr(at);
  const size_t begin = text.find_first_not_of(separators());
  if (begin == std::string_view::npos || text[begin] != '{') return false;
  if (!after_call_) take(text.substr(0, begin), out);
  at += begin;
  call_ = make_bare_call_reader(tools_);
  return true;
}

bool MarkedReader::read_text(size_t& at, bool is_end, ReplyPart& out) {
  if (begins_bare_call(at, out)) return true;
  const std::string_view rest = std::string_view(held_).substr(at);
  const std::vector<Marker> known = markers();
  std::optional<Marker> first;
  size_t place = std::string_view::npos;
  for (const Marker& marker : known) {
    const size_t found = rest.find(marker.text);
    if (found >= place) continue;
    place = found;
    first = marker;
  }
  if (first) {
    const bool was_start = at_reply_start_;
    take(rest.substr(0, place), out);
    at += place;
    // Behind text an opening tag may be nothing but text.
    if (was_start == at_reply_start_) follow(*first, at);
    return true;
  }
  size_t keep = 0;
  if (!is_end) {
    for (const Marker& marker : known) keep = std::max(keep, partial_marker(rest, marker.text));
  }
  take(rest.substr(0, rest.size() - keep), out);
  at = held_.size() - keep;
  return false;
}

void MarkedReader::follow(const Marker& marker, size_t& at) {
  switch (marker.role) {
    case Role::kOpen:
      inside_ = true;
      if (at_start_) blanks_.clear();
      at_reply_start_ = false;
      break;
    case Role::kClose:
      if (inside_) trim_breaks_ = true;
      inside_ = at_reply_start_ = false;
      break;
    case Role::kCall: call_ = make_call_reader(syntax_, tools_); return;
    case Role::kDropped: break;
  }
  at += marker.text.size();
}

void MarkedReader::take(std::string_view text, ReplyPart& out) {
  if (text.empty()) return;
  if (inside_) {
    out.reasoning += text;
    return;
  }
  if (trim_breaks_) {
    text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
    if (text.empty()) return;
    trim_breaks_ = false;
  }
  if (after_call_) text.remove_prefix(std::min(text.find_first_not_of(separators()), text.size()));
  const size_t n = text.find_last_not_of(kBlanks) + 1;
  if (n == 0) {
    blanks_ += text;
    return;
  }
  out.content += blanks_;
  out.content += text.substr(0, n);
  blanks_ = text.substr(n);
  at_start_ = at_reply_start_ = after_call_ = false;
}

}  // namespace

size_t partial_marker(std::string_view text, std::string_view marker) {
  for (size_t n = std::min(text.size(), marker.size() - 1); n > 0; --n) {
    if (text.ends_with(marker.substr(0, n))) return n;
  }
  return 0;
}

std::unique_ptr<ReplyReader> make_marked_reader(const ReplyFormat& format, ToolSchemas tools, bool inside_thinking) {
  return std::make_unique<MarkedReader>(format, std::move(tools), inside_thinking);
}

}  // namespace glint
