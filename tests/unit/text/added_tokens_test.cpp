// SPDX-License-Identifier: Apache-2.0
#include "text/added_tokens.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "tests/unit/text/random_text.h"
#include "tests/unit/text/vocabularies.h"

namespace glint {
namespace {

struct Fixture {
  explicit Fixture(std::unique_ptr<OwnedVocab> owned_vocab) : owned(std::move(owned_vocab)) {}
  const Vocab& vocab() {
    if (!built) built.emplace(owned->view());
    return *built;
  }
  std::unique_ptr<OwnedVocab> owned;
  std::optional<Vocab> built;
};

Fixture small() {
  Fixture f(byte_vocab("gpt-2"));
  f.owned->add("<|user|>", TokenType::kControl);       // 256
  f.owned->add("<|user|>x", TokenType::kUserDefined);  // 257
  f.owned->add("<think>", TokenType::kUserDefined);    // 258
  f.owned->add("<", TokenType::kUnknown);              // 259
  return f;
}

std::vector<int32_t> found(const AddedTokens& tokens, std::string_view text, const AddedTokens::Rules& rules) {
  std::vector<int32_t> ids;
  size_t from = 0;
  while (const auto match = tokens.find(text, from, rules)) {
    EXPECT_LE(from, match->begin);
    EXPECT_LT(match->begin, match->end);
    ids.push_back(match->id);
    from = match->end;
  }
  return ids;
}

using Ids = std::vector<int32_t>;

TEST(AddedTokens, MatchesTheLeftmostAndThenTheLongest) {
  Fixture f = small();
  const AddedTokens tokens(f.vocab(), {});
  EXPECT_EQ(found(tokens, "<|user|>", {.control = true}), (Ids{256}));
  EXPECT_EQ(found(tokens, "<|user|>x", {.control = true}), (Ids{257}));
  EXPECT_EQ(found(tokens, "<|user|", {.control = true}), (Ids{259}));
  EXPECT_EQ(found(tokens, "a<think><|user|>", {.control = true}), (Ids{258, 256}));
  EXPECT_EQ(found(tokens, "", {.control = true}), Ids{});
}

TEST(AddedTokens, ControlTokensOnlyOnRequest) {
  Fixture f = small();
  const AddedTokens tokens(f.vocab(), {});
  EXPECT_EQ(found(tokens, "<|user|><think><|user|>x<", {}), (Ids{258, 257}));
}

TEST(AddedTokens, NoControlTokenTouchesALiteralRange) {
  Fixture f = small();
  const AddedTokens tokens(f.vocab(), {});
  const std::string text = "<|user|> <|user|> <|user|>";  // tokens at 0, 9 and 18
  const auto with = [&](std::vector<ByteRange> ranges) { return found(tokens, text, {.control = true, .literal = ranges}); };
  EXPECT_EQ(with({}), (Ids{256, 256, 256}));
  // In the second one the unknown token "<" is blocked as well.
  EXPECT_EQ(with({{9, 17}}), (Ids{256, 256}));
  EXPECT_EQ(with({{9, 10}}), (Ids{256, 256}));
  EXPECT_EQ(with({{16, 17}}), (Ids{256, 259, 256}));  // "<" itself does not touch it
  EXPECT_EQ(with({{8, 9}, {17, 18}}), (Ids{256, 256, 256}));  // beside the tokens
  EXPECT_EQ(with({{0, text.size()}}), Ids{});
  EXPECT_EQ(with({{12, 12}}), (Ids{256, 256, 256}));  // empty
  // User-defined tokens are matched inside all the same.
  const std::vector<ByteRange> all{{0, 100}};
  EXPECT_EQ(found(tokens, "<think>", {.control = true, .literal = all}), (Ids{258}));
}

TEST(AddedTokens, StripsWhiteSpaceAfterTheTokensToldTo) {
  Fixture f = small();
  const int32_t strips[] = {258};
  const AddedTokens tokens(f.vocab(), strips);
  EXPECT_EQ(tokens.find("<think> \n\u3000 a", 0, {})->end, 7u + 1 + 1 + 3 + 1);
  EXPECT_EQ(tokens.find("<think>", 0, {})->end, 7u);
  EXPECT_EQ(tokens.find("<|user|>x ", 0, {})->end, 9u);
}

TEST(AddedTokens, RunsOfSpacesAreAlsoFoundAsSentencePieceWritesThem) {
  Fixture f(sentence_piece_vocab());
  const int32_t two = f.owned->add("  ", TokenType::kUserDefined), three = f.owned->add("▁▁▁", TokenType::kUserDefined);
  const AddedTokens tokens(f.vocab(), {});
  EXPECT_EQ(found(tokens, "a  b   c▁▁d▁▁▁e▁ f", {}), (Ids{two, three, two, three}));
}

TEST(AddedTokens, MatchesAsTheDefinitionSaysForRandomTokens) {
  RandomText random(9);
  for (int round = 0; round < 200; ++round) {
    Fixture f(byte_vocab("gpt-2"));
    std::vector<std::string> texts;
    for (int i = 0; i < 12; ++i) {
      std::string text;
      for (uint32_t n = 1 + random.below(5); n > 0; --n) text.push_back(static_cast<char>('a' + random.below(3)));
      if (std::find(texts.begin(), texts.end(), text) != texts.end()) continue;
      texts.push_back(text);
      f.owned->add(text, TokenType::kUserDefined);
    }
    const AddedTokens tokens(f.vocab(), {});
    std::string text;
    for (int i = 0; i < 40; ++i) text.push_back(static_cast<char>('a' + random.below(4)));
    Ids expected;
    for (size_t i = 0; i < text.size();) {
      size_t longest = 0;
      for (size_t t = 0; t < texts.size(); ++t) {
        if (text.compare(i, texts[t].size(), texts[t]) == 0 && texts[t].size() > longest) {
          if (longest != 0) expected.pop_back();
          expected.push_back(256 + static_cast<int32_t>(t));
          longest = texts[t].size();
        }
      }
      i += std::max<size_t>(1, longest);
    }
    ASSERT_EQ(found(tokens, text, {}), expected) << text;
  }
}

TEST(AddedTokens, ATokenLongerThanAnyRealOneIsAnError) {
  Fixture f(byte_vocab("gpt-2"));
  f.owned->add(std::string(257, 'a'), TokenType::kUserDefined);
  EXPECT_THROW(AddedTokens(f.vocab(), {}), Error);
}

}  // namespace
}  // namespace glint
