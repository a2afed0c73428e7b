// SPDX-License-Identifier: Apache-2.0
#include "text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "tests/unit/text/random_text.h"
#include "tests/unit/text/vocabularies.h"

namespace glint {
namespace {

using testing::HasSubstr;

TEST(PreTokenizer, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  for (const char* name : {"", "Default", "glm5", "llama-bpe "}) {
    try {
      PreTokenizer unknown{std::string_view(name)};
      FAIL() << "'" << name << "' was taken";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("'" + std::string(name) + "' is not known"));
      EXPECT_THAT(error.what(), HasSubstr(" glm4 "));
      EXPECT_THAT(error.what(), HasSubstr("--override-kv tokenizer.ggml.pre=str:"));
    }
  }
}

TEST(PreTokenizer, NamesAreSortedAndWithoutRepeats) {
  const auto names = PreTokenizer::names();
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  for (const char* name : {"glm4", "chatglm-bpe", "llama-bpe", "llama3", "qwen2", "deepseek-llm", "deepseek-coder", "deepseek-v3",
                           "deepseek-r1-qwen", "gpt-2", "tekken", "gpt-4o", "starcoder", "refact", "command-r", "smollm", "default"}) {
    EXPECT_THAT(names, testing::Contains(name));
  }
}

TEST(PreTokenizer, PiecesOfEveryFamilyJoinToTheText) {
  RandomText random(3);
  std::vector<std::string> texts{""};
  for (int i = 0; i < 200; ++i) texts.push_back(random.text(40));
  for (const std::string_view name : PreTokenizer::names()) {
    const PreTokenizer pre_tokenizer(name);
    for (const std::string& text : texts) {
      std::vector<std::string_view> pieces{"kept"};
      pre_tokenizer.split(text, pieces);
      std::string joined;
      for (const std::string_view piece : pieces) {
        ASSERT_FALSE(piece.empty());
        joined += piece;
      }
      ASSERT_EQ(joined, "kept" + text) << name;
    }
  }
}

TEST(PreTokenizer, TraitsOfFamilies) {
  for (const char* name : {"glm4", "chatglm-bpe", "llama-bpe", "tekken", "gpt-4o"}) {
    EXPECT_TRUE(PreTokenizer(std::string_view(name)).traits().ignore_merges) << name;
  }
  for (const char* name : {"qwen2", "deepseek-v3", "gpt-2", "smollm"}) {
    EXPECT_FALSE(PreTokenizer(std::string_view(name)).traits().ignore_merges) << name;
  }
  EXPECT_TRUE(PreTokenizer("qwen2").traits().nfc);
  EXPECT_FALSE(PreTokenizer("deepseek-r1-qwen").traits().nfc);
  EXPECT_TRUE(PreTokenizer("llama-bpe").traits().add_bos);
  EXPECT_FALSE(PreTokenizer("glm4").traits().add_bos);
}

TEST(PreTokenizer, GivenPatternsApplyOneAfterTheOther) {
  const std::vector<std::string> patterns{"[0-9]+", "[0-9]{1,3}"};
  std::vector<std::string_view> pieces;
  PreTokenizer(patterns).split("ab12345c", pieces);
  EXPECT_THAT(pieces, testing::ElementsAre("ab", "123", "45", "c"));
}

// tests/data/pre_tokens.json, made by tools/make_pre_token_cases.py with Hugging Face's tokenizers.
TEST(PreTokenizer, SplitsAsTheReferenceDoes) {
  const auto json = nlohmann::json::parse(read_text(std::string(GLINT_TEST_DATA) + "/pre_tokens.json"));
  const auto texts = json["texts"].get<std::vector<std::string>>();
  ASSERT_EQ(texts.size(), 500u);
  for (const auto& [name, lengths] : json["lengths"].items()) {
    const PreTokenizer pre_tokenizer{std::string_view(name)};
    ASSERT_EQ(lengths.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      std::vector<std::string_view> pieces;
      pre_tokenizer.split(texts[i], pieces);
      std::string got;  // one character a piece, '0' and on for its length in bytes
      for (const std::string_view piece : pieces) got.push_back(static_cast<char>('0' + piece.size()));
      EXPECT_EQ(got, lengths[i].get<std::string>()) << name << " " << testing::PrintToString(texts[i]);
    }
  }
  EXPECT_EQ(json["lengths"].size(), 16u);
}

}  // namespace
}  // namespace glint
