// SPDX-License-Identifier: Apache-2.0
//
// Streaming never shows half a code point and never differs from decoding everything at once.
#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "tests/unit/text/random_text.h"
#include "tests/unit/text/vocabularies.h"

namespace glint {
namespace {

// Bytes 0 to 255 as ids 0 to 255; 256 = F0 9F, 257 = 98 80, 258 is a control token.
Tokenizer byte_tokenizer() {
  const auto owned = byte_vocab("gpt-2");
  owned->add(byte_spelling(0xF0) + byte_spelling(0x9F));
  owned->add(byte_spelling(0x98) + byte_spelling(0x80));
  owned->add("<|end|>", TokenType::kControl);
  owned->add("[PAD259]", TokenType::kUnused);
  return Tokenizer(owned->view());
}

TEST(Detokenizer, HoldsAHalfCodePointBack) {
  const Tokenizer tokenizer = byte_tokenizer();
  Detokenizer stream(tokenizer.vocab());
  EXPECT_EQ(stream.push(256), "");
  EXPECT_EQ(stream.push(257), "😀");
  EXPECT_EQ(stream.flush(), "");
}

TEST(Detokenizer, AnUnfinishedCodePointBecomesOneReplacement) {
  const Tokenizer tokenizer = byte_tokenizer();
  Detokenizer stream(tokenizer.vocab());
  EXPECT_EQ(stream.push(256), "");
  EXPECT_EQ(stream.push('a'), "\uFFFDa");
  EXPECT_EQ(stream.push(256), "");
  EXPECT_EQ(stream.flush(), "\uFFFD");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(stream.push(256), "");  // a new stream
  EXPECT_EQ(stream.push(257), "😀");
}

TEST(Detokenizer, StreamedPiecesJoinToTheWholeText) {
  const Tokenizer tokenizer = byte_tokenizer();
  RandomText random(11);
  for (int round = 0; round < 500; ++round) {
    std::vector<int32_t> ids;
    for (const char c : random.bytes(40)) ids.push_back(static_cast<uint8_t>(c));
    for (uint32_t extra = random.below(4); extra > 0; --extra) ids.insert(ids.begin() + random.below(ids.size() + 1), 256 + random.below(4));
    std::string joined, raw;
    Detokenizer stream(tokenizer.vocab());
    for (const int32_t id : ids) {
      const std::string text = stream.push(id);
      ASSERT_TRUE(utf8::is_valid(text));
      joined += text;
      raw += tokenizer.vocab().bytes(id);
    }
    const std::string rest = stream.flush();
    ASSERT_TRUE(utf8::is_valid(rest));
    joined += rest;
    ASSERT_EQ(joined, tokenizer.decode(ids));
    ASSERT_EQ(joined, utf8::repair(raw));
  }
}

TEST(Detokenizer, ControlTokensAreTextOnlyWhenWanted) {
  const Tokenizer tokenizer = byte_tokenizer();
  const std::vector<int32_t> ids{'a', 258, 'b', 259, 'c'};
  EXPECT_EQ(tokenizer.decode(ids), "a<|end|>bc");  // padding stands for nothing
  EXPECT_EQ(tokenizer.decode(ids, {.skip_special = true}), "abc");
}

TEST(Detokenizer, AnIdThatIsNoTokenIsAnError) {
  const Tokenizer tokenizer = byte_tokenizer();
  for (const int32_t id : {-1, 260, 1 << 30, std::numeric_limits<int32_t>::min()}) {
    EXPECT_THROW(tokenizer.decode(std::vector{id}), Error) << id;
    EXPECT_THROW(Detokenizer(tokenizer.vocab()).push(id), Error) << id;
  }
}

TEST(Detokenizer, TakesTheSpaceThatEncodingAddedAwayOnce) {
  const auto owned = sentence_piece_vocab();
  const int32_t space = owned->add("▁"), hi = owned->add("▁hi");
  const Tokenizer tokenizer(owned->view());
  EXPECT_EQ(tokenizer.decode(std::vector{hi, hi}), "hi hi");
  EXPECT_EQ(tokenizer.decode(std::vector{space, hi}), " hi");
  EXPECT_EQ(tokenizer.decode(std::vector{1, hi}), "<s> hi");  // the reference strips only at the very start
  EXPECT_EQ(tokenizer.decode(std::vector{1, hi}, {.skip_special = true}), "hi");
  EXPECT_EQ(tokenizer.decode(std::vector{hi}, {.continues = true}), " hi");
  Detokenizer stream(tokenizer.vocab());
  EXPECT_EQ(stream.push(hi), "hi");
  EXPECT_EQ(stream.push(hi), " hi");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(stream.push(hi), "hi");
}

TEST(Detokenizer, ByteTokensOfSentencePieceJoin) {
  const auto owned = sentence_piece_vocab();
  const Tokenizer tokenizer(owned->view());
  std::vector<int32_t> ids;
  for (const char c : std::string("é😀")) ids.push_back(3 + static_cast<uint8_t>(c));
  EXPECT_EQ(tokenizer.decode(ids), "é😀");
  ids.pop_back();
  EXPECT_EQ(tokenizer.decode(ids), "é\uFFFD");
}

}  // namespace
}  // namespace glint
