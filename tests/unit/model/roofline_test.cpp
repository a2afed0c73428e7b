// SPDX-License-Identifier: Apache-2.0
//
// Least times against sums made by hand for small models whose every size is known.
#include "model/roofline.h"

#include <gtest/gtest.h>

#include "model/arch/arch.h"
#include "model/kv_cache.h"
#include "model/plan.h"
#include "tests/unit/model/golden.h"

namespace glint {
namespace {

constexpr KvFormat kF16{DType::kF16, DType::kF16};

class RooflineTest : public golden::Test {
 protected:
  static ModelSpec spec_of(const gguf::File& file) {
    std::vector<Finding> findings;
    return read_spec(file, findings);
  }
};

TEST_F(RooflineTest, OneTokenReadsWhatThePlanSays) {
  for (const char* name : {"llama", "gpt_oss", "glm4_moe_lite", "qwen2"}) {
    SCOPED_TRACE(name);
    const gguf::File& file = golden::source(name);
    const ModelSpec spec = spec_of(file);
    const Roofline roofline(file, spec, kF16);
    double biases = 0;
    for (const HostTensor& tensor : file.tensors()) {
      if (tensor.name.find("exps.bias") != std::string::npos || tensor.name.find("_inp.bias") != std::string::npos ||
          (tensor.name.ends_with(".bias") && tensor.name.find("attn_") != std::string::npos)) {
        biases += static_cast<double>(tensor.bytes.size());
      }
    }
    const ModelPlan plan = plan_model(file, spec, kF16);
    const auto row = static_cast<double>(kv_bytes_per_token(spec, kF16));
    // Biases are left out of the least; rounding of whole experts is another byte or two.
    EXPECT_NEAR(roofline.bytes(1, 0), static_cast<double>(plan.bytes_read_per_token) + row, biases + 8);
    EXPECT_LT(roofline.bytes(8, 0), 8 * roofline.bytes(1, 0));
    EXPECT_GE(roofline.bytes(8, 0), roofline.bytes(1, 0) + 7 * row);
  }
}

TEST_F(RooflineTest, AttentionGrowsWithWhatIsCached) {
  const gguf::File& file = golden::source("llama");  // 2 layers, 2 heads of 64, no windows
  const ModelSpec spec = spec_of(file);
  const Roofline roofline(file, spec, kF16);
  EXPECT_DOUBLE_EQ(roofline.flops(1, 100) - roofline.flops(1, 0), 100 * 2 * (2.0 * spec.n_heads * 2 * 64));
  EXPECT_DOUBLE_EQ(roofline.bytes(1, 100) - roofline.bytes(1, 0),
                   100.0 * static_cast<double>(kv_bytes_per_token(spec, kF16)));
}

TEST_F(RooflineTest, WindowsBoundIt) {
  const gguf::File& file = golden::source("gemma3");
  const ModelSpec spec = spec_of(file);
  const Roofline roofline(file, spec, kF16);
  double growing = 0;
  int longest = 0;
  for (const LayerSpec& layer : spec.layers) {
    const int window = std::get<GqaSpec>(layer.attention).window;
    longest = std::max(longest, window);
    if (window == 0) growing += static_cast<double>(kv_bytes(layer, kF16).total());
  }
  ASSERT_GT(longest, 0);
  EXPECT_DOUBLE_EQ(roofline.bytes(1, 2 * longest + 10) - roofline.bytes(1, 2 * longest), 10 * growing);
}

TEST_F(RooflineTest, TheSlowerOfMemoryAndArithmetic) {
  const gguf::File& file = golden::source("llama");
  const Roofline roofline(file, spec_of(file), kF16);
  EXPECT_DOUBLE_EQ(roofline.seconds({1e9, 1e30}, 1, 0), roofline.bytes(1, 0) / 1e9);
  EXPECT_DOUBLE_EQ(roofline.seconds({1e30, 1e9}, 64, 0), roofline.flops(64, 0) / 1e9);
  EXPECT_EQ(roofline.seconds({}, 1, 0), 0);
}

}  // namespace
}  // namespace glint
