// SPDX-License-Identifier: Apache-2.0
//
// Reads the tokenizer.* keys of a GGUF file into VocabData, and into a chat template's variables. The only place in glint
// that knows their names.
#include <limits>

#include "base/check.h"
#include "text/chat.h"
#include "text/vocab.h"

namespace glint {
namespace {

// Ids are written as unsigned or signed 32-bit numbers; 2^32-1 and -1 both mean "none" and become -1.
int32_t to_id(const gguf::Metadata& metadata, std::string_view key, int64_t value) {
  if (value == std::numeric_limits<uint32_t>::max()) return -1;
  if (value < -1 || value > std::numeric_limits<int32_t>::max()) {
    fail("{}: {} is {}, which is not a token id", metadata.file_name(), key, value);
  }
  return static_cast<int32_t>(value);
}

std::optional<int32_t> optional_id(const gguf::Metadata& metadata, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (metadata.contains(key)) return to_id(metadata, key, metadata.integer(key));
  }
  return std::nullopt;
}

std::optional<bool> optional_flag(const gguf::Metadata& metadata, std::string_view key) {
  return metadata.contains(key) ? std::optional(metadata.boolean(key)) : std::nullopt;
}

// Scores are floats, in a few old files integers.
std::vector<float> scores(const gguf::Metadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.ggml.scores";
  if (!metadata.contains(kKey)) return {};
  const std::vector<double> numbers = metadata.numbers(kKey);
  return {numbers.begin(), numbers.end()};
}

std::vector<int32_t> types(const gguf::Metadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  std::vector<int32_t> out;
  if (!metadata.contains(kKey)) return out;
  for (const int64_t type : metadata.integers(kKey)) {
    out.push_back(type < 0 || type > 99 ? 99 : static_cast<int32_t>(type));  // what is not a type stays none
  }
  return out;
}

}  // namespace

VocabData vocab_from_gguf(const gguf::Metadata& metadata) {
  VocabData data;
  data.source = metadata.file_name();
  data.architecture = metadata.string_or("general.architecture", "");
  data.model = metadata.string("tokenizer.ggml.model");
  data.pre = metadata.string_or("tokenizer.ggml.pre", "");
  data.tokens = metadata.strings("tokenizer.ggml.tokens");
  data.scores = scores(metadata);
  data.types = types(metadata);
  if (data.model == "gpt2" || data.model == "gemma4") data.merges = metadata.strings("tokenizer.ggml.merges");
  if (data.model == "gpt2" && data.pre.empty()) {
    fail("{}: tokenizer.ggml.pre is missing: how text is split is unknown. If you know the rule, name it with "
         "--override-kv tokenizer.ggml.pre=str:NAME", data.source);
  }
  SpecialIds& special = data.special;
  special.bos = optional_id(metadata, {"tokenizer.ggml.bos_token_id"});
  special.eos = optional_id(metadata, {"tokenizer.ggml.eos_token_id"});
  special.eot = optional_id(metadata, {"tokenizer.ggml.eot_token_id"});
  special.eom = optional_id(metadata, {"tokenizer.ggml.eom_token_id"});
  special.unk = optional_id(metadata, {"tokenizer.ggml.unknown_token_id"});
  special.pad = optional_id(metadata, {"tokenizer.ggml.padding_token_id"});
  special.fim_prefix = optional_id(metadata, {"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"});
  special.fim_suffix = optional_id(metadata, {"tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"});
  special.fim_middle = optional_id(metadata, {"tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"});
  constexpr std::string_view kMoreEos = "tokenizer.ggml.eos_token_ids";  // in some writers' files
  if (metadata.contains(kMoreEos)) {
    for (const int64_t id : metadata.integers(kMoreEos)) data.more_eos.push_back(to_id(metadata, kMoreEos, id));
  }
  data.add_bos = optional_flag(metadata, "tokenizer.ggml.add_bos_token");
  data.add_eos = optional_flag(metadata, "tokenizer.ggml.add_eos_token");
  data.add_space_prefix = optional_flag(metadata, "tokenizer.ggml.add_space_prefix");
  return data;
}

std::map<std::string, std::string> template_tokens(const gguf::Metadata& metadata) {
  std::map<std::string, std::string> tokens;
  if (!metadata.contains("tokenizer.ggml.tokens")) return tokens;
  const auto& names = metadata.strings("tokenizer.ggml.tokens");
  const auto add = [&](const char* variable, std::string_view key) {
    const int64_t id = metadata.integer_or(std::string(key), -1);
    if (id >= 0 && static_cast<size_t>(id) < names.size())
      tokens[variable] = std::string(names[static_cast<size_t>(id)]);
  };
  add("bos_token", "tokenizer.ggml.bos_token_id");
  add("eos_token", "tokenizer.ggml.eos_token_id");
  add("unk_token", "tokenizer.ggml.unknown_token_id");
  add("pad_token", "tokenizer.ggml.padding_token_id");
  return tokens;
}

}  // namespace glint
