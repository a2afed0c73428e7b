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

TEST(Printable, LongTextIsCutAndItsLengthTold) {
  EXPECT_EQ(printable(std::string(65535, 'k'), 4), "kkkk... (65535 bytes)");
  EXPECT_EQ(printable("kkkk", 4), "kkkk");
}

}  // namespace
}  // namespace glint
