// SPDX-License-Identifier: Apache-2.0
//
// The first layers of the real models that `synth` knows, at their own widths, through lint, loading and the CPU
// backend. Vocabularies are small and weights of 1.6 bits, so that no image is much larger than 100 MB.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>

#include "gguf/synth.h"
#include "tests/unit/gguf/known_model.h"
#include "tests/unit/model/golden.h"

namespace glint {
namespace {

using golden::Instance;
using golden::OwnedFile;

OwnedFile first_layers(const std::string& name, int n_layers) {
  gguf::Writer writer;
  gguf::synthesize(gguf::with_small_vocabulary(name), {.type = "iq1_s", .layers = n_layers}, writer);
  return OwnedFile(writer.image());
}

struct Case {
  const char* name;
  int n_layers;
};
// Without this, googletest would print the pointer's bytes.
void PrintTo(const Case& shape, std::ostream* out) {
  *out << shape.name;
}

class FullShapes : public testing::TestWithParam<Case> {};

TEST_P(FullShapes, LoadWithoutComplaintAndGiveAToken) {
  DecoderOptions options;
  options.n_ctx = 64;
  options.max_tokens = 1;
  Instance instance(first_layers(GetParam().name, GetParam().n_layers), options, make_cpu_backend({.n_threads = 2}));
  for (const Finding& finding : instance.model.findings) EXPECT_EQ(finding.level, FindingLevel::kNote) << finding.text;
  const int token = golden::greedy(instance, {65}, 1)[0];
  const std::vector<float> logits = instance.last_logits(0);
  // Random weights of the intended size: unit activations, logits that spread about as much.
  double squares = 0;
  for (float logit : logits) squares += static_cast<double>(logit) * logit;
  const double spread = std::sqrt(squares / static_cast<double>(logits.size()));
  EXPECT_GT(spread, 0.5) << token;
  EXPECT_LT(spread, 3) << token;
}

// Experts: one layer is 118 MB. Gemma: its sixth layer is the first without a window.
INSTANTIATE_TEST_SUITE_P(Published, FullShapes,
                         testing::Values(Case{"llama-3-8b", 2}, Case{"llama-3.1-8b", 2}, Case{"qwen3-8b", 2},
                                         Case{"qwen3-30b-a3b", 1}, Case{"gemma-3-4b", 6}, Case{"phi-3-mini", 2}),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::ranges::replace_if(
                               name, [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace glint
