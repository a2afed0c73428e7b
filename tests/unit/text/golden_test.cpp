// SPDX-License-Identifier: Apache-2.0
//
// The golden models' texts: ids and decoded text as Hugging Face's tokenizers give them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/text/vocabularies.h"

namespace glint {
namespace {

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, TokenizesAndDecodesAsTheReferenceDoes) {
  if (!has_shared()) GTEST_SKIP() << "no reference data folder";
  const std::string path = shared_path("golden/" + std::string(GetParam()));
  const Tokenizer tokenizer = load_tokenizer(path + ".gguf");
  const auto texts = nlohmann::json::parse(read_text(path + ".json"))["texts"];
  ASSERT_EQ(texts.size(), 38u);
  using Ids = std::vector<int32_t>;
  for (const auto& entry : texts) {
    const std::string text = entry["text"];
    SCOPED_TRACE(entry["i"].dump() + " " + nlohmann::json(text).dump());
    const Ids parsed = entry["ids"];
    EXPECT_EQ(tokenizer.encode(text, {.parse_special = true}), parsed);
    EXPECT_EQ(tokenizer.encode(text), entry["ids_no_special"].get<Ids>());
    EXPECT_EQ(tokenizer.encode(text, {.add_special = true, .parse_special = true}), entry["ids_with_bos"].get<Ids>());
    EXPECT_EQ(tokenizer.decode(parsed), entry["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer.decode(parsed, {.skip_special = true}), entry["decoded_skip_special"].get<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(Text, Golden,
                         testing::Values("deepseek_v3", "gemma", "gemma2", "gemma3", "glm4", "glm4_moe", "glm4_moe_lite",
                                         "glm4_moe_lite_mtp", "glm4_moe_lite_realdims", "glm4_moe_qknorm", "gpt_oss",
                                         "llama", "llama2", "mistral", "phi3", "phi3_longrope", "qwen2", "qwen3",
                                         "qwen3_moe"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace glint
