// SPDX-License-Identifier: Apache-2.0
//
// Default bodies of the fused ops: a mixture of experts by hand, with separate and with fused gate and up, and scratch
// larger than the step.
#include <gmock/gmock.h>

#include "base/check.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

float silu(float x) {
  return x / (1 + std::exp(-x));
}

/// Two experts of d_model 2, d_ff 1; expert e: gate reads x[e], up is 1 + e, down writes to both outputs.
class RefFused : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend = make_ref_backend();
  OwnedTensor router{{2, 2}, {1, 0, 0, 1}};
  OwnedTensor gate{{2, 1, 2}, {1, 0, 0, 1}};
  OwnedTensor up{{2, 1, 2}, {1, 1, 2, 2}};
  OwnedTensor gate_up{{2, 2, 2}, {1, 0, 1, 1, 0, 1, 2, 2}};
  OwnedTensor down{{2, 2, 1}, {1, -1, 10, -10}};

  std::vector<float> run(std::vector<float> x, int top_k, bool fused, int room) {
    const int n = static_cast<int>(x.size()) / 2;
    MoeWeights w;
    w.router = backend->import_weight(router.tensor());
    w.gate = backend->import_weight((fused ? gate_up : gate).tensor());
    if (!fused) w.up = backend->import_weight(up.tensor());
    w.down = backend->import_weight(down.tensor());
    const int d_gate = fused ? 2 : 1;
    std::vector<float> logits(static_cast<size_t>(room * 2)), weights(static_cast<size_t>(room * top_k)),
        gates(static_cast<size_t>(room * top_k * d_gate)), ups(static_cast<size_t>(room * top_k)),
        expert_out(static_cast<size_t>(room * top_k * 2));
    std::vector<int32_t> experts(static_cast<size_t>(room * top_k));
    MoeScratch scratch{Tensor::matrix(logits.data(), room, 2),
                       {experts.data(), weights.data(), room, top_k},
                       Tensor::matrix(gates.data(), room * top_k, d_gate),
                       Tensor::matrix(ups.data(), room * top_k, 1),
                       Tensor::matrix(expert_out.data(), room * top_k, 2)};
    RouteParams params;
    params.top_k = top_k;
    std::vector<float> out(x.size(), 100);
    backend->ffn_moe(Tensor::matrix(out.data(), n, 2), Tensor::matrix(x.data(), n, 2), w, params, Activation::kSilu,
                     scratch);
    return out;
  }
};

TEST_F(RefFused, AMixtureOfOneExpert) {
  for (const bool fused : {false, true}) {
    for (const int room : {2, 5}) {
      // Softmax over (2, 1) and over (0, 3): expert 0 with 0.7310586, expert 1 with 0.9525741.
      const float a = 0.7310586f * silu(2) * 3;
      const float b = 0.9525741f * silu(3) * 6 * 10;
      EXPECT_THAT(run({2, 1, 0, 3}, 1, fused, room), ElementsAre(FloatNear(100 + a, 2e-5f), FloatNear(100 - a, 2e-5f),
                                                                 FloatNear(100 + b, 5e-5f), FloatNear(100 - b, 5e-5f)));
    }
  }
}

TEST_F(RefFused, AMixtureOfTwo) {
  for (const bool fused : {false, true}) {
    const float sum = 0.7310586f * silu(2) * 3 + 0.2689414f * silu(1) * 6 * 10;
    EXPECT_THAT(run({2, 1}, 2, fused, 1), ElementsAre(FloatNear(100 + sum, 2e-5f), FloatNear(100 - sum, 2e-5f)));
  }
}

TEST_F(RefFused, ScratchThatIsTooSmallIsABug) {
  EXPECT_THROW(run({2, 1, 0, 3}, 1, false, 1), InternalError);
}

TEST_F(RefFused, ReplayRunsTheBody) {
  int n_runs = 0;
  backend->replay(1, [&] { ++n_runs; });
  backend->replay(1, [&] { ++n_runs; });
  EXPECT_EQ(n_runs, 2);
}

}  // namespace
}  // namespace glint::backend_test
