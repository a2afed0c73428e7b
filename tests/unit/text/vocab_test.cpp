// SPDX-License-Identifier: Apache-2.0
//
// What a vocabulary refuses, what it reads from GGUF, and which ids it says end a generation.
#include "text/vocab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/check.h"
#include "gguf/writer.h"
#include "tests/unit/text/vocabularies.h"

namespace glint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// A small GGUF with the keys every tokenizer has; `more` adds or replaces nothing but what it is told to.
Vocab vocab_of(const std::function<void(gguf::Writer&)>& more, const std::vector<std::string>& tokens = {"a", "b", "ab"}) {
  gguf::Writer writer;
  writer.add_string("general.architecture", "test");
  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_strings("tokenizer.ggml.tokens", tokens);
  writer.add_strings("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
  more(writer);
  const std::vector<std::byte> image = writer.image();
  const gguf::File file = gguf::File::parse(image, "test.gguf");
  return Vocab(vocab_from_gguf(file.metadata()));
}

void pre(gguf::Writer& writer) { writer.add_string("tokenizer.ggml.pre", "gpt-2"); }

TEST(Vocab, ReadsAGgufFile) {
  const Vocab vocab = vocab_of([](gguf::Writer& writer) {
    pre(writer);
    writer.add_int32s("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 3});
    writer.add_uint32("tokenizer.ggml.bos_token_id", 2);
    writer.add_uint32("tokenizer.ggml.eos_token_id", 1);
    writer.add_bool("tokenizer.ggml.add_bos_token", true);
  });
  EXPECT_EQ(vocab.size(), 3);
  EXPECT_EQ(vocab.bytes(1), "b");
  EXPECT_EQ(vocab.type(2), TokenType::kControl);
  EXPECT_EQ(vocab.special().bos, 2);
  EXPECT_TRUE(vocab.add_bos());
  EXPECT_FALSE(vocab.add_eos());
  EXPECT_EQ(vocab.find_piece("ab"), std::nullopt);  // control tokens are no pieces
  EXPECT_EQ(vocab.find("ab"), 2);
  EXPECT_EQ(vocab.find("c"), std::nullopt);
  EXPECT_THAT(vocab.end_of_generation(), ElementsAre(1));
}

TEST(Vocab, SpecialIdsOutsideTheVocabularyAreErrors) {
  for (const char* key : {"bos", "eos", "eot", "eom", "unknown", "padding", "fim_pre", "fim_suf", "fim_mid"}) {
    const std::string name = std::string("tokenizer.ggml.") + key + "_token_id";
    for (const uint32_t id : {3u, 1u << 31, 0xFFFFFFFEu}) {
      const std::string what = message_of([&] {
        vocab_of([&](gguf::Writer& writer) {
          pre(writer);
          writer.add_uint32(name, id);
        });
      });
      EXPECT_THAT(what, HasSubstr(name)) << id;
      EXPECT_THAT(what, HasSubstr("test.gguf")) << id;
    }
    // Both spellings of "none".
    EXPECT_EQ(vocab_of([&](gguf::Writer& writer) { pre(writer), writer.add_uint32(name, 0xFFFFFFFFu); }).size(), 3);
    EXPECT_EQ(vocab_of([&](gguf::Writer& writer) { pre(writer), writer.add_int32(name, -1); }).size(), 3);
    EXPECT_THROW(vocab_of([&](gguf::Writer& writer) { pre(writer), writer.add_int32(name, -2); }), Error);
    EXPECT_THROW(vocab_of([&](gguf::Writer& writer) { pre(writer), writer.add_uint64(name, 1ull << 40); }), Error);
  }
}

TEST(Vocab, ArraysOfAnotherLengthAreErrors) {
  for (const size_t n : {0, 1, 2, 4}) {
    const std::string types = message_of([&] {
      vocab_of([&](gguf::Writer& writer) {
        pre(writer);
        writer.add_int32s("tokenizer.ggml.token_type", std::vector<int32_t>(n, 1));
      });
    });
    const std::string scores = message_of([&] {
      vocab_of([&](gguf::Writer& writer) {
        pre(writer);
        writer.add_float32s("tokenizer.ggml.scores", std::vector<float>(n, 0));
      });
    });
    if (n == 0) continue;  // an empty array is as good as none
    EXPECT_THAT(types, HasSubstr("token_type")) << n;
    EXPECT_THAT(scores, HasSubstr("scores")) << n;
  }
}

TEST(Vocab, TypesAndScoresThatAreNoneAreErrors) {
  for (const int32_t type : {-1, 7, 1 << 30, std::numeric_limits<int32_t>::min()}) {
    EXPECT_THROW(vocab_of([&](gguf::Writer& writer) {
                   pre(writer);
                   writer.add_int32s("tokenizer.ggml.token_type", std::vector<int32_t>{1, type, 1});
                 }),
                 Error);
  }
  for (const float score : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_THROW(vocab_of([&](gguf::Writer& writer) {
                   pre(writer);
                   writer.add_float32s("tokenizer.ggml.scores", std::vector<float>{1, score, 1});
                 }),
                 Error);
  }
}

TEST(Vocab, AVocabularyOfOneTokenWorks) {
  const auto owned = std::make_unique<OwnedVocab>();
  owned->data.model = "gpt2";
  owned->data.pre = "gpt-2";
  owned->add("a");
  const Tokenizer tokenizer(owned->view());
  EXPECT_EQ(tokenizer.encode("aba"), (std::vector<int32_t>{0, 0}));  // what cannot be written is left out
  VocabData nothing;
  nothing.model = "gpt2";
  nothing.pre = "gpt-2";
  EXPECT_THROW(Vocab{nothing}, Error);
}

TEST(Vocab, MissingKeysAreNamed) {
  const auto without = [](const std::string& skip) {
    return message_of([&] {
      gguf::Writer writer;
      if (skip != "model") writer.add_string("tokenizer.ggml.model", skip == "known model" ? "unigram" : "gpt2");
      if (skip != "pre") writer.add_string("tokenizer.ggml.pre", "gpt-2");
      if (skip != "tokens") writer.add_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a"});
      if (skip != "merges") writer.add_strings("tokenizer.ggml.merges", std::vector<std::string>{});
      const std::vector<std::byte> image = writer.image();
      const gguf::File file = gguf::File::parse(image, "test.gguf");
      Tokenizer(vocab_from_gguf(file.metadata()));
    });
  };
  EXPECT_EQ(without("nothing"), "no error");
  EXPECT_THAT(without("model"), HasSubstr("tokenizer.ggml.model"));
  EXPECT_THAT(without("known model"), HasSubstr("'unigram' is not known, expected gpt2, llama or gemma4"));
  EXPECT_THAT(without("tokens"), HasSubstr("tokenizer.ggml.tokens"));
  EXPECT_THAT(without("merges"), HasSubstr("tokenizer.ggml.merges"));
  EXPECT_THAT(without("pre"), HasSubstr("--override-kv tokenizer.ggml.pre=str:"));
}

TEST(Vocab, ByteLevelSpellingsAreUndone) {
  const auto owned = byte_vocab("gpt-2");
  owned->add("Ġthe");
  owned->add("\u4E2D");  // a token that spells no bytes stands for itself, and no text is composed from it
  owned->add("é", TokenType::kUserDefined);
  const Vocab vocab(owned->view());
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(vocab.bytes(byte), std::string(1, static_cast<char>(byte)));
    EXPECT_EQ(vocab.byte_token(static_cast<uint8_t>(byte)), byte);
  }
  EXPECT_EQ(vocab.bytes(256), " the");
  EXPECT_EQ(vocab.bytes(257), "\u4E2D");
  EXPECT_EQ(vocab.find_piece("\u4E2D"), std::nullopt);
  EXPECT_EQ(vocab.bytes(258), "é");
}

TEST(Vocab, TheNormalTokenOfSeveralWithTheSameBytesIsThePiece) {
  const auto owned = byte_vocab("gpt-2");
  owned->add("ø", TokenType::kUserDefined);
  owned->add(byte_spelling(0xC3) + byte_spelling(0xB8));
  const Vocab vocab(owned->view());
  EXPECT_EQ(vocab.find_piece("ø"), 257);
  EXPECT_EQ(vocab.find("ø"), 256);
}

TEST(Vocab, ByteTokensMustNameAByte) {
  for (const char* name : {"<0x1>", "<0xGG>", "0x41", "<0x041>", "", "<0x41"}) {
    const auto owned = sentence_piece_vocab();
    owned->add(name, TokenType::kByte);
    EXPECT_THROW(Vocab(owned->view()), Error) << name;
  }
}

TEST(Vocab, WithoutTypesRolesMakeControlTokens) {
  const auto owned = byte_vocab("gpt-2");
  owned->add("</done>");
  owned->add("!pad");
  owned->data.special = {.eos = 256, .pad = 257};
  owned->view();
  owned->data.types.clear();
  const Tokenizer tokenizer(owned->data);
  EXPECT_TRUE(tokenizer.vocab().is_special(256));
  EXPECT_FALSE(tokenizer.vocab().is_special(257));  // padding is often an ordinary token
  EXPECT_EQ(tokenizer.encode("</done>", {.parse_special = true}), (std::vector<int32_t>{256}));
  EXPECT_EQ(tokenizer.encode("</done>").size(), 7u);
}

// Ten plain tokens 0 to 9 after the bytes; ends of generation by what the file says.
std::vector<int32_t> ends(const SpecialIds& special, std::vector<int32_t> more = {}) {
  const auto owned = byte_vocab("gpt-2");
  owned->data.special = special;
  owned->data.more_eos = std::move(more);
  const Vocab vocab(owned->view());
  return {vocab.end_of_generation().begin(), vocab.end_of_generation().end()};
}

TEST(EndOfGeneration, IsWhatTheFileNames) {
  EXPECT_THAT(ends({.eos = 7, .eot = 9}), ElementsAre(7, 9));
  EXPECT_THAT(ends({.eot = 9}), ElementsAre(9));
  EXPECT_THAT(ends({.eos = 7, .eot = 7, .eom = 3}), ElementsAre(3, 7));
  EXPECT_THAT(ends({}), IsEmpty());
  EXPECT_THAT(ends({.eos = 1}, {5, 4, 1, -1}), ElementsAre(1, 4, 5));
  EXPECT_THROW(ends({}, {256}), Error);
}

TEST(EndOfGeneration, KnownNamesCountUnlessTheyArePlainText) {
  const auto owned = byte_vocab("qwen2");
  owned->add("<|endoftext|>", TokenType::kControl);
  owned->add("<|im_end|>", TokenType::kUserDefined);
  owned->add("<|eot_id|>");
  owned->data.special = {.eos = 256};
  const Vocab vocab(owned->view());
  EXPECT_THAT(vocab.end_of_generation(), ElementsAre(256, 257));
  EXPECT_TRUE(vocab.is_end_of_generation(257));
  EXPECT_FALSE(vocab.is_end_of_generation(258));
  EXPECT_FALSE(vocab.is_end_of_generation(-1));
}

TEST(EndOfGeneration, GlmStopsWhereTheNextTurnBegins) {
  for (const char* name : {"glm4", "chatglm-bpe", "gpt-2"}) {
    const auto owned = byte_vocab(name);
    owned->add("<|endoftext|>", TokenType::kControl);
    owned->add("<|user|>", TokenType::kControl);
    owned->add("<|assistant|>", TokenType::kControl);
    owned->add("<|observation|>", TokenType::kControl);
    owned->data.special = {.eos = 256};  // as early files have it, without eot and eom
    const Vocab vocab(owned->view());
    if (std::string(name) == "gpt-2") {
      EXPECT_THAT(vocab.end_of_generation(), ElementsAre(256));
    } else {
      EXPECT_THAT(vocab.end_of_generation(), ElementsAre(256, 257, 259));
    }
  }
}

TEST(EndOfGeneration, HarmonyMessagesEndWithoutEndingTheTurn) {
  const auto owned = byte_vocab("gpt-4o");
  owned->add("<|return|>", TokenType::kControl);
  owned->add("<|call|>", TokenType::kControl);
  owned->add("<|end|>", TokenType::kControl);
  EXPECT_THAT(Vocab(owned->view()).end_of_generation(), ElementsAre(256, 257));
  owned->data.special.eot = 258;  // unless the file says otherwise
  EXPECT_THAT(Vocab(owned->view()).end_of_generation(), ElementsAre(256, 257, 258));
}

TEST(EndOfGeneration, RealVocabularies) {
  if (!has_shared()) GTEST_SKIP() << "no reference data folder";
  const auto of = [](const std::string& name) {
    const Tokenizer tokenizer = load_tokenizer(shared_path(name));
    const auto ids = tokenizer.vocab().end_of_generation();
    return std::vector<int32_t>(ids.begin(), ids.end());
  };
  EXPECT_THAT(of("golden/glm4_moe_lite.gguf"), ElementsAre(896, 903, 905));
  EXPECT_THAT(of("data/vocab/ggml-vocab-llama-bpe.gguf"), ElementsAre(128001, 128009));
  EXPECT_THAT(of("data/vocab/ggml-vocab-qwen2.gguf"), ElementsAre(151643, 151645));
  EXPECT_THAT(of("data/vocab/ggml-vocab-llama-spm.gguf"), ElementsAre(2));
  EXPECT_THAT(of("data/vocab/ggml-vocab-gpt-2.gguf"), ElementsAre(50256));
}

TEST(FillInMiddle, IsFoundByName) {
  const auto owned = byte_vocab("glm4");
  owned->add("<|code_prefix|>", TokenType::kControl);
  owned->add("<|code_middle|>", TokenType::kControl);
  owned->add("<|code_suffix|>", TokenType::kControl);
  owned->add("<fim_prefix>");  // plain text
  const Vocab vocab(owned->view());
  EXPECT_EQ(vocab.special().fim_prefix, 256);
  EXPECT_EQ(vocab.special().fim_middle, 257);
  EXPECT_EQ(vocab.special().fim_suffix, 258);
}

}  // namespace
}  // namespace glint
