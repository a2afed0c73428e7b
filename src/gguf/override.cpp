// SPDX-License-Identifier: Apache-2.0
//
// Command-line overrides of metadata: llama.cpp's --override-kv text, KEY=TYPE:VALUE[,...]. Unlike there, an override
// wins whatever the type of the key in the file, and a value that does not parse whole is an error, not a zero.
// Tested by tests/unit/gguf/override_test.cpp.
#include <charconv>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/printable.h"
#include "gguf/metadata.h"

namespace glint::gguf {

namespace {

constexpr const char* kForm =
    "expected KEY=TYPE:VALUE[,KEY=TYPE:VALUE...] with TYPE int, float, bool or str, as in "
    "deepseek2.expert_gating_func=int:2";

[[noreturn]] void malformed(std::string_view item, const std::string& why) {
  fail("override \"{}\": {}; {}", printable(item), why, kForm);
}

// One row of comma-separated values: a cell that opens with a quote runs to its closing quote.
std::vector<std::string> split_cells(std::string_view text) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      cells.back() += text[++i];
    } else if (c == '"' && (quoted || cells.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  if (quoted) malformed(text, "a double quote is not closed");
  return cells;
}

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);  // from_chars knows no plus sign
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Value parse_value(std::string_view item, std::string_view type, std::string_view text) {
  if (type == "int") {
    if (const auto number = parse_whole<int64_t>(text)) return {ValueType::kInt64, *number};
    malformed(item, fmt::format("\"{}\" is not an integer of 64 bits", printable(text)));
  }
  if (type == "float") {
    if (const auto number = parse_whole<double>(text)) return {ValueType::kFloat64, *number};
    malformed(item, fmt::format("\"{}\" is not a number", printable(text)));
  }
  if (type == "bool") {
    if (text == "true" || text == "false") return {ValueType::kBool, text == "true"};
    malformed(item, fmt::format("a bool is true or false, not \"{}\"", printable(text)));
  }
  if (type == "str") return {ValueType::kString, text};
  malformed(item, fmt::format("unknown type \"{}\"", printable(type)));
}

}  // namespace

void Metadata::apply_override(std::string_view text) {
  const std::vector<std::string> cells = split_cells(text);
  std::vector<std::pair<std::string_view, Value>> values;
  for (const std::string& cell : cells) {
    const std::string_view item = cell;
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0) malformed(item, "no KEY= at its start");
    const std::string_view key = item.substr(0, equals);
    const size_t colon = item.find(':', equals);
    if (colon == std::string_view::npos) malformed(item, "no TYPE: after the =");
    // These say where the bytes lie; a different value could only misread the file.
    if (key == "general.alignment" || key.starts_with("split.")) {
      malformed(item, fmt::format("{} describes how the file is laid out and cannot be overridden", key));
    }
    values.emplace_back(key, parse_value(item, item.substr(equals + 1, colon - equals - 1), item.substr(colon + 1)));
  }
  for (auto& [key, value] : values) set(key, std::move(value));
}

}  // namespace glint::gguf
