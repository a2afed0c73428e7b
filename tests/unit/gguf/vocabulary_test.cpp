// SPDX-License-Identifier: Apache-2.0
//
// Vocabularies of synthetic models: the small ones are complete, and a tokenizer.json becomes the arrays that
// llama.cpp's converter writes (for GLM-4.7-Flash: by the digests of a published file).
#include "gguf/synth/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/check.h"
#include "base/sha256.h"
#include "gguf/synth/tokenizer_facts.h"

namespace glint::gguf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr SpecialToken kSpecial[] = {{"<end>"}, {"<think>", TokenType::kUserDefined}};

TEST(Vocabulary, ByteLevelHasEveryByteAndNoTokenTwice) {
  const Vocabulary vocabulary = byte_level_vocabulary(kSpecial, 280, 300);
  ASSERT_EQ(vocabulary.tokens.size(), 300u);
  EXPECT_EQ(vocabulary.types.size(), 300u);
  EXPECT_EQ(std::set(vocabulary.tokens.begin(), vocabulary.tokens.end()).size(), 300u);
  EXPECT_EQ(vocabulary.tokens[' '], "\xc4\xa0");
  EXPECT_EQ(vocabulary.tokens['\n'], "\xc4\x8a");
  EXPECT_EQ(vocabulary.tokens['A'], "A");
  EXPECT_EQ(vocabulary.tokens[0xad], "\xc5\x83");
  EXPECT_EQ(vocabulary.tokens[0xff], "\xc3\xbf");
  EXPECT_EQ(vocabulary.find("<end>"), 280u);
  EXPECT_EQ(vocabulary.types[280], 3);
  EXPECT_EQ(vocabulary.types[281], 4);
  EXPECT_EQ(vocabulary.tokens[282], "[PAD282]");
  EXPECT_EQ(vocabulary.types[282], 5);
  EXPECT_EQ(vocabulary.find("absent"), std::nullopt);
}

TEST(Vocabulary, EveryMergeMakesATokenFromTokens) {
  const Vocabulary vocabulary = byte_level_vocabulary(kSpecial, 280, 300);
  EXPECT_FALSE(vocabulary.merges.empty());
  for (const std::string& merge : vocabulary.merges) {
    const size_t space = merge.find(' ');
    EXPECT_TRUE(vocabulary.find(merge.substr(0, space))) << merge;
    EXPECT_TRUE(vocabulary.find(merge.substr(space + 1))) << merge;
    EXPECT_TRUE(vocabulary.find(merge.substr(0, space) + merge.substr(space + 1))) << merge;
  }
}

TEST(Vocabulary, SentencePieceHasEveryByteAndFallingScores) {
  const Vocabulary vocabulary = sentencepiece_vocabulary(kSpecial, 400);
  ASSERT_EQ(vocabulary.tokens.size(), 400u);
  EXPECT_EQ(vocabulary.scores.size(), 400u);
  EXPECT_EQ(std::set(vocabulary.tokens.begin(), vocabulary.tokens.end()).size(), 400u);
  EXPECT_EQ(vocabulary.find("<0x00>"), 2u);
  EXPECT_EQ(vocabulary.find("<0xFF>"), 257u);
  EXPECT_EQ(vocabulary.types[257], 6);
  EXPECT_EQ(vocabulary.scores[257], 0.0f);
  const auto letter = *vocabulary.find("a");
  EXPECT_GT(vocabulary.scores[letter], vocabulary.scores[letter + 1]);
}

// ---- tokenizer.json

constexpr std::string_view kJson = R"({
  "added_tokens": [
    {"id": 5, "content": "<s>", "special": true},
    {"id": 7, "content": "<think>", "special": false},
    {"id": 8, "content": "<|box|>", "special": false},
    {"id": 9, "content": "a▁b", "special": false},
    {"id": 1, "content": "b", "special": false}
  ],
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġa": 4},
            "merges": [["a", "b"], ["Ġ", "a"], [" x", "y z"]]}
})";

TEST(TokenizerJson, TokensTypesAndMerges) {
  const Vocabulary vocabulary = parse_tokenizer_json(kJson, "t.json");
  EXPECT_THAT(vocabulary.tokens, ElementsAre("a", "b", "Ġ", "ab", "Ġa", "<s>", "[PAD6]", "<think>", "<|box|>", "a b"));
  EXPECT_THAT(vocabulary.types, ElementsAre(1, 4, 1, 1, 1, 3, 5, 4, 3, 4));
  EXPECT_THAT(vocabulary.merges, ElementsAre("a b", "Ġ a", "Ġx yĠz"));
}

TEST(TokenizerJson, OlderFilesHoldMergesAsText) {
  const auto vocabulary =
      parse_tokenizer_json(R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b", "Ġ a"]}})", "t.json");
  EXPECT_THAT(vocabulary.merges, ElementsAre("a b", "Ġ a"));
}

std::string refusal(std::string_view json) {
  try {
    parse_tokenizer_json(json, "t.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(TokenizerJson, RefusalsSayWhatIsWrong) {
  EXPECT_THAT(refusal("{"), StartsWith("t.json: not a tokenizer.json: "));
  EXPECT_THAT(refusal("[]"), HasSubstr("\"model\" is missing"));
  EXPECT_THAT(refusal(R"({"model": {"type": "Unigram"}})"), HasSubstr("found type \"Unigram\""));
  EXPECT_THAT(refusal(R"({"model": {"type": "BPE", "byte_fallback": true}})"), HasSubstr("with byte_fallback"));
  EXPECT_THAT(refusal(R"({"model": {"type": "BPE"}})"), HasSubstr("\"vocab\" is missing"));
  EXPECT_THAT(refusal(R"({"model": {"type": "BPE", "vocab": {}, "merges": []}})"), HasSubstr("no tokens"));
  EXPECT_THAT(refusal(R"({"model": {"type": "BPE", "vocab": {"a": "x"}, "merges": []}})"),
              HasSubstr("not a tokenizer"));
  EXPECT_THAT(refusal(R"({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}})"), HasSubstr("id -1"));
  EXPECT_THAT(refusal(R"({"model": {"type": "BPE", "vocab": {"a": 999999999}, "merges": []}})"),
              HasSubstr("999999999"));
  EXPECT_THAT(refusal(R"({"model": {"type": "BPE", "vocab": {"a": 1, "b": 1}, "merges": []}})"),
              HasSubstr("same id 1"));
  EXPECT_THAT(refusal(R"({"model": {"type": "BPE", "vocab": {"a": 1}, "merges": [["a"]]}})"),
              HasSubstr("a merge that"));
  EXPECT_THAT(refusal(std::string(100000, '[')), StartsWith("t.json: not a tokenizer.json"));
}

template <class Texts>
std::string digest(const Texts& texts) {
  Sha256 hash;
  for (const std::string& text : texts) {
    const uint64_t length = text.size();
    hash.add(std::as_bytes(std::span(&length, 1)));
    hash.add(text);
  }
  return to_hex(hash.digest());
}

// The arrays of the published GLM-4.7-Flash files, as digests of (length, bytes) over all elements.
TEST(TokenizerJson, GlmFlashGivesTheArraysOfPublishedFiles) {
  const std::string path = GLINT_SHARED "/data/glm/tokenizer.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the reference data folder";
  Vocabulary vocabulary = read_tokenizer_json(path);
  EXPECT_EQ(vocabulary.tokens.size(), 154856u);
  vocabulary.pad(154880);
  EXPECT_EQ(vocabulary.merges.size(), 321649u);
  EXPECT_EQ(digest(vocabulary.tokens), "3899fd45ebdb1a0aad252c2280b349f0844287e45c7e3be763844cf01dace5cc");
  EXPECT_EQ(digest(vocabulary.merges), "d6d25b0c72b21425ceb7f6b92bb56b05ef24b61ea3dbb45b037880f41933bc43");
  Sha256 types;
  types.add(std::as_bytes(std::span(vocabulary.types)));
  EXPECT_EQ(to_hex(types.digest()), "dee3060106b017abcc4a2fa9ba429287b0cc246eeb00fc2a38fe6c1ad4274b3a");
  // The list of special tokens that small vocabularies use agrees with the real one.
  for (size_t i = 0; i < kGlmTokenizer.special.size(); ++i) {
    EXPECT_EQ(vocabulary.tokens[154820 + i], kGlmTokenizer.special[i].text);
    EXPECT_EQ(vocabulary.types[154820 + i], static_cast<int32_t>(kGlmTokenizer.special[i].type));
  }
}

}  // namespace
}  // namespace glint::gguf
