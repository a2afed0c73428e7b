// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <algorithm>

namespace glint::utf8 {
namespace {

constexpr bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// What may follow a lead byte: the sequence's length and the range of its second byte (the Unicode Standard's table of
// well-formed sequences). The second byte's range is what excludes overlong forms, surrogates and values too large.
struct Lead {
  int size = 0;  // 0: no sequence starts with this byte
  unsigned char low = 0x80, high = 0xBF;
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

}  // namespace

Decoded decode_sequence(std::string_view text, size_t position) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const size_t left = text.size() - position;
  const unsigned char first = byte(0);
  const Lead lead = lead_of(first);
  if (lead.size == 0) return {kReplacement, 1, false, false};
  char32_t code_point = first & (0x7F >> lead.size);
  for (int i = 1; i < lead.size; ++i) {
    if (static_cast<size_t>(i) == left) return {kReplacement, i, false, true};
    const unsigned char next = byte(i);
    const bool follows = i == 1 ? next >= lead.low && next <= lead.high : is_continuation(next);
    if (!follows) return {kReplacement, i, false, false};
    code_point = code_point << 6 | (next & 0x3F);
  }
  return {code_point, lead.size, true, false};
}

void append(std::string& out, char32_t code_point) {
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) code_point = kReplacement;
  const auto push = [&](char32_t bits) { out.push_back(static_cast<char>(bits)); };
  if (code_point < 0x80) {
    push(code_point);
  } else if (code_point < 0x800) {
    push(0xC0 | code_point >> 6);
    push(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    push(0xE0 | code_point >> 12);
    push(0x80 | (code_point >> 6 & 0x3F));
    push(0x80 | (code_point & 0x3F));
  } else {
    push(0xF0 | code_point >> 18);
    push(0x80 | (code_point >> 12 & 0x3F));
    push(0x80 | (code_point >> 6 & 0x3F));
    push(0x80 | (code_point & 0x3F));
  }
}

bool is_valid(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Decoded next = decode(text, i);
    if (!next.valid) return false;
    i += next.size;
  }
  return true;
}

std::string repair(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Decoded next = decode(text, i);
    if (next.valid) {
      out.append(text.substr(i, next.size));
    } else {
      append(out, kReplacement);
    }
    i += next.size;
  }
  return out;
}

size_t truncated_suffix(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const size_t start = text.size() - back;
    if (is_continuation(static_cast<unsigned char>(text[start]))) continue;
    const Decoded last = decode(text, start);
    return last.truncated && static_cast<size_t>(last.size) == back ? back : 0;
  }
  return 0;
}

}  // namespace glint::utf8
