// SPDX-License-Identifier: Apache-2.0
//
// base/utf8 against the Unicode Standard's table of well-formed sequences, by trying every sequence of up to three bytes.
#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace glint::utf8 {
namespace {

TEST(Utf8, RoundTripsEveryScalarValue) {
  for (char32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;
    std::string text;
    append(text, code_point);
    const Decoded decoded = decode(text);
    ASSERT_TRUE(decoded.valid);
    ASSERT_EQ(decoded.code_point, code_point);
    ASSERT_EQ(decoded.size, static_cast<int>(text.size()));
    for (size_t cut = 1; cut < text.size(); ++cut) {  // every proper prefix is truncated, and wholly so
      const Decoded part = decode(std::string_view(text).substr(0, cut));
      ASSERT_TRUE(part.truncated);
      ASSERT_EQ(part.size, static_cast<int>(cut));
      ASSERT_EQ(truncated_suffix("a" + text.substr(0, cut)), cut);
    }
    ASSERT_EQ(truncated_suffix(text), 0u);
  }
}

TEST(Utf8, ValidSequencesOfThreeBytesAreExactlyTheEncodings) {
  for (int bits = 0; bits < 1 << 24; bits += 1) {
    const char bytes[3] = {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8), static_cast<char>(bits)};
    const std::string_view text(bytes, 3);
    const Decoded decoded = decode(text);
    ASSERT_GE(decoded.size, 1);
    ASSERT_LE(decoded.size, 3);
    if (!decoded.valid) continue;
    std::string again;
    append(again, decoded.code_point);
    ASSERT_EQ(again, text.substr(0, decoded.size));
  }
}

TEST(Utf8, ReplacesEachMaximalSubpartOnce) {
  // The Standard's own example of the recommended practice (section 3.9, "U+FFFD Substitution of Maximal Subparts").
  EXPECT_EQ(repair("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"), "a���b�c��d");
  EXPECT_EQ(repair("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), "��������A");
  EXPECT_EQ(repair("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), "��������A");
  EXPECT_EQ(repair("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), "�����A��B");
  EXPECT_EQ(repair("\xE2\x80"), "�");
  EXPECT_EQ(repair(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(repair(""), "");
}

TEST(Utf8, RepairedTextIsValidAndValidTextIsKept) {
  uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 64; ++i) {
      state = state * 1664525 + 1013904223;
      // Leads and continuations are made likely, so that long almost-valid sequences occur.
      const uint32_t pick = state >> 28;
      bytes.push_back(static_cast<char>(pick < 6 ? 0x80 | (state >> 8 & 0x3F) : pick < 12 ? 0xC0 | (state >> 8 & 0x3F) : state >> 8));
    }
    const std::string repaired = repair(bytes);
    EXPECT_TRUE(is_valid(repaired));
    EXPECT_EQ(repair(repaired), repaired);
    EXPECT_EQ(is_valid(bytes), repaired == bytes);
  }
}

TEST(Utf8, AppendReplacesWhatIsNoScalarValue) {
  for (const char32_t bad : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    std::string text;
    append(text, bad);
    EXPECT_EQ(text, "\xEF\xBF\xBD");
  }
}

TEST(Utf8, TruncatedSuffixIgnoresWhatIsWrongAnyway) {
  EXPECT_EQ(truncated_suffix("\xFF"), 0u);
  EXPECT_EQ(truncated_suffix("\xE0\x80"), 0u);  // overlong: no continuation can save it
  EXPECT_EQ(truncated_suffix("\x80\x80\x80\x80"), 0u);
  EXPECT_EQ(truncated_suffix("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(truncated_suffix("\xC3\xA9\xF0\x9F"), 2u);
}

}  // namespace
}  // namespace glint::utf8
