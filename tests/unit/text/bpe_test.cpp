// SPDX-License-Identifier: Apache-2.0
//
// BPE and its merge tables against the plain definition: look for the best pair, merge it, begin again.
#include "text/bpe.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/check.h"
#include "tests/unit/text/random_text.h"
#include "tests/unit/text/vocabularies.h"

namespace glint {
namespace {

std::vector<int32_t> by_definition(const MergeTable& merges, std::vector<int32_t> ids) {
  for (;;) {
    size_t best = ids.size();
    uint32_t best_rank = std::numeric_limits<uint32_t>::max();
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      if (ids[i] < 0 || ids[i + 1] < 0) continue;
      const Merge merge = merges.find(ids[i], ids[i + 1]);
      if (merge.result >= 0 && merge.rank < best_rank) {
        best = i;
        best_rank = merge.rank;
      }
    }
    if (best == ids.size()) return ids;
    ids[best] = merges.find(ids[best], ids[best + 1]).result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// A vocabulary of random strings over a, b, c, so that merges compete a lot.
std::unique_ptr<OwnedVocab> random_vocab(RandomText& random, bool scores) {
  auto vocab = scores ? sentence_piece_vocab() : byte_vocab("gpt-2");
  std::vector<std::string> pieces{"a", "b", "c"};
  if (scores) {
    for (const std::string& piece : pieces) vocab->add(piece);
  }
  for (int i = 0; i < 60; ++i) {
    const std::string left = pieces[random.below(pieces.size())], right = pieces[random.below(pieces.size())];
    if (left.size() + right.size() > 12) continue;
    if (std::find(pieces.begin(), pieces.end(), left + right) == pieces.end()) {
      pieces.push_back(left + right);
      vocab->add(left + right, TokenType::kNormal, static_cast<float>(random.below(20)));
    }
    vocab->merges.push_back(left + " " + right);
  }
  return vocab;
}

TEST(Bpe, MergesAsDefinedForRandomVocabularies) {
  RandomText random(5);
  for (int round = 0; round < 300; ++round) {
    const auto owned = random_vocab(random, round % 2 == 0);
    const Vocab vocab(owned->view());
    const MergeTable merges = round % 2 == 0 ? MergeTable::from_scores(vocab, owned->data.scores)
                                             : MergeTable::from_merges(vocab, owned->data);
    BpeMerger merger(merges);
    for (int text = 0; text < 10; ++text) {
      std::vector<int32_t> ids{1000, 1001};  // what is before `first` stays
      for (uint32_t i = 1 + random.below(60); i > 0; --i) {
        const char letter = static_cast<char>('a' + random.below(3));
        ids.push_back(random.below(30) == 0 ? -1 : *vocab.find_piece({&letter, 1}));
      }
      std::vector<int32_t> expected = by_definition(merges, {ids.begin() + 2, ids.end()});
      expected.insert(expected.begin(), {1000, 1001});
      merger.merge(ids, 2);
      ASSERT_EQ(ids, expected);
    }
  }
}

TEST(Bpe, OfEqualRanksTheLeftmostGoesFirst) {
  const auto owned = byte_vocab("gpt-2");
  const int32_t aa = owned->add("aa");
  owned->merges = {"a a"};
  const Vocab vocab(owned->view());
  const MergeTable merges = MergeTable::from_merges(vocab, owned->data);
  std::vector<int32_t> ids(5, 'a');
  BpeMerger(merges).merge(ids, 0);
  EXPECT_EQ(ids, (std::vector<int32_t>{aa, aa, 'a'}));
}

TEST(Bpe, ShortSequencesStay) {
  const auto owned = byte_vocab("gpt-2");
  const Vocab vocab(owned->view());
  const MergeTable merges = MergeTable::from_merges(vocab, owned->data);
  for (size_t n = 0; n < 3; ++n) {
    std::vector<int32_t> ids(n, 'a');
    BpeMerger(merges).merge(ids, 0);
    EXPECT_EQ(ids.size(), n);
  }
}

TEST(MergeTable, TheFirstOfRepeatedMergesHolds) {
  const auto owned = byte_vocab("gpt-2");
  const int32_t ab = owned->add("ab");
  owned->add("bc");
  owned->merges = {"a b", "b c", "a b"};
  const Vocab vocab(owned->view());
  const MergeTable merges = MergeTable::from_merges(vocab, owned->data);
  EXPECT_EQ(merges.size(), 2u);
  EXPECT_EQ(merges.find('a', 'b').rank, 0u);
  EXPECT_EQ(merges.find('a', 'b').result, ab);
  EXPECT_EQ(merges.find('b', 'a').result, -1);
  EXPECT_EQ(merges.find(-5, 1 << 30).result, -1);
}

TEST(MergeTable, MergesThatNameAbsentTokensAreErrors) {
  for (const char* merge : {"a b", "a xyz", "xyz a", "ab", "a ", " a", "", " "}) {
    const auto owned = byte_vocab("gpt-2");
    owned->merges = {merge};
    const Vocab vocab(owned->view());
    EXPECT_THROW(MergeTable::from_merges(vocab, owned->data), Error) << "'" << merge << "'";
  }
}

TEST(MergeTable, ErrorsNameTheMergeAndTheToken) {
  const auto owned = byte_vocab("gpt-2");
  owned->data.source = "x.gguf";
  owned->merges = {"q u"};
  const Vocab vocab(owned->view());
  try {
    MergeTable::from_merges(vocab, owned->data);
    FAIL();
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("x.gguf: tokenizer.ggml.merges: entry 0 ('q u') needs the token 'qu'"), std::string::npos) << what;
  }
}

TEST(MergeTable, FromScoresKnowsEverySplitOfEveryPiece) {
  const auto owned = sentence_piece_vocab();
  const int32_t a = owned->add("a"), b = owned->add("b"), ab = owned->add("ab", TokenType::kNormal, -1);
  const int32_t ba = owned->add("ba", TokenType::kNormal, -1), aba = owned->add("aba", TokenType::kNormal, -7);
  owned->add("<s>b");  // the control token <s> is no part of a text
  const Vocab vocab(owned->view());
  const MergeTable merges = MergeTable::from_scores(vocab, owned->data.scores);
  EXPECT_EQ(merges.size(), 4u);
  EXPECT_EQ(merges.find(a, b).result, ab);
  EXPECT_EQ(merges.find(ab, a).result, aba);
  EXPECT_EQ(merges.find(a, ba).result, aba);
  EXPECT_EQ(merges.find(1, b).result, -1);
  EXPECT_EQ(merges.find(a, b).rank, merges.find(b, a).rank);  // equal scores
  EXPECT_LT(merges.find(a, b).rank, merges.find(a, ba).rank);
}

TEST(MergeTable, APieceLongerThanAnyRealOneIsAnError) {
  const auto owned = sentence_piece_vocab();
  owned->add(std::string(257, 'a'));
  const Vocab vocab(owned->view());
  EXPECT_THROW(MergeTable::from_scores(vocab, owned->data.scores), Error);
}

}  // namespace
}  // namespace glint
