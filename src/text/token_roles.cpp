// SPDX-License-Identifier: Apache-2.0
#include "text/token_roles.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "base/check.h"
#include "text/vocab.h"

namespace glint {
namespace {

// End of turn, message or text in the chat formats of the families that glint and llama.cpp know.
constexpr auto kNames = std::to_array<std::string_view>({
    "</s>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<eos>", "<end_of_turn>", "<turn|>", "<|tool_response>",
    "<end_of_utterance>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>",
    "<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "<｜end▁of▁sentence｜>", "[e~[",
    // In code models these end what was asked for: padding, the next repository, the next file.
    "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<|file_sep|>",
});

// GLM marks the end of a turn by the beginning of the next one.
constexpr auto kGlmNames = std::to_array<std::string_view>({"<|user|>", "<|observation|>"});

constexpr auto kFimPrefix = std::to_array<std::string_view>(
    {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>"});
constexpr auto kFimSuffix = std::to_array<std::string_view>(
    {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>"});
constexpr auto kFimMiddle = std::to_array<std::string_view>(
    {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>"});

// The added token of that name; a normal token of the same spelling is only text.
std::optional<int32_t> find_added(const Vocab& vocab, std::string_view name) {
  const auto id = vocab.find(name);
  const bool added = id && (vocab.is_special(*id) || vocab.type(*id) == TokenType::kUserDefined);
  return added ? id : std::nullopt;
}

void find_first(const Vocab& vocab, std::span<const std::string_view> names, std::optional<int32_t>& id) {
  for (size_t i = 0; i < names.size() && !id; ++i) id = find_added(vocab, names[i]);
}

}  // namespace

std::vector<int32_t> find_end_of_generation(const Vocab& vocab, const VocabData& data) {
  std::vector<int32_t> ids;
  const auto named = [&](std::string_view name) { return find_added(vocab, name); };
  const auto add = [&](std::optional<int32_t> id) {
    if (id) ids.push_back(*id);
  };
  for (const std::string_view name : kNames) add(named(name));
  if (data.pre == "glm4" || data.pre == "chatglm-bpe") {
    for (const std::string_view name : kGlmNames) add(named(name));
  }
  // The harmony format ends a message, not the turn, with <|end|>; Gemma 4 has </s> among its tokens but never says it.
  const bool harmony = (named("<|return|>") && named("<|call|>")) || (named("<|flush|>") && named("<|calls|>"));
  if (harmony) std::erase(ids, named("<|end|>").value_or(-1));
  if (named("<|tool_response>")) std::erase(ids, named("</s>").value_or(-1));
  // What the file says holds in any case.
  for (const auto& id : {vocab.special().eos, vocab.special().eot, vocab.special().eom}) add(id);
  for (const int32_t id : data.more_eos) {
    if (id == -1) continue;
    if (id < 0 || id >= vocab.size()) {
      fail("{}: tokenizer.ggml.eos_token_ids names {}, but there are {} tokens", data.source, id, vocab.size());
    }
    add(id);
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

void find_fill_in_middle(const Vocab& vocab, SpecialIds& special) {
  find_first(vocab, kFimPrefix, special.fim_prefix);
  find_first(vocab, kFimSuffix, special.fim_suffix);
  find_first(vocab, kFimMiddle, special.fim_middle);
}

}  // namespace glint
