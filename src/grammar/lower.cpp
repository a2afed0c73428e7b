// SPDX-License-Identifier: Apache-2.0
#include "grammar/lower.h"

#include <algorithm>

#include "base/check.h"

namespace glint::grammar {
namespace {

// Rules up to this size, nested up to this often, are written out where they are called. A rule that reads one
// character would end within every token otherwise, and nothing could be said about tokens without the stack.
constexpr uint64_t kMaxInlineCost = 64;
constexpr int kMaxInlineNesting = 6;

}  // namespace

Lowered Lowering::run() {
  rule_of(root_);
  for (size_t i = 0; i < pending_.size(); ++i) {  // add() may append rules
    owner_ = lowered_.rules[i].name;
    escapes_.clear();
    add(pending_[i], lowered_.rules[i].start, lowered_.rules[i].end);
  }
  return std::move(lowered_);
}

int32_t Lowering::add_state() {
  if (lowered_.states.size() >= builder_.limits_.max_states) {
    fail("grammar: more than {} states; make it smaller", builder_.limits_.max_states);
  }
  lowered_.states.emplace_back();
  return static_cast<int32_t>(lowered_.states.size()) - 1;
}

void Lowering::add_byte(int32_t from, uint8_t low, uint8_t high, int32_t to) {
  if (++n_edges_ > builder_.limits_.max_edges) {
    fail("grammar: more than {} edges; make it smaller", builder_.limits_.max_edges);
  }
  lowered_.states[from].bytes.push_back({low, high, to});
}

int32_t Lowering::rule_of(int32_t declared) {
  const auto [place, added] = rules_.try_emplace(declared, static_cast<int32_t>(lowered_.rules.size()));
  if (added) {
    GLINT_CHECK(builder_.is_defined(declared));
    const int32_t start = add_state(), end = add_state();
    lowered_.rules.push_back({builder_.names_[declared], start, end});
    pending_.push_back(builder_.bodies_[declared]);
  }
  return place->second;
}

int32_t Lowering::rule_of_body(Expr body) {
  const Builder::Node& node = builder_.nodes_[body];
  if (node.kind == Builder::Kind::kCall) return rule_of(node.index);
  const auto [place, added] = bodies_.try_emplace(body, static_cast<int32_t>(lowered_.rules.size()));
  if (added) {
    const int32_t start = add_state(), end = add_state();
    lowered_.rules.push_back({owner_, start, end});
    pending_.push_back(body);
  }
  return place->second;
}

/// Above kMaxInlineCost for what is large, loops (its states are worth sharing) or calls itself.
uint64_t Lowering::inline_cost(Expr expr, int nesting) const {
  const Builder::Node& node = builder_.nodes_[expr];
  constexpr uint64_t kNever = kMaxInlineCost + 1;
  if (nesting > kMaxInlineNesting || node.cost > kMaxInlineCost) return kNever;
  switch (node.kind) {
    case Builder::Kind::kNetwork:
      return kNever;
    case Builder::Kind::kCall: {
      const Expr body = builder_.bodies_[node.index];
      return body < 0 ? kNever : inline_cost(body, nesting + 1);
    }
    case Builder::Kind::kRepeat:
      if (!node.unrolled) return kNever;
      break;
    default:
      break;
  }
  uint64_t cost = node.children.empty() ? node.cost : 1;
  for (const Expr child : node.children) {
    const uint64_t added = inline_cost(child, nesting) * (node.kind == Builder::Kind::kRepeat ? node.max : 1);
    cost += added;
    if (cost > kMaxInlineCost) return kNever;
  }
  return cost;
}

void Lowering::add(Expr expr, int32_t from, int32_t to) {
  const Builder::Node& node = builder_.nodes_[expr];
  switch (node.kind) {
    case Builder::Kind::kBytes:
      return add_text(builder_.texts_[node.index], from, to);
    case Builder::Kind::kChars:
      for (const CharRange& range : builder_.sets_[node.index].ranges()) add_range(range, from, to);
      return;
    case Builder::Kind::kAutomaton:
      return add_automaton(builder_.automata_[node.index], from, to);
    case Builder::Kind::kSequence: {
      int32_t at = from;
      for (const Expr child : node.children) {
        const int32_t next = add_state();
        add(child, at, next);
        at = next;
      }
      return add_silent(at, to);
    }
    case Builder::Kind::kAlternatives:
      for (const Expr child : node.children) add(child, from, to);
      return;
    case Builder::Kind::kRepeat:
      return add_repeat(node, from, to);
    case Builder::Kind::kCall: {
      const Expr body = builder_.bodies_[node.index];
      if (body >= 0 && inline_cost(body, 0) <= kMaxInlineCost) return add(body, from, to);
      const int32_t rule = rule_of(node.index);
      lowered_.states[from].calls.push_back({rule, 1, 1, to});
      return;
    }
    case Builder::Kind::kNetwork:
      return add_network(builder_.networks_[node.index], from, to);
  }
}

void Lowering::add_text(std::string_view text, int32_t from, int32_t to) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const int32_t next = i + 1 == text.size() ? to : add_state();
    add_byte(from, byte, byte, next);
    from = next;
  }
  if (text.empty()) add_silent(from, to);
}

void Lowering::add_range(CharRange range, int32_t from, int32_t to) {
  for (const ByteSequence& sequence : utf8_sequences(range)) {
    int32_t at = from;
    for (int i = 0; i < sequence.size; ++i) {
      const int32_t next = i + 1 == sequence.size ? to : add_state();
      add_byte(at, sequence.bytes[i].low, sequence.bytes[i].high, next);
      at = next;
    }
  }
}

void Lowering::add_automaton(const Builder::Automaton& automaton, int32_t from, int32_t to) {
  const auto& states = automaton.dfa.states;
  if (states.empty()) return;
  std::vector<int32_t> number;
  for (size_t i = 0; i < states.size(); ++i) number.push_back(add_state());
  add_silent(from, number[0]);
  for (size_t i = 0; i < states.size(); ++i) {
    if (states[i].accepts) add_silent(number[i], to);
    for (const CharDfa::Edge& edge : states[i].edges) {
      const CharSet set{{edge.low, edge.high}};  // leaves surrogates out
      for (const CharRange& range : set.ranges()) {
        if (automaton.encoding == Encoding::kPlain) {
          add_range(range, number[i], number[edge.target]);
        } else {
          add_escapes(range, number[i], number[edge.target]);
        }
      }
    }
  }
}

void Lowering::add_escapes(CharRange range, int32_t from, int32_t to) {
  const CharSet plain = CharSet{range} & ~CharSet{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
  for (const CharRange& part : plain.ranges()) add_range(part, from, to);
  const auto escaped = [&](char32_t c) { return range.low <= c && c <= range.high; };
  if (range.low == 0 && range.high >= 0x1F) {
    add_byte(from, '\\', '\\', all_controls_escaped(to));
  } else if (range.low <= 0x1F) {
    const int32_t after = add_state();
    add_byte(from, '\\', '\\', after);
    add_control_escapes(static_cast<uint8_t>(range.low), static_cast<uint8_t>(std::min<char32_t>(range.high, 0x1F)),
                        after, to);
  }
  for (const char c : {'"', '\\'}) {
    if (escaped(static_cast<char32_t>(c))) add_text({std::string{'\\', c}}, from, to);
  }
}

int32_t Lowering::all_controls_escaped(int32_t to) {
  const auto place = escapes_.find(to);
  if (place != escapes_.end()) return place->second;
  const int32_t after = add_state();
  add_control_escapes(0, 0x1F, after, to);
  escapes_[to] = after;
  return after;
}

/// \b \t \n \f \r where the range holds them, and \u00XX for all of it.
void Lowering::add_control_escapes(uint8_t low, uint8_t high, int32_t after_backslash, int32_t to) {
  constexpr std::pair<char, char> kShort[] = {{'\b', 'b'}, {'\t', 't'}, {'\n', 'n'}, {'\f', 'f'}, {'\r', 'r'}};
  for (const auto& [control, letter] : kShort) {
    if (low <= control && control <= high) {
      add_byte(after_backslash, static_cast<uint8_t>(letter), static_cast<uint8_t>(letter), to);
    }
  }
  const int32_t zeros = add_state();
  add_text("u00", after_backslash, zeros);
  for (int row = 0; row < 2; ++row) {
    const int first = std::max<int>(low - 16 * row, 0), last = std::min<int>(high - 16 * row, 15);
    if (first > last) continue;
    const int32_t digit = add_state();
    const auto row_digit = static_cast<uint8_t>('0' + row);
    add_byte(zeros, row_digit, row_digit, digit);
    if (first <= 9)
      add_byte(digit, static_cast<uint8_t>('0' + first), static_cast<uint8_t>('0' + std::min(last, 9)), to);
    if (last >= 10) {
      const int letter = std::max(first, 10) - 10;
      add_byte(digit, static_cast<uint8_t>('a' + letter), static_cast<uint8_t>('a' + last - 10), to);
      add_byte(digit, static_cast<uint8_t>('A' + letter), static_cast<uint8_t>('A' + last - 10), to);
    }
  }
}

void Lowering::add_repeat(const Builder::Node& node, int32_t from, int32_t to) {
  const Expr body = node.children[0];
  if (node.max == 0) return add_silent(from, to);
  if (node.max == kUnbounded && node.min <= 1) {
    const int32_t begin = add_state(), end = add_state();
    add_silent(from, begin);
    add(body, begin, end);
    add_silent(end, begin);
    add_silent(end, to);
    if (node.min == 0) add_silent(from, to);
    return;
  }
  if (!node.unrolled) {
    const int32_t rule = rule_of_body(body);
    lowered_.states[from].calls.push_back({rule, node.min, node.max, to});
    return;
  }
  int32_t at = add_state();
  add_silent(from, at);
  for (uint32_t i = 0; i < node.max; ++i) {
    if (i >= node.min) add_silent(at, to);
    const int32_t next = add_state();
    add(body, at, next);
    at = next;
  }
  add_silent(at, to);
}

void Lowering::add_network(const Builder::Network& network, int32_t from, int32_t to) {
  std::vector<int32_t> number;
  for (int32_t i = 0; i < network.n_states; ++i) number.push_back(add_state());
  add_silent(from, number[0]);
  for (const Builder::Network::Edge& edge : network.edges) add(edge.expr, number[edge.from], number[edge.to]);
  for (const int32_t final : network.finals) add_silent(number[final], to);
}

}  // namespace glint::grammar
