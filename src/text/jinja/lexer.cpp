// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/lexer.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "text/jinja/characters.h"
#include "text/jinja/limits.h"
#include "text/jinja/string_literal.h"

namespace glint::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool is_digit_char(char c) {
  return c >= '0' && c <= '9';
}

/// \r\n and \r become \n; one newline at the end is dropped.
std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run();

 private:
  enum class Tag { kBlock, kVariable, kComment };

  void data_until(size_t tag_begin, Tag tag);
  void comment();
  bool raw_block();
  void expression(Tag tag);
  bool tag_end(Tag tag);
  void expression_token();
  void number();
  void name();
  void string();
  void operator_token();
  void balance(std::string_view op);

  bool at(std::string_view text) const { return source_.substr(offset_).starts_with(text); }
  void advance(size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(offset_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    offset_ = to;
  }
  void add(TokenKind kind, std::string text, int line) { tokens_.push_back({kind, std::move(text), line}); }
  void skip_spaces() { advance(offset_ + skip_space(source_.substr(offset_))); }
  void after_tag() { line_starting_ = offset_ > 0 && source_[offset_ - 1] == '\n'; }

  std::string_view source_;
  size_t offset_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // nothing but a tag's end stands before offset_ on this line
  std::vector<char> open_brackets_;
  std::vector<Token> tokens_;
};

/// First "{{", "{%" or "{#" at or after `from`.
size_t find_tag(std::string_view source, size_t from) {
  for (size_t brace = source.find('{', from); brace != kNone; brace = source.find('{', brace + 1)) {
    const char next = brace + 1 < source.size() ? source[brace + 1] : ' ';
    if (next == '{' || next == '%' || next == '#') return brace;
  }
  return kNone;
}

std::vector<Token> Lexer::run() {
  while (offset_ < source_.size()) {
    const size_t tag = find_tag(source_, offset_);
    if (tag == kNone) {
      add(TokenKind::kData, std::string(source_.substr(offset_)), line_);
      advance(source_.size());
      break;
    }
    const char mark = source_[tag + 1];
    const Tag kind = mark == '{' ? Tag::kVariable : mark == '%' ? Tag::kBlock : Tag::kComment;
    data_until(tag, kind);
    if (kind == Tag::kComment) {
      comment();
    } else if (kind == Tag::kVariable || !raw_block()) {
      expression(kind);
    }
  }
  add(TokenKind::kEnd, "", line_);
  return std::move(tokens_);
}

/// Emits the text before a tag, stripped as the tag's sign and lstrip_blocks want it, and moves to the tag.
void Lexer::data_until(size_t tag_begin, Tag tag) {
  std::string_view text = source_.substr(offset_, tag_begin - offset_);
  const char sign = tag_begin + 2 < source_.size() ? source_[tag_begin + 2] : ' ';
  if (sign == '-') {
    text = text.substr(0, trim_end(text));
  } else if (sign != '+' && tag != Tag::kVariable) {
    const size_t newline = text.rfind('\n');
    const size_t line_begin = newline == kNone ? 0 : newline + 1;
    const bool starts_line = newline != kNone || line_starting_;
    if (starts_line && skip_space(text.substr(line_begin)) == text.size() - line_begin)
      text = text.substr(0, line_begin);
  }
  if (!text.empty()) add(TokenKind::kData, std::string(text), line_);
  advance(tag_begin);
}

/// Moves behind "#}", with its sign and the newline that trim_blocks takes.
void Lexer::comment() {
  const int line = line_;
  size_t begin = offset_ + 2;
  if (begin < source_.size() && (source_[begin] == '-' || source_[begin] == '+')) ++begin;
  if (begin >= source_.size()) return advance(source_.size());  // as Jinja: nothing is missing where nothing follows
  const size_t close = source_.find("#}", begin);
  if (close == kNone) fail("line {}: missing end of comment tag", line);
  const char sign = close > begin ? source_[close - 1] : ' ';
  advance(close + 2);
  if (sign == '-') {
    skip_spaces();
  } else if (sign != '+' && at("\n")) {
    advance(offset_ + 1);
  }
  after_tag();
}

/// Offset behind `text` (white space around the word allowed) if it stands at `from`, else npos.
size_t match_word(std::string_view source, size_t from, std::string_view word) {
  size_t offset = from + skip_space(source.substr(from));
  if (!source.substr(offset).starts_with(word)) return kNone;
  offset += word.size();
  return offset + skip_space(source.substr(offset));
}

size_t skip_sign(std::string_view source, size_t offset) {
  return offset < source.size() && (source[offset] == '-' || source[offset] == '+') ? offset + 1 : offset;
}

/// If {% raw %} stands here: emits everything up to {% endraw %} as data and moves behind that.
bool Lexer::raw_block() {
  const size_t word_end = match_word(source_, skip_sign(source_, offset_ + 2), "raw");
  if (word_end == kNone) return false;
  const bool trims = source_.substr(word_end).starts_with("-%}");
  if (!trims && !source_.substr(word_end).starts_with("%}")) return false;
  const int line = line_;
  advance(word_end + (trims ? 3 : 2));
  if (trims) skip_spaces();
  after_tag();
  if (offset_ == source_.size()) return true;  // as for comments
  for (size_t tag = source_.find("{%", offset_); tag != kNone; tag = source_.find("{%", tag + 1)) {
    const size_t end = match_word(source_, skip_sign(source_, tag + 2), "endraw");
    if (end == kNone) continue;
    const size_t close = skip_sign(source_, end);
    if (!source_.substr(close).starts_with("%}")) continue;
    data_until(tag, Tag::kBlock);
    const char sign = close > end ? source_[end] : ' ';
    advance(close + 2);
    if (sign == '-') {
      skip_spaces();
    } else if (sign != '+' && at("\n")) {
      advance(offset_ + 1);
    }
    after_tag();
    return true;
  }
  fail("line {}: missing end of raw directive", line);
}

void Lexer::expression(Tag tag) {
  add(tag == Tag::kBlock ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, "", line_);
  advance(skip_sign(source_, offset_ + 2));
  open_brackets_.clear();
  while (offset_ < source_.size()) {
    if (open_brackets_.empty() && tag_end(tag)) return;
    const size_t spaces = skip_space(source_.substr(offset_));
    if (spaces > 0) {
      advance(offset_ + spaces);
    } else {
      expression_token();
    }
  }
}

/// At the end of the tag: emits it and moves behind, with the white space its sign or trim_blocks takes.
bool Lexer::tag_end(Tag tag) {
  const std::string_view close = tag == Tag::kBlock ? "%}" : "}}";
  const bool minus = at("-") && source_.substr(offset_ + 1).starts_with(close);
  const bool plus = tag == Tag::kBlock && at("+") && source_.substr(offset_ + 1).starts_with(close);
  if (!minus && !plus && !at(close)) return false;
  add(tag == Tag::kBlock ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, "", line_);
  advance(offset_ + close.size() + (minus || plus ? 1 : 0));
  if (minus) {
    skip_spaces();
  } else if (tag == Tag::kBlock && !plus && at("\n")) {
    advance(offset_ + 1);
  }
  after_tag();
  return true;
}

void Lexer::expression_token() {
  const char c = source_[offset_];
  if (is_digit_char(c)) return number();
  if (c == '\'' || c == '"') return string();
  size_t next = offset_;
  const char32_t point = next_point(source_, next);
  if (point == '_' || is_alphanumeric(point)) return name();
  operator_token();
}

/// Offset behind digits (of `base`, single underscores between them allowed) that begin at `from`.
size_t skip_digits(std::string_view source, size_t from, int base) {
  const auto is_of_base = [base](char c) {
    return base == 16 ? std::string_view("0123456789abcdefABCDEF").find(c) != kNone : c >= '0' && c < '0' + base;
  };
  size_t offset = from;
  while (offset < source.size()) {
    const size_t digit = source[offset] == '_' && offset > from ? offset + 1 : offset;
    if (digit >= source.size() || !is_of_base(source[digit])) break;
    offset = digit + 1;
  }
  return offset;
}

/// Offset behind a float literal at `from`; `from` if there is none.
size_t float_end(std::string_view source, size_t from) {
  const size_t whole = skip_digits(source, from, 10);
  size_t end = whole;
  if (end + 1 < source.size() && source[end] == '.' && is_digit_char(source[end + 1]))
    end = skip_digits(source, end + 1, 10);
  const bool fraction = end > whole;
  if (end < source.size() && (source[end] == 'e' || source[end] == 'E')) {
    const size_t digits = skip_sign(source, end + 1);
    if (digits < source.size() && is_digit_char(source[digits])) return skip_digits(source, digits, 10);
  }
  return fraction ? end : from;
}

/// The end of an integer literal at `from` and its base.
std::pair<size_t, int> integer_end(std::string_view source, size_t from) {
  if (source[from] != '0') return {skip_digits(source, from, 10), 10};
  const char mark = from + 1 < source.size() ? static_cast<char>(source[from + 1] | 0x20) : ' ';
  const int base = mark == 'b' ? 2 : mark == 'o' ? 8 : mark == 'x' ? 16 : 0;
  if (base != 0) {
    size_t digits = from + 2;
    if (digits < source.size() && source[digits] == '_') ++digits;
    const size_t end = skip_digits(source, digits, base);
    if (end > digits) return {end, base};
  }
  return {skip_digits(source, from, 1), 10};  // a run of zeros
}

void Lexer::number() {
  const bool after_dot = offset_ > 0 && source_[offset_ - 1] == '.';
  const size_t as_float = after_dot ? offset_ : float_end(source_, offset_);
  const auto [as_integer, base] = integer_end(source_, offset_);
  const size_t end = as_float > offset_ ? as_float : as_integer;
  std::string digits(source_.substr(offset_, end - offset_));
  std::erase(digits, '_');
  if (as_float > offset_) {
    add(TokenKind::kFloat, digits, line_);
  } else {
    int64_t value = 0;
    const char* first = digits.data() + (base == 10 ? 0 : 2);
    const auto [stop, error] = std::from_chars(first, digits.data() + digits.size(), value, base);
    if (error != std::errc()) fail("line {}: the integer {} does not fit 64 bits", line_, digits);
    add(TokenKind::kInteger, fmt::format("{}", value), line_);
  }
  advance(end);
}

void Lexer::name() {
  size_t end = offset_;
  bool valid = true;
  while (end < source_.size()) {
    size_t next = end;
    const char32_t point = next_point(source_, next);
    if (point != '_' && !is_alphanumeric(point)) break;
    valid = valid && (end == offset_ ? is_name_start(point) : is_name_part(point));
    end = next;
  }
  if (!valid) fail("line {}: invalid character in identifier", line_);
  add(TokenKind::kName, std::string(source_.substr(offset_, end - offset_)), line_);
  advance(end);
}

void Lexer::string() {
  const char quote = source_[offset_];
  size_t end = offset_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) fail("line {}: unexpected char {} (string without an end)", line_, quote);
  add(TokenKind::kString, unescape_string(source_.substr(offset_ + 1, end - offset_ - 1), line_), line_);
  advance(end + 1);
}

void Lexer::operator_token() {
  constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                             "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
  for (std::string_view op : kOperators) {
    if (!at(op)) continue;
    balance(op);
    add(TokenKind::kOperator, std::string(op), line_);
    advance(offset_ + op.size());
    return;
  }
  size_t next = offset_;
  next_point(source_, next);
  fail("line {}: unexpected char '{}'", line_, source_.substr(offset_, next - offset_));
}

/// Tracks brackets: inside them "}}" and "%}" do not end the tag.
void Lexer::balance(std::string_view op) {
  constexpr std::string_view kOpening = "([{";
  constexpr std::string_view kClosing = ")]}";
  if (op.size() != 1) return;
  if (const size_t i = kOpening.find(op[0]); i != kNone) open_brackets_.push_back(kClosing[i]);
  if (kClosing.find(op[0]) == kNone) return;
  if (open_brackets_.empty()) fail("line {}: unexpected '{}'", line_, op);
  if (open_brackets_.back() != op[0]) {
    fail("line {}: unexpected '{}', expected '{}'", line_, op, open_brackets_.back());
  }
  open_brackets_.pop_back();
}

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  if (source.size() > kMaxTemplateBytes) {
    fail("the template has {} bytes, at most {} are accepted", source.size(), kMaxTemplateBytes);
  }
  if (const auto offset = find_invalid_utf8(source)) fail("the template is not valid UTF-8 at byte {}", *offset);
  const std::string normalized = normalize_newlines(source);
  return Lexer(normalized).run();
}

}  // namespace glint::jinja
