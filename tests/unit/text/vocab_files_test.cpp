// SPDX-License-Identifier: Apache-2.0
//
// Real vocabularies with texts and the ids that Hugging Face's tokenizers gave for them: NAME.gguf.inp holds the texts,
// separated by a marker line, NAME.gguf.out a line of ids for each.
#include <gtest/gtest.h>

#include <sstream>

#include "tests/unit/text/vocabularies.h"

namespace glint {
namespace {

std::vector<std::string> split(const std::string& text, const std::string& marker) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at = text.find(marker); at != std::string::npos; at = text.find(marker, begin)) {
    parts.push_back(text.substr(begin, at - begin));
    begin = at + marker.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

class VocabFile : public testing::TestWithParam<const char*> {};

TEST_P(VocabFile, EveryTextGivesItsIds) {
  if (!has_shared()) GTEST_SKIP() << "no reference data folder";
  const std::string path = shared_path("data/vocab/ggml-vocab-" + std::string(GetParam()) + ".gguf");
  const Tokenizer tokenizer = load_tokenizer(path);
  const std::vector<std::string> texts = split(read_text(path + ".inp"), "\n__ggml_vocab_test__\n");
  std::istringstream lines(read_text(path + ".out"));
  ASSERT_GT(texts.size(), 40u);
  size_t checked = 0;
  for (const std::string& text : texts) {
    std::string line;
    if (!std::getline(lines, line)) break;
    std::istringstream numbers(line);
    std::vector<int32_t> expected;
    for (int32_t id; numbers >> id;) expected.push_back(id);
    EXPECT_EQ(tokenizer.encode(text), expected) << testing::PrintToString(text);
    ++checked;
  }
  EXPECT_GE(checked + 1, texts.size());  // the files end in a marker with nothing after it
}

INSTANTIATE_TEST_SUITE_P(Text, VocabFile,
                         testing::Values("command-r", "deepseek-llm", "gemma-4", "gpt-2", "llama-bpe", "llama-spm", "phi-3",
                                         "qwen2", "starcoder"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace glint
