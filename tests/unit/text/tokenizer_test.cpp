// SPDX-License-Identifier: Apache-2.0
//
// Encoding whole texts: added tokens, normalization, byte fallback, hostile bytes, and runs of one character class in
// little stack.
#include "text/tokenizer.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <nlohmann/json.hpp>

#include <thread>

#include "base/check.h"
#include "tests/unit/text/random_text.h"
#include "tests/unit/sanitizers.h"
#include "tests/unit/text/vocabularies.h"

namespace glint {
namespace {

using Ids = std::vector<int32_t>;

std::string repeat(std::string_view unit, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  return text;
}

TEST(Tokenizer, AnUnknownPreTokenizerIsAnError) {
  const auto owned = byte_vocab("no-such-family");
  EXPECT_THROW(Tokenizer(owned->view()), Error);
}

TEST(Tokenizer, GivenPatternsReplaceTheName) {
  const auto owned = byte_vocab("");
  owned->add("ab");
  owned->merges = {"a b"};
  owned->data.patterns = {"[^b]+|b"};
  EXPECT_EQ(Tokenizer(owned->view()).encode("ab"), (Ids{'a', 'b'}));
  owned->data.patterns = {".+"};
  EXPECT_EQ(Tokenizer(owned->view()).encode("ab"), (Ids{256}));
}

TEST(Tokenizer, ByteBpeGivesEveryTextBack) {
  for (const std::string_view name : PreTokenizer::names()) {
    const PreTokenizerTraits traits = PreTokenizer(name).traits();
    const auto owned = byte_vocab(std::string(name));
    owned->add("th");
    owned->add("the");
    owned->add("Ġthe");
    owned->merges = {"t h", "th e", "Ġ the"};
    const Tokenizer tokenizer(owned->view());
    RandomText random(17);
    for (int round = 0; round < 100; ++round) {
      const std::string text = random.text(30);
      const std::string back = tokenizer.decode(tokenizer.encode(text));
      if (traits.nfc) {
        EXPECT_EQ(tokenizer.encode(back), tokenizer.encode(text)) << name;
      } else {
        ASSERT_EQ(back, text) << name;
      }
    }
  }
}

TEST(Tokenizer, WholePiecesOnlyInFamiliesThatIgnoreMerges) {
  for (const char* name : {"glm4", "deepseek-v3"}) {
    const auto owned = byte_vocab(name);
    owned->add("xy");  // no merge leads to it
    const Ids expected = std::string(name) == "glm4" ? Ids{256} : Ids{'x', 'y'};
    EXPECT_EQ(Tokenizer(owned->view()).encode("xy"), expected) << name;
  }
}

TEST(Tokenizer, Qwen2TextIsComposedFirst) {
  const auto composes = [](const char* name) {
    const auto owned = byte_vocab(name);
    owned->add("<e\u0301>", TokenType::kUserDefined);
    const Tokenizer tokenizer(owned->view());
    EXPECT_EQ(tokenizer.encode("<e\u0301>"), (Ids{256}));  // added tokens are matched in the text as it is
    return tokenizer.decode(tokenizer.encode("e\u0301")) == "\u00E9";
  };
  EXPECT_TRUE(composes("qwen2"));
  EXPECT_FALSE(composes("glm4"));
}

TEST(Tokenizer, AddsWhatTheVocabularyAsksFor) {
  const auto owned = byte_vocab("gpt-2");
  owned->add("<s>", TokenType::kControl);
  owned->add("</s>", TokenType::kControl);
  owned->data.special = {.bos = 256, .eos = 257};
  owned->data.add_bos = true;
  owned->data.add_eos = true;
  const Tokenizer tokenizer(owned->view());
  EXPECT_EQ(tokenizer.encode("a"), (Ids{'a'}));
  EXPECT_EQ(tokenizer.encode("a", {.add_special = true}), (Ids{256, 'a', 257}));
  EXPECT_EQ(tokenizer.encode("", {.add_special = true}), (Ids{256, 257}));
  // A template that writes the token itself: two of them by the vocabulary's rule, one on request.
  EXPECT_EQ(tokenizer.encode("<s>a", {.add_special = true, .parse_special = true}), (Ids{256, 256, 'a', 257}));
  EXPECT_EQ(tokenizer.encode("<s>a", {.add_special = true, .parse_special = true, .single_bos = true}), (Ids{256, 'a', 257}));
  EXPECT_EQ(tokenizer.encode("a", {.add_special = true, .single_bos = true}), (Ids{256, 'a', 257}));
  // Without the flag in the file the family decides.
  owned->data.add_bos.reset();
  EXPECT_FALSE(Tokenizer(owned->view()).vocab().add_bos());
  owned->data.pre = "llama-bpe";
  EXPECT_TRUE(Tokenizer(owned->view()).vocab().add_bos());
  owned->data.special.bos.reset();
  EXPECT_FALSE(Tokenizer(owned->view()).vocab().add_bos());
}

TEST(Tokenizer, NoUserTextBecomesAControlToken) {
  // In SentencePiece vocabularies "<s>" could be merged from "<" and "s>", which is an ordinary piece.
  const auto owned = sentence_piece_vocab();
  owned->add("<");
  owned->add("s");
  owned->add(">");
  const int32_t s_end = owned->add("s>");
  const Tokenizer tokenizer(owned->view());
  for (const int32_t id : tokenizer.encode("<s>")) EXPECT_FALSE(tokenizer.vocab().is_special(id));
  EXPECT_EQ(tokenizer.encode("<s>").back(), s_end);
  for (const int32_t id : tokenizer.encode("<0x41>")) EXPECT_NE(id, 3 + 0x41);  // nor a byte token
  if (!has_shared()) return;
  for (const char* name : {"llama-spm", "phi-3", "llama-bpe", "qwen2", "gpt-2", "starcoder", "command-r", "gemma-4"}) {
    const Tokenizer real = load_tokenizer(shared_path("data/vocab/ggml-vocab-" + std::string(name) + ".gguf"));
    for (const int32_t id : real.vocab().added()) {
      const std::string text(real.vocab().bytes(id));
      for (const int32_t got : real.encode("x" + text + "y")) ASSERT_FALSE(real.vocab().is_special(got)) << name << " " << text;
      if (real.vocab().is_special(id)) continue;
      EXPECT_EQ(std::ranges::count(real.encode("x" + text), id), 1) << name << " " << text;
    }
  }
}

// The text after an added token is encoded as if it stood alone, in every family (SentencePiece's space before it too).
TEST(Tokenizer, TextAfterAnAddedTokenIsTheTextAlone) {
  if (!has_shared()) GTEST_SKIP() << "no reference data folder";
  for (const char* name : {"deepseek_v3", "gemma", "glm4", "gpt_oss", "llama", "llama2", "mistral", "phi3", "qwen2"}) {
    const Tokenizer tokenizer = load_tokenizer(shared_path("golden/" + std::string(name) + ".gguf"));
    for (const int32_t id : tokenizer.vocab().added()) {
      const std::string token(tokenizer.vocab().bytes(id));
      if (token.find_first_not_of(" \n") == std::string::npos) continue;  // runs of blanks join what follows
      // Phi-3's tokens, three apart, take along the blanks after them.
      const bool strips = std::string(name) == "phi3" && token != "<unk>" && token != "<s>" && token != "<|endoftext|>";
      for (const std::string text : {"user", " user"}) {
        Ids expected = tokenizer.encode(strips ? "user" : text);
        expected.insert(expected.begin(), id);
        EXPECT_EQ(tokenizer.encode(token + text, {.parse_special = true}), expected) << name << " " << token;
        if (tokenizer.vocab().add_space_prefix()) continue;
        EXPECT_EQ(tokenizer.decode(expected), token + text) << name;
      }
    }
  }
}

TEST(Tokenizer, CharactersThatSentencePieceLacksAreBytes) {
  const auto owned = sentence_piece_vocab();
  const int32_t space = owned->add("▁"), a = owned->add("a");
  const Tokenizer tokenizer(owned->view());
  EXPECT_EQ(tokenizer.encode("aé"), (Ids{space, a, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("aé 😀 a")), "aé 😀 a");
}

TEST(Tokenizer, WithoutByteTokensARunOfUnknownCharactersIsOneUnknownToken) {
  OwnedVocab owned;
  owned.data.model = "llama";
  owned.add("<unk>", TokenType::kUnknown);
  owned.add("▁");
  owned.add("a");
  owned.data.special.unk = 0;
  EXPECT_EQ(Tokenizer(owned.view()).encode("aéé\na é"), (Ids{1, 2, 0, 2, 1, 0}));
  owned.data.special.unk.reset();
  owned.tokens[0] = "<none>";
  EXPECT_EQ(Tokenizer(owned.view()).encode("aéé\na é"), (Ids{1, 2, 2, 1}));  // nothing can say it
}

// SentencePiece by its own definition, on strings: of all neighbours whose joined text is a piece merge the one of the
// highest score, the leftmost first.
TEST(Tokenizer, SentencePieceMergesByScoreAsDefined) {
  if (!has_shared()) GTEST_SKIP() << "no reference data folder";
  const gguf::File file = gguf::File::open(shared_path("data/vocab/ggml-vocab-llama-spm.gguf"));
  const VocabData data = vocab_from_gguf(file.metadata());
  const Tokenizer tokenizer(data);
  RandomText random(23);
  for (int round = 0; round < 300; ++round) {
    const std::string text = random.text(12);
    std::vector<std::string> symbols;
    const std::string spaced = " " + text;
    for (size_t i = 0; i < spaced.size();) {
      const int size = utf8::decode(spaced, i).size;
      symbols.push_back(spaced.substr(i, size));
      i += size;
    }
    for (;;) {
      size_t best = symbols.size();
      float best_score = 0;
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto id = tokenizer.vocab().find_piece(symbols[i] + symbols[i + 1]);
        if (id && (best == symbols.size() || data.scores[*id] > best_score)) {
          best = i;
          best_score = data.scores[*id];
        }
      }
      if (best == symbols.size()) break;
      symbols[best] += symbols[best + 1];
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    Ids expected;
    for (const std::string& symbol : symbols) {
      if (const auto id = tokenizer.vocab().find_piece(symbol)) {
        expected.push_back(*id);
      } else {
        for (const char c : symbol) expected.push_back(3 + static_cast<uint8_t>(c));
      }
    }
    ASSERT_EQ(tokenizer.encode(text), expected) << testing::PrintToString(text);
  }
}

TEST(Tokenizer, APieceWithASpaceInsideIsFoundAcrossWords) {
  const auto owned = sentence_piece_vocab();
  owned->add("▁");
  owned->add(">");
  owned->add("<", TokenType::kNormal, -5);
  owned->add("▁<", TokenType::kNormal, -2);
  const int32_t whole = owned->add(">▁<", TokenType::kNormal, -3);
  const Tokenizer tokenizer(owned->view());
  EXPECT_EQ(tokenizer.encode("> <").back(), whole);
}

TEST(Tokenizer, InvalidUtf8IsReadAsReplacementCharacters) {
  const auto byte_bpe = byte_vocab("glm4");
  const auto sentence_piece = sentence_piece_vocab();
  const Tokenizer tokenizers[] = {Tokenizer(byte_bpe->view()), Tokenizer(sentence_piece->view())};
  for (const Tokenizer& tokenizer : tokenizers) {
    for (const std::string& text : {std::string("\xE2\x80"), std::string("\xFF"), std::string("\xC0\x80"), std::string("\xED\xA0\x80"),
                                   std::string("\x80"), std::string("a\0b", 3)}) {
      EXPECT_EQ(tokenizer.encode(text), tokenizer.encode(utf8::repair(text)));
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), utf8::repair(text));
    }
    RandomText random(31);
    const std::string noise = random.bytes(1 << 20);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(noise)), utf8::repair(noise));
  }
}

// Runs `action` on a thread with 256 KiB of stack: what a server's worker may have.
void with_small_stack(const std::function<void()>& action) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 << 10), 0);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&action)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

constexpr std::string_view kRuns[] = {"Z", ".", " ", "\n", "中", "\u0301", "us", "😀", "1", " \n", "<", "<|user|>", "\u0301\u0323"};

void expect_runs_are_fine(const Tokenizer& tokenizer) {
  constexpr size_t kLength = (kSanitized ? 256 : 2048) << 10;  // both far beyond what recursion or quadratic time would bear
  for (const std::string_view unit : kRuns) {
    const std::string text = repeat(unit, kLength);
    Ids ids;
    with_small_stack([&] { ids = tokenizer.encode(text); });
    EXPECT_FALSE(ids.empty()) << unit;
    // A run tokenizes like a shorter run of it as far from the end as any merge can reach.
    const Ids shorter = tokenizer.encode(repeat(unit, 64 << 10));
    const size_t same = shorter.size() / 2;
    EXPECT_TRUE(std::equal(shorter.begin(), shorter.begin() + static_cast<std::ptrdiff_t>(same), ids.begin())) << unit;
  }
}

TEST(Tokenizer, LongRunsOfOneClassNeedNeitherStackNorQuadraticTime) {
  const auto byte_bpe = byte_vocab("qwen2");  // which composes as well
  byte_bpe->add("ZZ");
  byte_bpe->add("ZZZZ");
  byte_bpe->add("..");
  byte_bpe->merges = {"Z Z", "ZZ ZZ", ". ."};
  byte_bpe->add("<|user|>", TokenType::kControl);
  expect_runs_are_fine(Tokenizer(byte_bpe->view()));
  const auto sentence_piece = sentence_piece_vocab();
  for (const char* piece : {"▁", "▁▁", "▁▁▁▁", "Z", "ZZ", "us", "u", "s", "中"}) sentence_piece->add(piece);
  expect_runs_are_fine(Tokenizer(sentence_piece->view()));
}

TEST(Tokenizer, LongRunsInEveryFamily) {
  for (const std::string_view name : PreTokenizer::names()) {
    const auto owned = byte_vocab(std::string(name));
    const Tokenizer tokenizer(owned->view());
    for (const std::string_view unit : kRuns) {
      const std::string text = repeat(unit, 64 << 10) + "x";
      with_small_stack([&] { EXPECT_GE(tokenizer.encode(text).size(), text.size() / 2) << name << " " << unit; });
    }
  }
}

TEST(Tokenizer, LongRunsInRealVocabularies) {
  if (!has_shared()) GTEST_SKIP() << "no reference data folder";
  for (const char* name : {"llama-spm", "deepseek-llm"}) {
    expect_runs_are_fine(load_tokenizer(shared_path("data/vocab/ggml-vocab-" + std::string(name) + ".gguf")));
  }
}

TEST(Tokenizer, ThreadsShareATokenizer) {
  const auto owned = byte_vocab("glm4");
  owned->add("th");
  owned->merges = {"t h"};
  const Tokenizer tokenizer(owned->view());
  const std::string text = repeat("the cat thinks that ", 20000);
  const Ids expected = tokenizer.encode(text);
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) threads.emplace_back([&] { result = tokenizer.encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

TEST(Tokenizer, MovesWithItsVocabulary) {
  const auto owned = byte_vocab("glm4");
  owned->add("<think>", TokenType::kUserDefined);
  Tokenizer first(owned->view());
  const Tokenizer second = std::move(first);
  EXPECT_EQ(second.encode("a<think>"), (Ids{'a', 256}));
}

// A chapter of a novel under SmolLM2's real vocabulary, as llama.cpp has it (tests/data/smollm2_perplexity.json).
TEST(Tokenizer, SmolLm2) {
  const std::string path = std::string(GLINT_TEST_DATA) + "/../../.cache/smollm2.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no SmolLM2; tools/setup.sh fetches it";
  const Tokenizer tokenizer = load_tokenizer(path);
  const auto reference = nlohmann::json::parse(read_text(std::string(GLINT_TEST_DATA) + "/smollm2_perplexity.json"));
  const std::string text = read_text(std::string(GLINT_TEST_DATA) + "/persuasion.txt");
  EXPECT_EQ(tokenizer.encode(text, {.add_special = true}), reference["ids"].get<Ids>());
  EXPECT_EQ(tokenizer.decode(reference["ids"].get<Ids>()), text);
  // Digits stand alone, and the chat markers are one token each.
  EXPECT_EQ(tokenizer.encode("2024").size(), 4u);
  EXPECT_EQ(tokenizer.encode("<|im_start|>user\n", {.parse_special = true}).front(), 1);
  EXPECT_TRUE(tokenizer.vocab().is_end_of_generation(2));
}

}  // namespace
}  // namespace glint
