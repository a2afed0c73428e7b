// SPDX-License-Identifier: Apache-2.0
#include "text/unicode.h"

#include <gtest/gtest.h>

#include "tests/unit/text/random_text.h"

namespace glint {
namespace {

TEST(Unicode, ClassesOfSomeCharacters) {
  EXPECT_EQ(char_class('A'), kUpper);
  EXPECT_EQ(char_class('z'), kLower);
  EXPECT_EQ(char_class(U'ǅ'), kUpper);    // title case
  EXPECT_EQ(char_class(U'ʰ'), kCaseless);  // modifier letter
  EXPECT_EQ(char_class(U'中'), kCaseless);
  EXPECT_EQ(char_class(U'\u0301'), kMark);
  EXPECT_EQ(char_class('7'), kNumber);
  EXPECT_EQ(char_class(U'½'), kNumber);
  EXPECT_EQ(char_class(U'Ⅷ'), kNumber);
  EXPECT_EQ(char_class('_'), kPunctuation);
  EXPECT_EQ(char_class('$'), kSymbol);
  EXPECT_EQ(char_class(U'😀'), kSymbol);
  EXPECT_EQ(char_class('\n'), kSpace | kNewline);
  EXPECT_EQ(char_class('\r'), kSpace | kNewline);
  EXPECT_EQ(char_class('\v'), kSpace);
  EXPECT_EQ(char_class(0x01), kOther);
  EXPECT_EQ(char_class(0x200B), kOther);  // zero width space is not white space
  EXPECT_EQ(char_class(0xE000), kOther);
  EXPECT_EQ(char_class(0x10FFFF), kOther);
  EXPECT_EQ(char_class(0xFFFFFFFF), kOther);  // total, even for what is no code point
}

TEST(Unicode, EveryCodePointHasOneClass) {
  int spaces = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const CharMask mask = char_class(c) & ~kNewline;
    ASSERT_NE(mask, 0) << std::hex << static_cast<uint32_t>(c);
    ASSERT_EQ(mask & (mask - 1), 0) << std::hex << static_cast<uint32_t>(c);
    spaces += mask == kSpace;
  }
  EXPECT_EQ(spaces, 25);  // the property White_Space
}

TEST(Unicode, NfcComposes) {
  EXPECT_EQ(to_nfc("plain"), "plain");
  EXPECT_EQ(to_nfc("e\u0301a\u0308n\u0303"), "\u00E9\u00E4\u00F1");
  EXPECT_EQ(to_nfc("\u1112\u1161\u11AB"), "\uD55C");              // Hangul
  EXPECT_EQ(to_nfc("a\u0301\u0323"), "\u1EA1\u0301");              // marks are ordered by class before composing
  EXPECT_EQ(to_nfc("\u212B\u2126"), "\u00C5\u03A9");               // singletons
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093C");                     // composition exclusion
  EXPECT_EQ(to_nfc("\uFB01"), "\uFB01");                           // compatibility characters stay
  EXPECT_EQ(to_nfc("\u0301x"), "\u0301x");
}

TEST(Unicode, NfcIsStable) {
  RandomText random(7);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = random.text();
    const std::string composed = to_nfc(text);
    ASSERT_TRUE(utf8::is_valid(composed));
    ASSERT_EQ(to_nfc(composed), composed);
  }
}

TEST(Unicode, NfcOfAnEndlessRunOfMarksIsNotQuadratic) {
  std::string marks = "a";
  for (int i = 0; i < 500'000; ++i) marks += "\u0301\u0323";  // classes 230 and 220: each pair is out of order
  const std::string composed = to_nfc(marks);
  EXPECT_TRUE(composed.starts_with("\u1EA1\u0323"));
  EXPECT_TRUE(composed.ends_with("\u0301\u0301"));
}

}  // namespace
}  // namespace glint
