// SPDX-License-Identifier: Apache-2.0
#include "text/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/check.h"
#include "base/printable.h"

namespace glint {
namespace {

constexpr int kMostPasses = 6;

struct Family {
  std::string_view name;
  std::array<Scanner, kMostPasses> passes;  // unused ones null
  PreTokenizerTraits traits;
};

// Traits by what they mean, so that a row reads as a sentence.
constexpr PreTokenizerTraits kPlain{};
constexpr PreTokenizerTraits kNfc{.nfc = true};
constexpr PreTokenizerTraits kWhole{.ignore_merges = true};
constexpr PreTokenizerTraits kWholeAndBos{.ignore_merges = true, .add_bos = true};

// ignore_merges is set for the tokenizers that were converted from tiktoken, which looks a piece up before it merges.
constexpr auto kFamilies = std::to_array<Family>({
    {"a.x-4.0", {scan::gpt2}, kPlain},
    {"chatglm-bpe", {scan::llama3}, kWhole},
    {"codeshell", {scan::digit, scan::gpt2}, kPlain},
    {"command-r", {scan::digit, scan::gpt2}, kNfc},
    {"dbrx", {scan::llama3}, kWhole},
    {"deepseek-coder",
     {scan::newline, scan::deepseek_coder_word, scan::deepseek_coder_punctuation, scan::deepseek_llm_cjk, scan::digit},
     kPlain},
    {"deepseek-llm",
     {scan::newline, scan::deepseek_llm_word, scan::deepseek_llm_punctuation, scan::trailing_space,
      scan::deepseek_llm_cjk, scan::digit},
     kPlain},
    {"deepseek-r1-qwen", {scan::qwen2}, kPlain},
    {"deepseek-v3", {scan::up_to_three_digits, scan::deepseek_v3_cjk, scan::deepseek_v3}, kPlain},
    {"default", {scan::punctuation, scan::gpt2, scan::digits, scan::three_ascii_digits}, kPlain},
    {"exaone", {scan::digit, scan::gpt2}, kPlain},
    {"exaone4", {scan::gpt2}, kPlain},
    {"falcon", {scan::punctuation_and_backtick, scan::gpt2, scan::three_ascii_digits}, kPlain},
    {"falcon-h1", {scan::llama3}, kWholeAndBos},
    {"falcon3", {scan::llama3}, kWholeAndBos},
    {"gigachat", {scan::gpt2}, kPlain},
    {"glm4", {scan::llama3}, kWhole},
    {"gpt-2", {scan::gpt2}, kPlain},
    {"gpt-4o", {scan::o200k}, kWhole},
    {"granite-docling", {scan::gpt2}, kPlain},
    {"grok-2", {scan::qwen2}, kPlain},
    {"hunyuan", {scan::qwen2}, kPlain},
    {"hunyuan-dense", {scan::up_to_three_digits, scan::deepseek_v3_cjk, scan::deepseek_v3}, kPlain},
    {"jais", {scan::gpt2}, kPlain},
    {"joyai-llm", {scan::up_to_three_digits, scan::deepseek_v3_cjk, scan::deepseek_v3}, kPlain},
    {"kanana2", {scan::o200k}, kWhole},
    {"kormo", {scan::qwen2}, kPlain},
    {"laguna", {scan::lines, scan::qwen2}, kPlain},
    {"lfm2", {scan::llama3}, kWholeAndBos},
    {"llama-bpe", {scan::llama3}, kWholeAndBos},
    {"llama-v3", {scan::llama3}, kWholeAndBos},
    {"llama3", {scan::llama3}, kWholeAndBos},
    {"llama4", {scan::o200k}, kWhole},
    {"megrez", {scan::qwen2}, kPlain},
    {"mellum", {scan::gpt2}, kPlain},
    {"mellum2", {scan::digit, scan::gpt2}, kPlain},
    {"midm-2.0", {scan::llama3}, kWholeAndBos},
    {"minerva-7b", {scan::digit, scan::gpt2}, kPlain},
    {"minicpm5", {scan::up_to_three_digits, scan::llama3}, kWhole},
    {"minimax-m2", {scan::o200k}, kPlain},
    {"mpt", {scan::gpt2}, kNfc},
    {"olmo", {scan::gpt2}, kNfc},
    {"phi-2", {scan::gpt2}, kPlain},
    {"pixtral", {scan::llama3}, kWholeAndBos},
    {"qwen2", {scan::qwen2}, kNfc},
    {"qwen35", {scan::qwen35}, kNfc},
    {"refact", {scan::digit, scan::gpt2}, kPlain},
    {"smaug-bpe", {scan::llama3}, kPlain},
    {"smollm", {scan::digit, scan::gpt2}, kPlain},
    {"solar-open", {scan::qwen2}, kPlain},
    {"stablelm2", {scan::qwen2}, kPlain},
    {"starcoder", {scan::digit, scan::gpt2}, kPlain},
    {"tekken", {scan::tekken}, kWholeAndBos},
    {"trillion", {scan::gpt2}, kPlain},
});

// Families too rare for a scanner.
struct PatternFamily {
  std::string_view name;
  std::array<const char*, 2> patterns;  // unused ones null
};

constexpr const char* kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr auto kPatternFamilies = std::to_array<PatternFamily>({
    {"bailingmoe",
     {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"}},
    {"bailingmoe2",
     {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"}},
    {"bloom", {kBloom}},
    {"gpt3-finnish", {kBloom}},
    {"llada-moe",
     {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"}},
    {"poro-chat", {kBloom}},
    {"seed-coder",
     {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)"}},
    {"viking", {kBloom, R"(\p{N})"}},
});

}  // namespace

PreTokenizer::PreTokenizer(std::string_view name) {
  const auto named = [&](const auto& family) { return family.name == name; };
  if (const auto family = std::ranges::find_if(kFamilies, named); family != kFamilies.end()) {
    traits_ = family->traits;
    std::ranges::copy_if(family->passes, std::back_inserter(scanners_), [](Scanner scanner) { return scanner != nullptr; });
    return;
  }
  const auto family = std::ranges::find_if(kPatternFamilies, named);
  if (family == kPatternFamilies.end()) {
    fail("pre-tokenizer '{}' is not known; text would be split wrongly. Known are: {}. If one of these splits as this "
         "model's does, name it with --override-kv tokenizer.ggml.pre=str:NAME", printable(name), fmt::join(names(), " "));
  }
  for (const char* pattern : family->patterns) {
    if (pattern != nullptr) patterns_.emplace_back(pattern);
  }
}

PreTokenizer::PreTokenizer(std::span<const std::string> patterns) {
  for (const std::string& pattern : patterns) patterns_.emplace_back(pattern);
}

void PreTokenizer::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  if (text.empty()) return;
  std::vector<std::string_view> before{text}, after;
  const auto pass = [&](const auto& split_one) {
    after.clear();
    for (const std::string_view piece : before) split_one(piece);
    before.swap(after);
  };
  for (const Scanner scanner : scanners_) {
    pass([&](std::string_view rest) {
      while (!rest.empty()) {
        const size_t length = scanner(rest);
        GLINT_DCHECK(length > 0 && length <= rest.size());
        after.push_back(rest.substr(0, length));
        rest.remove_prefix(length);
      }
    });
  }
  for (const RegexSplitter& pattern : patterns_) pass([&](std::string_view piece) { pattern.split(piece, after); });
  pieces.insert(pieces.end(), before.begin(), before.end());
}

std::vector<std::string_view> PreTokenizer::names() {
  std::vector<std::string_view> all;
  for (const Family& family : kFamilies) all.push_back(family.name);
  for (const PatternFamily& family : kPatternFamilies) all.push_back(family.name);
  std::ranges::sort(all);
  return all;
}

}  // namespace glint
