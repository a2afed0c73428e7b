// SPDX-License-Identifier: Apache-2.0
//
// Encoding and decoding of any bytes with small vocabularies of all three models: never a crash, always valid UTF-8, and
// byte-level BPE gives back the (repaired) text. The first byte picks the vocabulary and the options.
#include <cstdlib>
#include <fmt/format.h>
#include <memory>

#include "base/utf8.h"
#include "text/tokenizer.h"

namespace {

using namespace glint;

std::string spelled(int byte) {
  const auto printable = [](int b) { return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE; };
  int code_point = printable(byte) ? byte : 0x100;
  for (int b = 0; b < byte && !printable(byte); ++b) code_point += !printable(b);
  std::string out;
  utf8::append(out, static_cast<char32_t>(code_point));
  return out;
}

Tokenizer make(const std::string& model, const std::string& pre) {
  std::vector<std::string> tokens, merges;
  VocabData data;
  data.model = model;
  data.pre = pre;
  const auto add = [&](const std::string& token, TokenType type) {
    tokens.push_back(token);
    data.types.push_back(static_cast<int32_t>(type));
    data.scores.push_back(static_cast<float>(-static_cast<int>(tokens.size() % 7)));
  };
  const bool byte_level = model == "gpt2";
  for (int byte = 0; byte < 256; ++byte) {
    add(byte_level ? spelled(byte) : fmt::format("<0x{:02X}>", byte), byte_level ? TokenType::kNormal : TokenType::kByte);
  }
  for (const char* control : {"<s>", "<|user|>", "<|"}) add(control, TokenType::kControl);
  for (const char* user : {"<think>", "  ", "\n\n"}) add(user, TokenType::kUserDefined);
  const std::string space = byte_level ? "Ġ" : "▁";
  if (!byte_level) {
    for (const std::string& one : {space, std::string("a"), std::string("b"), std::string("é")}) add(one, TokenType::kNormal);
  }
  for (const auto& [left, right] : {std::pair<std::string, std::string>{"a", "b"}, {"ab", "ab"}, {"b", "a"}, {space, "a"}}) {
    add(left + right, TokenType::kNormal);
    merges.push_back(left + " " + right);
  }
  data.special.bos = 256;
  data.add_bos = true;
  data.tokens.assign(tokens.begin(), tokens.end());
  data.merges.assign(merges.begin(), merges.end());
  if (model != "llama") data.scores.clear();
  return Tokenizer(data);
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const Tokenizer tokenizers[] = {make("gpt2", "glm4"),         make("gpt2", "gpt-2"),          make("gpt2", "gpt-4o"),
                                         make("gpt2", "deepseek-v3"),  make("gpt2", "deepseek-llm"),   make("gpt2", "deepseek-coder"),
                                         make("gpt2", "default"),      make("gpt2", "viking"),         make("llama", ""),
                                         make("gemma4", "")};
  if (size == 0) return 0;
  const size_t choice = bytes[0] % std::size(tokenizers);
  const bool parse = bytes[0] & 0x80;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const ByteRange literal[] = {{size / 4, size / 2}};
  const Tokenizer& tokenizer = tokenizers[choice];
  const std::vector<int32_t> ids =
      tokenizer.encode(text, {.parse_special = parse, .literal = parse ? std::span(literal) : std::span<const ByteRange>{}});
  const std::string decoded = tokenizer.decode(ids);
  require(utf8::is_valid(decoded));
  if (tokenizer.vocab().model() == TokenizerModel::kByteBpe) require(decoded == utf8::repair(text));
  Detokenizer stream(tokenizer.vocab(), {.skip_special = true});
  for (const int32_t id : ids) require(utf8::is_valid(stream.push(id)));
  for (const int32_t id : ids) require(parse || !tokenizer.vocab().is_special(id));
  return 0;
}
