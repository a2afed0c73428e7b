// SPDX-License-Identifier: Apache-2.0
#include "grammar/gbnf.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "grammar/builder.h"

namespace glint::grammar {
namespace {

using Expr = Builder::Expr;

constexpr int kMaxNesting = 200;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfParser {
 public:
  GbnfParser(Builder& builder, std::string_view text) : text_(text), builder_(builder) {}

  int32_t parse() {
    if (!utf8::is_valid(text_)) fail("grammar: not valid UTF-8");
    skip_space(true);
    while (!at_end()) {
      rule();
      skip_space(true);
    }
    for (const auto& [name, rule] : rules_) {
      if (!builder_.is_defined(rule.id)) error_at(rule.first_use, "rule \"{}\" is not defined", name);
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) fail("grammar: no rule \"root\"; name the rule that a text starts with so");
    return root->second.id;
  }

 private:
  struct RuleName {
    int32_t id = 0;
    size_t first_use = 0;
  };

  template <class... Args>
  [[noreturn]] void error_at(size_t at, fmt::format_string<Args...> format, Args&&... args) const {
    size_t line = 1, column = 1;
    for (const char c : text_.substr(0, at)) c == '\n' ? (++line, column = 1) : ++column;
    fail("grammar line {}, column {}: {}", line, column, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  [[noreturn]] void error(fmt::format_string<Args...> format, Args&&... args) const {
    error_at(at_, format, std::forward<Args>(args)...);
  }

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::string shown() const {
    return at_end() ? "the end" : fmt::format("\"{}\"", printable(text_.substr(at_, utf8::decode(text_, at_).size)));
  }

  void skip_space(bool over_lines) {
    while (!at_end()) {
      if (peek() == '#') {
        while (!at_end() && peek() != '\n' && peek() != '\r') ++at_;
      } else if (peek() == ' ' || peek() == '\t' || (over_lines && (peek() == '\n' || peek() == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view name() {
    const size_t start = at_;
    while (is_name_character(peek())) ++at_;
    if (at_ == start) error("expected a rule's name, found {}", shown());
    return text_.substr(start, at_ - start);
  }

  int32_t rule_named(std::string_view name, size_t at) {
    const auto place = rules_.find(name);
    if (place != rules_.end()) return place->second.id;
    const int32_t id = builder_.declare(std::string(name));
    rules_.emplace(name, RuleName{id, at});
    return id;
  }

  void rule() {
    const size_t start = at_;
    const std::string_view rule_name = name();
    const int32_t id = rule_named(rule_name, start);
    if (builder_.is_defined(id)) error_at(start, "rule \"{}\" is defined twice", printable(rule_name));
    skip_space(false);
    if (!take("::=")) error("expected \"::=\" after \"{}\", found {}", printable(rule_name), shown());
    skip_space(true);
    builder_.define(id, alternatives(0));
    if (!at_end() && peek() != '\n' && peek() != '\r') error("expected the end of the rule, found {}", shown());
  }

  /// Within parentheses, or after "|" and "::=", lines may break.
  Expr alternatives(int nesting) {
    if (nesting > kMaxNesting) error("parentheses nested more than {} deep", kMaxNesting);
    std::vector<Expr> choices;
    do {
      skip_space(true);
      choices.push_back(sequence(nesting));
    } while (take("|"));
    return choices.size() == 1 ? choices[0] : builder_.alternatives(std::move(choices));
  }

  Expr sequence(int nesting) {
    std::vector<Expr> parts;
    for (;;) {
      skip_space(nesting > 0);
      std::optional<Expr> part = symbol(nesting);
      if (!part) break;
      if (const auto bounds = repetition(nesting)) {
        part = builder_.repeat(*part, bounds->first, bounds->second);
        const size_t second = at_;
        if (repetition(nesting)) error_at(second, "a repetition of a repetition; put the first into parentheses");
      }
      parts.push_back(*part);
    }
    return parts.size() == 1 ? parts[0] : builder_.sequence(std::move(parts));
  }

  std::optional<Expr> symbol(int nesting) {
    const char c = peek();
    if (c == '"') return literal();
    if (c == '[') return builder_.chars(character_class());
    if (c == '.') {
      ++at_;
      return builder_.chars(CharSet::all());
    }
    if (c == '(') {
      const size_t open = at_++;
      const Expr inner = alternatives(nesting + 1);
      if (!take(")")) error_at(open, "\"(\" without \")\"");
      return inner;
    }
    if (is_name_character(c) && !at_end()) {
      const size_t start = at_;
      const std::string_view called = name();
      return builder_.call(rule_named(called, start));
    }
    if (c == '<' || (c == '!' && text_.substr(at_).starts_with("!<"))) {
      error("tokens in grammars (\"<...>\") are not supported; write the token's text as a literal");
    }
    if (c == '*' || c == '+' || c == '?' || c == '{') error("a repetition with nothing before it");
    return std::nullopt;
  }

  Expr literal() {
    const size_t open = at_++;
    std::string bytes;
    while (peek() != '"' || at_end()) {
      if (at_end()) error_at(open, "a string without closing quotes");
      utf8::append(bytes, character());
    }
    ++at_;
    return builder_.bytes(bytes);
  }

  CharSet character_class() {
    const size_t open = at_++;
    const bool negated = take("^");
    std::vector<CharRange> ranges;
    while (!take("]")) {
      if (at_end()) error_at(open, "a character class without \"]\"");
      const char32_t low = character();
      char32_t high = low;
      if (peek() == '-' && !text_.substr(at_).starts_with("-]")) {
        ++at_;
        if (at_end()) error_at(open, "a character class without \"]\"");
        const size_t start = at_;
        high = character();
        if (high < low) error_at(start, "a range that runs backwards");
      }
      ranges.push_back({low, high});
    }
    const CharSet set(std::move(ranges));
    return negated ? ~set : set;
  }

  char32_t character() {
    const size_t start = at_;
    if (!take("\\")) {
      const utf8::Decoded next = utf8::decode(text_, at_);
      at_ += next.size;
      return next.code_point;
    }
    const char c = peek();
    ++at_;
    switch (c) {
      case 'x':
        return hex(2);
      case 'u':
        return hex(4);
      case 'U':
        return hex(8);
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<char32_t>(c);
      default:
        error_at(start, "an unknown escape; known are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH \\UHHHHHHHH");
    }
  }

  char32_t hex(int n_digits) {
    const size_t start = at_;
    uint64_t value = 0;
    for (int i = 0; i < n_digits; ++i) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) error("expected {} hexadecimal digits", n_digits);
      value = value * 16 + static_cast<uint64_t>(digit);
      ++at_;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) error_at(start, "an escape that is no character");
    return static_cast<char32_t>(value);
  }

  std::optional<std::pair<uint32_t, uint32_t>> repetition(int nesting) {
    const size_t before = at_;
    skip_space(nesting > 0);
    if (take("*")) return std::pair{0u, kUnbounded};
    if (take("+")) return std::pair{1u, kUnbounded};
    if (take("?")) return std::pair{0u, 1u};
    const size_t open = at_;
    if (!take("{")) {
      at_ = before;
      return std::nullopt;
    }
    skip_space(nesting > 0);
    const uint32_t min = number();
    uint32_t max = min;
    skip_space(nesting > 0);
    if (take(",")) {
      skip_space(nesting > 0);
      max = peek() == '}' ? kUnbounded : number();
      skip_space(nesting > 0);
    }
    if (!take("}")) error("expected \"}}\", found {}", shown());
    if (min > max) error_at(open, "a repetition whose minimum {} is above its maximum {}", min, max);
    return std::pair{min, max};
  }

  uint32_t number() {
    const size_t start = at_;
    uint64_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<uint64_t>(peek() - '0');
      if (value > 1'000'000'000) error_at(start, "a repetition count above 1,000,000,000");
      ++at_;
    }
    if (at_ == start) error("expected a number, found {}", shown());
    return static_cast<uint32_t>(value);
  }

  const std::string_view text_;
  size_t at_ = 0;
  Builder& builder_;
  std::map<std::string, RuleName, std::less<>> rules_;
};

}  // namespace

Grammar compile_gbnf(std::string_view text, const GrammarLimits& limits) {
  Builder builder(limits);
  return builder.finish(GbnfParser(builder, text).parse());
}

Builder::Expr add_gbnf(Builder& builder, std::string_view text) {
  return builder.call(GbnfParser(builder, text).parse());
}

}  // namespace glint::grammar
