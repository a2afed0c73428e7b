// SPDX-License-Identifier: Apache-2.0
//
// Text from outside in error messages.
#include "base/printable.h"

#include <gtest/gtest.h>

namespace glint {
namespace {

TEST(Printable, PlainTextStays) {
  EXPECT_EQ(printable("blk.0.attn_k_b.weight"), "blk.0.attn_k_b.weight");
}

TEST(Printable, ControlAndNonAsciiBytesAreEscaped) {
  EXPECT_EQ(printable("a\x1b[2J\n\xc3\xa9\x7f"), "a\\x1b[2J\\x0a\\xc3\\xa9\\x7f");
  EXPECT_EQ(printable(std::string_view("\0x", 2)), "\\x00x");
}

TEST(OneLine, KeepsLettersAndEscapesTheRest) {
  EXPECT_EQ(one_line("mödel 模型 😀 \"q\".gguf: not there"), "mödel 模型 😀 \"q\".gguf: not there");
  EXPECT_EQ(one_line("a\nb\tc\x1b[2Jd\x7f"), "a\\x0ab\\x09c\\x1b[2Jd\\x7f");
  EXPECT_EQ(one_line("\xff \xc3\x28 \xc2\x85 \xf0\x9f"), "\\xff \\xc3( \\xc2\\x85 \\xf0\\x9f");
  EXPECT_EQ(one_line(std::string(3, '\0')), "\\x00\\x00\\x00");
  EXPECT_EQ(one_line(""), "");
}

TEST(Printable, LongTextIsCutAndItsLengthTold) {
  EXPECT_EQ(printable(std::string(65535, 'k'), 4), "kkkk... (65535 bytes)");
  EXPECT_EQ(printable("kkkk", 4), "kkkk");
}

}  // namespace
}  // namespace glint
