// SPDX-License-Identifier: Apache-2.0
#include "grammar/char_set.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace glint::grammar {
namespace {

TEST(CharSet, KeepsRangesSortedJoinedAndFreeOfSurrogates) {
  const CharSet set{{'x', 'z'}, {'a', 'c'}, {'d', 'f'}, {0xD000, 0xE010}, {0x10FFFE, 0x200000}};
  const std::vector<CharRange> expected = {
      {'a', 'f'}, {'x', 'z'}, {0xD000, 0xD7FF}, {0xE000, 0xE010}, {0x10FFFE, 0x10FFFF}};
  EXPECT_EQ(set.ranges(), expected);
  EXPECT_TRUE(set.contains('e'));
  EXPECT_FALSE(set.contains('g'));
  EXPECT_FALSE(set.contains(0xD800));
}

TEST(CharSet, OperatorsAgreeWithMembership) {
  const CharSet a{{'a', 'm'}, {'p', 'p'}, {0x4E00, 0x9FFF}}, b{{'k', 'q'}, {0x5000, 0x20000}};
  for (const char32_t c : {U'a', U'j', U'k', U'm', U'n', U'p', U'q', U'r', U'\x4E00', U'\x5000', U'\x9FFF', U'\xA000',
                           U'\x20000', U'\x20001', U'\0', U'\x10FFFF'}) {
    EXPECT_EQ((a | b).contains(c), a.contains(c) || b.contains(c));
    EXPECT_EQ((a & b).contains(c), a.contains(c) && b.contains(c));
    EXPECT_EQ((~a).contains(c), !a.contains(c));
  }
  EXPECT_EQ(~~a, a);
  EXPECT_TRUE((a & ~a).empty());
  EXPECT_EQ(a | ~a, CharSet::all());
}

bool in_sequences(const std::vector<ByteSequence>& sequences, const std::string& bytes) {
  int n_matching = 0;
  for (const ByteSequence& sequence : sequences) {
    bool matching = static_cast<size_t>(sequence.size) == bytes.size();
    for (int i = 0; matching && i < sequence.size; ++i) {
      const auto byte = static_cast<uint8_t>(bytes[i]);
      matching = sequence.bytes[i].low <= byte && byte <= sequence.bytes[i].high;
    }
    n_matching += matching;
  }
  EXPECT_LE(n_matching, 1) << "sequences overlap";
  return n_matching == 1;
}

TEST(Utf8Sequences, CoverExactlyTheRange) {
  for (const CharRange range : {CharRange{0, 0x10FFFF},
                                {'a', 'a'},
                                {0x70, 0x8F},
                                {0x7FF, 0x801},
                                {0xFFF0, 0x10010},
                                {0x1234, 0x5678},
                                {0x10000, 0x10FFFF},
                                {0xABCD, 0xABCD}}) {
    std::vector<ByteSequence> sequences;
    const CharSet set{range};
    for (const CharRange& part : set.ranges()) {
      for (const ByteSequence& s : utf8_sequences(part)) sequences.push_back(s);
    }
    for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      std::string bytes;
      utf8::append(bytes, c);
      ASSERT_EQ(in_sequences(sequences, bytes), range.low <= c && c <= range.high) << static_cast<uint32_t>(c);
    }
    EXPECT_FALSE(in_sequences(sequences, "\xED\xA0\x80")) << "a surrogate";
    EXPECT_FALSE(in_sequences(sequences, "\xC0\x80")) << "an overlong form";
  }
}

}  // namespace
}  // namespace glint::grammar
