// SPDX-License-Identifier: Apache-2.0
//
// FIPS 180-4's example values, in one piece and in many.
#include "base/sha256.h"

#include <gtest/gtest.h>

namespace glint {
namespace {

std::string of(std::string_view text) {
  Sha256 hash;
  hash.add(text);
  return to_hex(hash.digest());
}

TEST(Sha256, KnownValues) {
  EXPECT_EQ(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, NumbersAreLittleEndian) {
  Sha256 hash;
  hash.add(0x6261, 2);
  hash.add('c', 1);
  EXPECT_EQ(to_hex(hash.digest()), of("abc"));
  Sha256 wide;
  wide.add(uint64_t{0x0807060504030201});
  EXPECT_EQ(to_hex(wide.digest()), of("\x01\x02\x03\x04\x05\x06\x07\x08"));
}

}  // namespace
}  // namespace glint
