// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

#include <fmt/format.h>

#include <iterator>

#include "base/utf8.h"

namespace glint {
namespace {

void append_escaped(std::string& out, std::string_view bytes) {
  for (char c : bytes) fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
}

}  // namespace

std::string printable(std::string_view text, size_t limit) {
  std::string shown;
  for (char c : text.substr(0, limit)) {
    if (c >= ' ' && c <= '~') {
      shown += c;
    } else {
      append_escaped(shown, std::string_view(&c, 1));
    }
  }
  if (text.size() > limit) fmt::format_to(std::back_inserter(shown), "... ({} bytes)", text.size());
  return shown;
}

std::string one_line(std::string_view text) {
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded character = utf8::decode(text, at);
    const std::string_view bytes = text.substr(at, static_cast<size_t>(character.size));
    const bool is_control = character.code_point < 0x20 || (character.code_point >= 0x7F && character.code_point < 0xA0);
    if (is_control || !character.valid) {
      append_escaped(line, bytes);
    } else {
      line += bytes;
    }
    at += bytes.size();
  }
  return line;
}

}  // namespace glint
