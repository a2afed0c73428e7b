// SPDX-License-Identifier: Apache-2.0
//
// The models that synth knows, against what is published about them.
#include "gguf/synth/models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "gguf/file.h"
#include "gguf/synth/rope_divisors.h"
#include "tests/unit/gguf/known_model.h"

namespace glint::gguf {
namespace {

using testing::Each;
using testing::FloatNear;
using testing::Pointwise;

struct Published {
  const char* name;
  int64_t n_parameters;
};

// Model cards' counts. Llama 3.1's file has 64 divisors besides, which are no parameters; of Gemma 3 4B's 4300079472,
// 419816304 are the vision tower's and its projection's.
constexpr Published kPublished[] = {
    {"llama-3-8b", 8030261248},     {"llama-3.1-8b", 8030261248 + 64},      {"qwen3-8b", 8190735360},
    {"qwen3-30b-a3b", 30532122624}, {"gemma-3-4b", 4300079472 - 419816304}, {"phi-3-mini", 3821079552}};

TEST(SynthModels, ParametersOfPublishedModels) {
  for (const Published& published : kPublished) {
    const KnownModel& model = known_model(published.name);
    int64_t n_parameters = 0;
    const ModelSketch sketch = model.sketch(model.n_layers, static_cast<int64_t>(model.n_vocab));
    for (const TensorSketch& tensor : sketch.tensors()) {
      int64_t n_values = 1;
      for (int64_t size : tensor.dims) n_values *= size;
      n_parameters += n_values;
    }
    EXPECT_EQ(n_parameters, published.n_parameters) << published.name;
  }
}

// Frequencies whose wavelength is less than 8192 / 4 tokens stay: i < 64 ln(2048 / 2 pi) / ln 5e5 = 28.2. Those above
// 8192 tokens are scaled: i > 64 ln(8192 / 2 pi) / ln 5e5 = 34.98.
TEST(SynthModels, DivisorsOfLlama31) {
  const std::vector<float> divisors = rope_divisors({}, 128);
  ASSERT_EQ(divisors.size(), 64u);
  EXPECT_THAT(std::vector(divisors.begin(), divisors.begin() + 29), Each(1.0f));
  EXPECT_THAT(std::vector(divisors.begin() + 35, divisors.end()), Each(8.0f));
  for (size_t i = 29; i < 35; ++i) {
    EXPECT_GT(divisors[i], divisors[i - 1]);
    EXPECT_LT(divisors[i], 8.0f);
  }
}

TEST(SynthModels, DivisorsOfAConvertedModel) {
  const std::string path = std::string(GLINT_SHARED) + "/golden/llama.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the golden models";
  const File file = File::open(path);
  const HostTensor* tensor = file.find("rope_freqs.weight");
  ASSERT_NE(tensor, nullptr);
  std::vector<float> converted(static_cast<size_t>(tensor->elements()));
  std::memcpy(converted.data(), tensor->bytes.data(), tensor->bytes.size());
  // The converter computes in float: a few roundings of values up to 8.
  EXPECT_THAT(rope_divisors({.original_context = 64}, 64), Pointwise(FloatNear(8 * 8 * 0x1p-23f), converted));
}

}  // namespace
}  // namespace glint::gguf
