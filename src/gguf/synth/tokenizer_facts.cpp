// SPDX-License-Identifier: Apache-2.0
#include "gguf/synth/tokenizer_facts.h"

namespace glint::gguf {

namespace {

using Role = std::pair<std::string_view, std::string_view>;
using Flag = std::pair<std::string_view, bool>;
constexpr auto kUser = TokenType::kUserDefined;

constexpr SpecialToken kGlmSpecial[] = {{"<|endoftext|>"},
                                        {"[MASK]"},
                                        {"[gMASK]"},
                                        {"[sMASK]"},
                                        {"<sop>"},
                                        {"<eop>"},
                                        {"<|system|>"},
                                        {"<|user|>"},
                                        {"<|assistant|>"},
                                        {"<|observation|>"},
                                        {"<|begin_of_image|>"},
                                        {"<|end_of_image|>"},
                                        {"<|begin_of_video|>"},
                                        {"<|end_of_video|>"},
                                        {"<|begin_of_audio|>"},
                                        {"<|end_of_audio|>"},
                                        {"<|begin_of_transcription|>"},
                                        {"<|end_of_transcription|>"},
                                        {"<|code_prefix|>"},
                                        {"<|code_middle|>"},
                                        {"<|code_suffix|>"},
                                        {"<think>", kUser},
                                        {"</think>", kUser},
                                        {"<tool_call>", kUser},
                                        {"</tool_call>", kUser},
                                        {"<tool_response>", kUser},
                                        {"</tool_response>", kUser},
                                        {"<arg_key>", kUser},
                                        {"</arg_key>", kUser},
                                        {"<arg_value>", kUser},
                                        {"</arg_value>", kUser},
                                        {"/nothink", kUser},
                                        {"<|begin_of_box|>"},
                                        {"<|end_of_box|>"},
                                        {"<|image|>"},
                                        {"<|video|>"}};
constexpr Role kGlmRoles[] = {{"eos_token_id", "<|endoftext|>"},     {"padding_token_id", "<|endoftext|>"},
                              {"bos_token_id", "[gMASK]"},           {"eot_token_id", "<|user|>"},
                              {"unknown_token_id", "<|endoftext|>"}, {"eom_token_id", "<|observation|>"}};

constexpr SpecialToken kLlamaSpecial[] = {
    {"<|begin_of_text|>"}, {"<|end_of_text|>"}, {"<|start_header_id|>"}, {"<|end_header_id|>"}, {"<|eot_id|>"}};
constexpr Role kLlamaRoles[] = {{"bos_token_id", "<|begin_of_text|>"}, {"eos_token_id", "<|eot_id|>"}};
constexpr Flag kAddBos[] = {{"add_bos_token", true}};

constexpr SpecialToken kQwenSpecial[] = {
    {"<|endoftext|>"}, {"<|im_start|>"}, {"<|im_end|>"}, {"<think>", kUser}, {"</think>", kUser}};
constexpr Role kQwenRoles[] = {
    {"eos_token_id", "<|im_end|>"}, {"padding_token_id", "<|endoftext|>"}, {"bos_token_id", "<|endoftext|>"}};
constexpr Flag kNoBos[] = {{"add_bos_token", false}};

constexpr SpecialToken kOssSpecial[] = {{"<|startoftext|>"}, {"<|endoftext|>"}, {"<|return|>"}, {"<|start|>"},
                                        {"<|message|>"},     {"<|channel|>"},   {"<|end|>"}};
constexpr Role kOssRoles[] = {
    {"bos_token_id", "<|startoftext|>"}, {"eos_token_id", "<|return|>"}, {"padding_token_id", "<|endoftext|>"}};

constexpr SpecialToken kGemmaSpecial[] = {
    {"<pad>"}, {"<eos>"}, {"<bos>"}, {"<unk>", TokenType::kUnknown}, {"<start_of_turn>"}, {"<end_of_turn>"}};
constexpr Role kGemmaRoles[] = {
    {"bos_token_id", "<bos>"}, {"eos_token_id", "<eos>"}, {"unknown_token_id", "<unk>"}, {"padding_token_id", "<pad>"}};
constexpr Flag kGemmaFlags[] = {{"add_bos_token", true}, {"add_eos_token", false}, {"add_space_prefix", false}};

constexpr SpecialToken kPhiSpecial[] = {
    {"<unk>", TokenType::kUnknown}, {"<s>"}, {"</s>"}, {"<|endoftext|>"}, {"<|assistant|>"}, {"<|user|>"}, {"<|end|>"}};
constexpr Role kPhiRoles[] = {{"bos_token_id", "<s>"},
                              {"eos_token_id", "<|endoftext|>"},
                              {"unknown_token_id", "<unk>"},
                              {"padding_token_id", "<|endoftext|>"}};
constexpr Flag kPhiFlags[] = {{"add_bos_token", true}, {"add_eos_token", false}};

}  // namespace

constexpr TokenizerFacts kGlmTokenizer = {"gpt2", "glm4", kGlmSpecial, kGlmRoles, {}};
constexpr TokenizerFacts kLlamaTokenizer = {"gpt2", "llama-bpe", kLlamaSpecial, kLlamaRoles, kAddBos};
constexpr TokenizerFacts kQwenTokenizer = {"gpt2", "qwen2", kQwenSpecial, kQwenRoles, kNoBos};
constexpr TokenizerFacts kOssTokenizer = {"gpt2", "gpt-4o", kOssSpecial, kOssRoles, {}};
constexpr TokenizerFacts kGemmaTokenizer = {"llama", "default", kGemmaSpecial, kGemmaRoles, kGemmaFlags};
constexpr TokenizerFacts kPhiTokenizer = {"llama", "default", kPhiSpecial, kPhiRoles, kPhiFlags};

}  // namespace glint::gguf
