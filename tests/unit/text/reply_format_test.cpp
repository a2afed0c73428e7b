// SPDX-License-Identifier: Apache-2.0
//
// What a template tells about replies, on the templates of real models.
#include "text/reply_format.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace glint {
namespace {

std::string template_of(const std::string& name) {
  std::ifstream file(std::string(GLINT_SHARED) + "/data/templates/" + name + ".jinja");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Expected {
  const char* name;
  CallSyntax calls;
  const char* open;
  bool thinks;
  bool older = false;
};

TEST(ReplyFormat, IsDetectedFromRealTemplates) {
  if (!std::filesystem::exists(std::string(GLINT_SHARED) + "/data/templates")) GTEST_SKIP() << "no templates here";
  for (const Expected& expected : {
           Expected{"GLM-4.7-Flash", CallSyntax::kGlm, "<think>", true},
           Expected{"GLM-4.6", CallSyntax::kGlm, "<think>", true},
           Expected{"Qwen-Qwen3-0.6B", CallSyntax::kHermes, "<think>", true},
           Expected{"Qwen-Qwen2.5-7B-Instruct", CallSyntax::kHermes, "<think>", false},
           Expected{"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", CallSyntax::kHermes, "<think>", false},
           Expected{"Qwen3-Coder", CallSyntax::kFunction, "<think>", false},
           Expected{"Qwen3.5-4B", CallSyntax::kFunction, "<think>", true},
           Expected{"meta-llama-Llama-3.1-8B-Instruct", CallSyntax::kLlama, "<think>", false},
           Expected{"meta-llama-Llama-3.2-3B-Instruct", CallSyntax::kLlama, "<think>", false},
           Expected{"mistralai-Mistral-Nemo-Instruct-2407", CallSyntax::kMistral, "<think>", false, true},
           Expected{"unsloth-mistral-Devstral-Small-2507", CallSyntax::kMistral, "<think>", false},
           Expected{"mistralai-Ministral-3-14B-Reasoning-2512", CallSyntax::kMistral, "[THINK]", true},
           Expected{"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", CallSyntax::kDeepSeek, "<think>", true, true},
           Expected{"deepseek-ai-DeepSeek-V3.1", CallSyntax::kDeepSeek, "<think>", true},
           Expected{"openai-gpt-oss-120b", CallSyntax::kHarmony, "<|channel|>analysis<|message|>", true},
           Expected{"google-gemma-2-2b-it", CallSyntax::kNone, "<think>", false},
           Expected{"microsoft-Phi-3.5-mini-instruct", CallSyntax::kNone, "<think>", false},
       }) {
    SCOPED_TRACE(expected.name);
    const std::string text = template_of(expected.name);
    ASSERT_FALSE(text.empty());
    const ReplyFormat format = ReplyFormat::detect(text);
    EXPECT_STREQ(name_of(format.calls), name_of(expected.calls));
    EXPECT_EQ(format.thinking.open, expected.open);
    EXPECT_EQ(format.thinking_anywhere, expected.thinks);
    EXPECT_EQ(format.older_calls, expected.older);
  }
}

TEST(ReplyFormat, TellsHowAReplyStarts) {
  ReplyFormat format = ReplyFormat::detect("... <think> ...");
  EXPECT_EQ(thinking_start("<|assistant|><think>\n", format), ThinkingStart::kInside);
  EXPECT_EQ(thinking_start("<|assistant|></think>", format), ThinkingStart::kNone);
  EXPECT_EQ(thinking_start("<|assistant|><think>\n\n</think>\n\n", format), ThinkingStart::kNone);
  EXPECT_EQ(thinking_start("<|assistant|>", format), ThinkingStart::kMayOpen);
  format = ReplyFormat::detect("no tags");
  EXPECT_EQ(thinking_start("<|assistant|>", format), ThinkingStart::kNone);
  EXPECT_EQ(thinking_start("", format), ThinkingStart::kNone);
}

}  // namespace
}  // namespace glint
