// SPDX-License-Identifier: Apache-2.0
//
// Random texts in which the things that tokenizers treat specially are frequent. The same seed gives the same texts
// everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace glint {

class RandomText {
 public:
  explicit RandomText(uint64_t seed) : state_(seed) {}

  uint32_t below(uint32_t n) {
    state_ += 0x9E3779B97F4A7C15u;  // splitmix64
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<uint32_t>((z ^ (z >> 31)) % n);
  }

  /// Valid UTF-8 of 1 to `most` words, marks, blanks and characters from all over the basic plane.
  std::string text(uint32_t most = 14) {
    static constexpr std::string_view kParts[] = {
        "'s", "'T", "'re", "'LL", "'Ve", "'d", "'\u017F", "'", "\u2019s", " ", "  ", "   ", "\n", "\r\n", "\t", "\n\n", " \n",
        "\u3000", "\u00A0", "\u2028", "\u0085", "\u200B", "\x01", "\x7F", "\u00AD", "a", "bc", "Hello", "WORLD", "Ab", "aB",
        "ß", "É", "e\u0301", "\u0301", "\u0327\u0301", "ǅ", "ʰ", "ª", "中", "文字", "か", "カ", "゠", "・", "ー", "한", "글",
        "ไทย", "हिन्दी", "ع", "1", "12", "1234", "½", "Ⅷ", "²", "٣", "१", ".", "...", "!?", "/", "//", "\\", "$", "+=", "<|",
        "|>", "^", "`", "~", "-", "_", "(", ")", "“", "”", "。", "，", "！", "～", "€", "©", "😀", "👩\u200D👧", "🇩🇪", "❤\uFE0F",
        "𝕳", "𐐀", "𐐨", "\U000E0001", "\u1FBE", "\u2126", "\uFB05", "İ", "ı"};
    std::string out;
    const uint32_t n = 1 + below(most);
    const bool anything = below(4) == 0;
    for (uint32_t i = 0; i < n; ++i) {
      if (anything) {
        utf8::append(out, code_point());
      } else {
        out += kParts[below(std::size(kParts))];
      }
    }
    return out;
  }

  /// Any bytes, almost-valid UTF-8 among them.
  std::string bytes(uint32_t most) {
    std::string out;
    for (uint32_t i = below(most + 1); i > 0; --i) {
      const uint32_t kind = below(4);
      out.push_back(static_cast<char>(kind == 0 ? below(256) : kind == 1 ? 0xC0 + below(64) : kind == 2 ? 0x80 + below(64) : below(128)));
    }
    return out;
  }

 private:
  char32_t code_point() {
    static constexpr uint32_t kRanges[][2] = {{0, 0x80},        {0, 0x80},       {0x80, 0x250},   {0x300, 0x370}, {0x370, 0x600},
                                              {0x900, 0xD80},   {0x1E00, 0x3000}, {0x3000, 0xA000}, {0xA000, 0xD800},
                                              {0xF900, 0xFFF0}, {0x10400, 0x10450}, {0x1D400, 0x1D800}, {0x1F300, 0x1F600}};
    const auto& range = kRanges[below(std::size(kRanges))];
    return range[0] + below(range[1] - range[0]);
  }

  uint64_t state_;
};

}  // namespace glint
