// SPDX-License-Identifier: Apache-2.0
#include "grammar/regex_syntax.h"

#include <optional>
#include <string>

#include "base/check.h"
#include "base/printable.h"
#include "base/utf8.h"

namespace glint::grammar {
namespace {

using Kind = RegexNode::Kind;

constexpr int kMaxNesting = 200;

const CharSet& digits() {
  static const CharSet set{{'0', '9'}};
  return set;
}

const CharSet& word_characters() {
  static const CharSet set{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  return set;
}

// ECMA-262's WhiteSpace and LineTerminator.
const CharSet& white_space() {
  static const CharSet set{{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                           {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  return set;
}

const CharSet& not_line_end() {
  static const CharSet set = ~CharSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
  return set;
}

RegexNode chars_node(CharSet set) {
  return {.kind = Kind::kChars, .chars = std::move(set)};
}

class Parser {
 public:
  explicit Parser(std::string_view pattern) : pattern_(pattern) {}

  RegexNode parse() {
    if (!utf8::is_valid(pattern_)) fail("regular expression: not valid UTF-8");
    RegexNode node = alternatives();
    if (!at_end()) error("unmatched \")\"");
    return node;
  }

 private:
  [[noreturn]] void error(std::string_view problem) const {
    fail("regular expression \"{}\": {} at byte {}", printable(pattern_), problem, at_);
  }

  bool at_end() const { return at_ >= pattern_.size(); }
  bool next_is(char c) const { return !at_end() && pattern_[at_] == c; }
  bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  char32_t take_code_point() {
    const utf8::Decoded next = utf8::decode(pattern_, at_);
    at_ += next.size;
    return next.code_point;
  }

  RegexNode alternatives() {
    if (++nesting_ > kMaxNesting) error("groups nested too deeply");
    RegexNode node{.kind = Kind::kAlternatives};
    do {
      node.children.push_back(sequence());
    } while (take("|"));
    --nesting_;
    if (node.children.size() > 1) return node;
    RegexNode only = std::move(node.children[0]);
    return only;
  }

  RegexNode sequence() {
    RegexNode node{.kind = Kind::kSequence};
    while (!at_end() && !next_is('|') && !next_is(')')) node.children.push_back(quantified());
    return node;
  }

  RegexNode quantified() {
    RegexNode node = atom();
    while (const std::optional<std::pair<uint32_t, uint32_t>> bounds = quantifier()) {
      if (node.kind == Kind::kStart || node.kind == Kind::kEnd) error("a quantifier after an anchor");
      if (node.kind == Kind::kRepeat && repeated_) error("a quantifier after a quantifier");
      repeated_ = true;
      RegexNode repeat{.kind = Kind::kRepeat, .minimum = bounds->first, .maximum = bounds->second};
      repeat.children.push_back(std::move(node));
      node = std::move(repeat);
    }
    repeated_ = false;
    return node;
  }

  std::optional<std::pair<uint32_t, uint32_t>> quantifier() {
    std::optional<std::pair<uint32_t, uint32_t>> bounds;
    if (take("*")) {
      bounds = {0, RegexNode::kUnbounded};
    } else if (take("+")) {
      bounds = {1, RegexNode::kUnbounded};
    } else if (take("?")) {
      bounds = {0, 1};
    } else {
      bounds = counted();
    }
    if (bounds) {
      take("?");  // lazy: the same language
      if (next_is('+')) error("possessive quantifiers are not supported");
    }
    return bounds;
  }

  /// "{3}", "{3,}", "{3,5}"; anything else that starts with a brace is text.
  std::optional<std::pair<uint32_t, uint32_t>> counted() {
    const size_t start = at_;
    if (!take("{")) return std::nullopt;
    const std::optional<uint32_t> minimum = number();
    std::optional<uint32_t> maximum = minimum;
    if (minimum && take(",")) maximum = next_is('}') ? RegexNode::kUnbounded : number();
    if (!minimum || !maximum || !take("}")) {
      at_ = start;
      return std::nullopt;
    }
    if (*minimum > *maximum) error("a repetition whose minimum is above its maximum");
    return std::pair{*minimum, *maximum};
  }

  std::optional<uint32_t> number() {
    const size_t start = at_;
    uint64_t value = 0;
    while (!at_end() && pattern_[at_] >= '0' && pattern_[at_] <= '9') {
      value = value * 10 + static_cast<uint64_t>(pattern_[at_++] - '0');
      if (value >= RegexNode::kUnbounded) error("a repetition count that is too large");
    }
    if (at_ == start) return std::nullopt;
    return static_cast<uint32_t>(value);
  }

  RegexNode atom() {
    if (take("(")) return group();
    if (take("[")) return chars_node(char_class());
    if (take("^")) return {.kind = Kind::kStart};
    if (take("$")) return {.kind = Kind::kEnd};
    if (take(".")) return chars_node(not_line_end());
    if (take("\\")) return chars_node(escape(false));
    const char c = pattern_[at_];
    if (c == '*' || c == '+' || c == '?') error("a quantifier with nothing before it");
    return chars_node(CharSet::one(take_code_point()));
  }

  RegexNode group() {
    if (take("?")) {
      if (next_is("=") || next_is("!") || next_is("<=") || next_is("<!")) error("look-around is not supported");
      if (take("<") || take("P<")) {
        const size_t close = pattern_.find('>', at_);
        if (close == std::string_view::npos) error("a group name without \">\"");
        at_ = close + 1;
      } else if (!take(":")) {
        error("this kind of group is not supported");
      }
    }
    RegexNode node = alternatives();
    if (!take(")")) error("a group without \")\"");
    if (node.kind == Kind::kRepeat) {  // so that (a*)* is not mistaken for a**
      RegexNode wrapped{.kind = Kind::kSequence};
      wrapped.children.push_back(std::move(node));
      return wrapped;
    }
    return node;
  }

  CharSet char_class() {
    const bool negated = take("^");
    std::vector<CharRange> ranges;
    while (!take("]")) {
      if (at_end()) error("a character class without \"]\"");
      const CharSet low = class_member();
      CharSet added = low;
      if (next_is('-') && !next_is("-]")) {
        ++at_;
        if (at_end()) error("a character class without \"]\"");
        const CharSet high = class_member();
        if (!is_single(low) || !is_single(high)) error("a range between sets of characters");
        const char32_t first = low.ranges()[0].low, last = high.ranges()[0].low;
        if (first > last) error("a range that runs backwards");
        added = CharSet{{first, last}};
      }
      ranges.insert(ranges.end(), added.ranges().begin(), added.ranges().end());
    }
    const CharSet set(std::move(ranges));
    return negated ? ~set : set;
  }

  static bool is_single(const CharSet& set) {
    return set.ranges().size() == 1 && set.ranges()[0].low == set.ranges()[0].high;
  }

  CharSet class_member() {
    if (take("\\")) return escape(true);
    return CharSet::one(take_code_point());
  }

  CharSet escape(bool in_class) {
    if (at_end()) error("a backslash at the end");
    const char32_t c = take_code_point();
    switch (c) {
      case 'd':
        return digits();
      case 'D':
        return ~digits();
      case 'w':
        return word_characters();
      case 'W':
        return ~word_characters();
      case 's':
        return white_space();
      case 'S':
        return ~white_space();
      case 't':
        return CharSet::one('\t');
      case 'n':
        return CharSet::one('\n');
      case 'r':
        return CharSet::one('\r');
      case 'f':
        return CharSet::one('\f');
      case 'v':
        return CharSet::one('\v');
      case 'c':
        return control_letter();
      case 'x':
        return CharSet::one(hex(2));
      case 'u':
        return CharSet::one(unicode_escape());
      case 'p':
        return property();
      case 'P':
        return ~property();
      case 'b':
        if (in_class) return CharSet::one('\b');
        error("word boundaries are not supported");
      case '0':
        if (!at_end() && pattern_[at_] >= '0' && pattern_[at_] <= '9') error("octal escapes are not supported");
        return CharSet::one(0);
      default:
        break;
    }
    if (c >= '1' && c <= '9') error("back-references are not supported");
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) error("an unknown escape");
    return CharSet::one(c);
  }

  CharSet control_letter() {
    const char32_t c = at_end() ? 0 : take_code_point();
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter) error("\\c without a letter");
    return CharSet::one(c % 32);
  }

  char32_t hex(int n_digits) {
    char32_t value = 0;
    for (int i = 0; i < n_digits; ++i) {
      const char c = at_end() ? '\0' : pattern_[at_];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) error("an escape with too few hexadecimal digits");
      value = value * 16 + static_cast<char32_t>(digit);
      ++at_;
    }
    return value;
  }

  char32_t unicode_escape() {
    if (take("{")) {
      const size_t close = pattern_.find('}', at_);
      if (close == std::string_view::npos || close == at_ || close - at_ > 6) error("a bad \\u{...} escape");
      const char32_t value = hex(static_cast<int>(close - at_));
      ++at_;
      return scalar(value);
    }
    const char32_t unit = hex(4);
    if (unit >= 0xD800 && unit <= 0xDBFF && take("\\u")) {
      const char32_t low = hex(4);
      if (low < 0xDC00 || low > 0xDFFF) error("half a surrogate pair");
      return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    return scalar(unit);
  }

  char32_t scalar(char32_t value) const {
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) error("an escape that is no character");
    return value;
  }

  CharSet property() {
    if (!take("{")) error("\\p without \"{\"");
    const size_t close = pattern_.find('}', at_);
    if (close == std::string_view::npos) error("\\p{ without \"}\"");
    const std::string_view name = pattern_.substr(at_, close - at_);
    at_ = close + 1;
    return unicode_category(name);
  }

  const std::string_view pattern_;
  size_t at_ = 0;
  int nesting_ = 0;
  bool repeated_ = false;
};

}  // namespace

RegexNode parse_regex(std::string_view pattern) {
  return Parser(pattern).parse();
}

}  // namespace glint::grammar
