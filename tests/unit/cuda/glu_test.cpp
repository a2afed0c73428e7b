// SPDX-License-Identifier: Apache-2.0
//
// A gated feed-forward as a block, in every variant that models have: the CUDA backend's fast way against the default
// body on ref, and bit for bit alone and in company, at numbers of rows on both sides of each kernel's edge.
#include "tests/unit/cuda/dense_blocks.h"

namespace glint::backend_test {
namespace {

struct FeedForward {
  const char* name;
  int d_model, d_ff;
  DType gate, up, down;
  Activation activation = Activation::kSilu;
  bool bias = false, post_norm = false;
  bool is_fast = true;
};

const FeedForward kFeedForwards[] = {
    {.name = "Llama", .d_model = 256, .d_ff = 768, .gate = kQ4_K, .up = kQ4_K, .down = kQ6_K},
    {.name = "Qwen3", .d_model = 320, .d_ff = 448, .gate = kQ8_0, .up = kQ8_0, .down = kQ8_0},
    {.name = "Gemma",
     .d_model = 256,
     .d_ff = 512,
     .gate = kQ5_K,
     .up = kQ5_K,
     .down = kQ5_K,
     .activation = Activation::kGeluTanh,
     .post_norm = true},
    {.name = "Clamped",
     .d_model = 288,
     .d_ff = 320,
     .gate = kQ5_0,
     .up = kQ5_0,
     .down = kQ4_0,
     .activation = Activation::kGptOssSwiglu,
     .bias = true},
    {.name = "Halves", .d_model = 36, .d_ff = 64, .gate = kF16, .up = kBF16, .down = kF16, .post_norm = true},
    // Those that take the default body.
    {.name = "TwoFormats", .d_model = 256, .d_ff = 256, .gate = kQ4_K, .up = kQ6_K, .down = kQ4_K, .is_fast = false},
    {.name = "NoWholeQuarters", .d_model = 64, .d_ff = 96, .gate = kQ8_0, .up = kQ8_0, .down = kQ8_0, .is_fast = false},
    {.name = "F32Weight", .d_model = 64, .d_ff = 64, .gate = kQ8_0, .up = kQ8_0, .down = kF32, .is_fast = false},
    {.name = "NarrowModel", .d_model = 16, .d_ff = 64, .gate = kF16, .up = kF16, .down = kF16, .is_fast = false},
};

class FeedForwardBlock {
 public:
  FeedForwardBlock(std::unique_ptr<Backend> backend, const FeedForward& f) : operands_(std::move(backend)), f_(f) {
    weights_.gate = operands_.matrix(f.gate, f.d_ff, f.d_model, f.bias);
    weights_.up = operands_.matrix(f.up, f.d_ff, f.d_model, f.bias);
    weights_.down = operands_.matrix(f.down, f.d_model, f.d_ff, f.bias);
    norm_ = operands_.vector(f.d_model);
    if (f.post_norm) post_norm_ = operands_.vector(f.d_model);
  }

  Result step(const std::vector<float>& x) {
    const int n = static_cast<int>(x.size()) / f_.d_model;
    operands_.begin_step(n);
    BlockScratch scratch{};
    scratch.normed = operands_.scratch(f_.d_model);
    scratch.delta = operands_.scratch(f_.d_model);
    scratch.gate = operands_.scratch(f_.d_ff);
    scratch.up = operands_.scratch(f_.d_ff);
    const DeviceFloats residual(operands_.backend(), x);
    const Batch batch{.n_tokens = n};
    operands_.backend().glu_block(Tensor::matrix(residual.data(), n, f_.d_model),
                                  {batch, kNormEps, norm_, post_norm_, scratch},
                                  {.d_ff = f_.d_ff, .activation = f_.activation}, weights_);
    return {residual.download(), operands_.is_untouched(scratch.normed), operands_.is_untouched(scratch.delta)};
  }
  std::vector<float> run(const std::vector<float>& x, const std::vector<int>& pieces) {
    std::vector<float> all;
    auto at = x.begin();
    for (const int n : pieces) {
      const auto end = at + static_cast<std::ptrdiff_t>(n) * f_.d_model;
      const std::vector<float> part = step({at, end}).x;
      all.insert(all.end(), part.begin(), part.end());
      at = end;
    }
    return all;
  }

 private:
  Operands operands_;
  const FeedForward& f_;
  GluWeights weights_;
  Weight norm_, post_norm_;
};

class CudaGlu : public OnCard<FeedForward> {
 protected:
  static FeedForwardBlock on_card() { return {card(), variant()}; }
};

TEST_P(CudaGlu, ARowIsTheSameAloneAndInCompany) {
  const std::vector<float> x = residual();
  const std::vector<float> alone = on_card().run(x, std::vector<int>(kRows, 1));
  EXPECT_EQ(on_card().run(x, kAscending), alone);
  EXPECT_EQ(on_card().run(x, kDescending), alone);
}

/// Five values are rounded to f16 on the way: normed rows, three matrices, inner activations. Norms, the gate and its
/// product with the other half let the sum grow less than fourfold.
TEST_P(CudaGlu, AgreesWithRef) {
  const std::vector<float> x = residual();
  FeedForwardBlock ref(make_ref_backend(), variant());
  EXPECT_LE(relative_error(on_card().run(x, kAscending), ref.run(x, {kRows}), x), 4 * std::sqrt(5.0) * kHalfError);
}

TEST_P(CudaGlu, GoesTheFastWayWhereItCan) {
  EXPECT_EQ(on_card().step(residual(1)).normed_untouched, variant().is_fast);
  EXPECT_EQ(on_card().step(residual(9)).delta_untouched, variant().is_fast && !variant().post_norm);
}

INSTANTIATE_TEST_SUITE_P(Variants, CudaGlu, testing::Combine(testing::ValuesIn(kFeedForwards), testing::Bool()),
                         name_of);

}  // namespace
}  // namespace glint::backend_test
