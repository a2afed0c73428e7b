// SPDX-License-Identifier: Apache-2.0
#include "text/json_extent.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace glint {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

size_t skip_blanks(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(kBlanks, at), text.size());
}

/// End of the value at `at` of a text that is valid JSON.
size_t value_end(std::string_view text, size_t at) {
  if (text[at] == '{' || text[at] == '[') {
    JsonExtent extent;
    extent.read(text.substr(at));
    return at + extent.size();
  }
  if (text[at] != '"') return std::min(text.find_first_of(" \t\r\n,:]}", at), text.size());
  for (++at; text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

/// Whether a text is JSON and begins with `open`.
bool is_container(std::string_view text, char open) {
  return !text.empty() && text[0] == open && is_json(text);
}

}  // namespace

JsonExtent::Status JsonExtent::read(std::string_view text) {
  for (; at_ < text.size(); ++at_) {
    const char c = text[at_];
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      continue;
    }
    if (c == '{' || c == '[') {
      if (open_.size() >= kMaxJsonNesting) return Status::kBroken;
      open_ += c;
      continue;
    }
    if (open_.empty()) return Status::kBroken;
    if (c == '"') {
      in_string_ = true;
    } else if (c == '}' || c == ']') {
      if (open_.back() != (c == '}' ? '{' : '[')) return Status::kBroken;
      open_.pop_back();
      if (!open_.empty()) continue;
      ++at_;
      return Status::kDone;
    } else if (std::string_view(" \t\r\n,:+-.0123456789eEtrufalsn").find(c) == std::string_view::npos) {
      return Status::kBroken;  // no part of punctuation, a number, true, false or null
    }
  }
  return Status::kMore;
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(skip_blanks(text, 0));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

bool is_json(std::string_view text) {
  text = trimmed(text);
  // The parser takes a zero byte for the end of its input.
  if (text.empty() || text.find('\0') != std::string_view::npos) return false;
  if (text[0] == '{' || text[0] == '[') {
    JsonExtent extent;
    if (extent.read(text) != JsonExtent::Status::kDone || extent.size() != text.size()) return false;
  }
  return nlohmann::json::accept(text);
}

std::optional<std::vector<JsonMember>> json_members(std::string_view text) {
  if (!is_container(text, '{')) return std::nullopt;
  std::vector<JsonMember> members;
  for (size_t at = skip_blanks(text, 1); text[at] != '}';) {
    if (text[at] == ',') at = skip_blanks(text, at + 1);
    const size_t key_end = value_end(text, at);
    std::string key = json_string(text.substr(at, key_end - at)).value_or("");
    at = skip_blanks(text, skip_blanks(text, key_end) + 1);  // behind the colon
    const size_t end = value_end(text, at);
    members.push_back({std::move(key), text.substr(at, end - at)});
    at = skip_blanks(text, end);
  }
  return members;
}

std::optional<std::vector<std::string_view>> json_items(std::string_view text) {
  if (!is_container(text, '[')) return std::nullopt;
  std::vector<std::string_view> items;
  for (size_t at = skip_blanks(text, 1); text[at] != ']';) {
    if (text[at] == ',') at = skip_blanks(text, at + 1);
    const size_t end = value_end(text, at);
    items.push_back(text.substr(at, end - at));
    at = skip_blanks(text, end);
  }
  return items;
}

std::optional<std::string> json_string(std::string_view literal) {
  const nlohmann::json value =
      literal.starts_with('"') ? nlohmann::json::parse(literal, nullptr, false) : nlohmann::json();
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}

std::string json_quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace glint
