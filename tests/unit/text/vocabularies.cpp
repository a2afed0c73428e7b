// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/text/vocabularies.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace glint {

std::string byte_spelling(int byte) {
  const auto printable = [](int b) { return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE; };
  int code_point = byte;
  if (!printable(byte)) {
    code_point = 0x100;
    for (int b = 0; b < byte; ++b) code_point += !printable(b);
  }
  std::string out;
  utf8::append(out, static_cast<char32_t>(code_point));
  return out;
}

std::unique_ptr<OwnedVocab> byte_vocab(const std::string& pre) {
  auto vocab = std::make_unique<OwnedVocab>();
  vocab->data.model = "gpt2";
  vocab->data.pre = pre;
  for (int byte = 0; byte < 256; ++byte) vocab->add(byte_spelling(byte));
  return vocab;
}

std::unique_ptr<OwnedVocab> sentence_piece_vocab() {
  auto vocab = std::make_unique<OwnedVocab>();
  vocab->data.model = "llama";
  vocab->data.pre = "default";
  vocab->add("<unk>", TokenType::kUnknown);
  vocab->add("<s>", TokenType::kControl);
  vocab->add("</s>", TokenType::kControl);
  for (int byte = 0; byte < 256; ++byte) vocab->add(fmt::format("<0x{:02X}>", byte), TokenType::kByte);
  vocab->data.special = {.bos = 1, .eos = 2, .unk = 0};
  return vocab;
}

std::unique_ptr<OwnedVocab> glm_vocab() {
  const auto json = nlohmann::json::parse(read_text(shared_path("data/glm/tokenizer.json")));
  auto vocab = std::make_unique<OwnedVocab>();
  vocab->data.model = "gpt2";
  vocab->data.pre = "glm4";
  vocab->data.special = {.bos = 154822, .eos = 154820, .eot = 154827, .eom = 154829, .unk = 154820, .pad = 154820};
  const auto& pieces = json["model"]["vocab"];
  vocab->tokens.resize(154880);
  vocab->types.assign(154880, static_cast<int32_t>(TokenType::kUnused));
  vocab->scores.assign(154880, 0);
  for (const auto& [text, id] : pieces.items()) {
    vocab->tokens.at(id) = text;
    vocab->types.at(id) = static_cast<int32_t>(TokenType::kNormal);
  }
  for (const auto& token : json["added_tokens"]) {
    const std::string text = token["content"];
    // The converter's rule: control if declared special or of the form <|...|>.
    const bool control = token["special"] || (text.starts_with("<|") && text.ends_with("|>"));
    vocab->tokens.at(token["id"]) = text;
    vocab->types.at(token["id"]) = static_cast<int32_t>(control ? TokenType::kControl : TokenType::kUserDefined);
  }
  for (size_t id = pieces.size() + json["added_tokens"].size(); id < vocab->tokens.size(); ++id) {
    vocab->tokens[id] = fmt::format("[PAD{}]", id);
  }
  for (const auto& merge : json["model"]["merges"]) {
    vocab->merges.push_back(merge.is_string() ? merge.get<std::string>()
                                              : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  return vocab;
}

}  // namespace glint
