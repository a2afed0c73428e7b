// SPDX-License-Identifier: Apache-2.0
//
// Experts with few tokens each, which go in tiles of eight or sixteen (matmul_experts.cu): the same bits as with tokens
// so many that other kernels take them, whether two tiles of tokens fit shared memory or one, one expert gets all or
// each gets some.
#include <algorithm>
#include <array>

#include "cuda/cuda_backend.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

constexpr int kExperts = 7, kTopK = 2;
constexpr int kOut = 40;   // three rows of tiles, of which a warp takes two
constexpr int kIn = 2048;  // 99 KB have room for one tile of tokens beside enough weights

class CudaExperts : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
  }

  /// Every token's products with its experts: token t's first choice is first(t), its second the next.
  template <class First>
  static std::vector<float> products(Backend& backend, const Weight& w, int n_tokens, First first) {
    std::vector<int32_t> experts;
    for (int t = 0; t < n_tokens; ++t) {
      for (int s = 0; s < kTopK; ++s) experts.push_back((first(t) + s) % kExperts);
    }
    const DeviceInts chosen(backend, experts);
    const DeviceFloats weights(backend, std::vector<float>(experts.size(), 1));
    const DeviceFloats x(backend, random_values(static_cast<size_t>(n_tokens) * kIn, 6));
    const DeviceFloats out(backend, std::vector<float>(experts.size() * kOut, NAN));
    backend.matmul_experts(Tensor::matrix(out.data(), n_tokens * kTopK, kOut), Tensor::matrix(x.data(), n_tokens, kIn),
                           w, {chosen.data(), weights.data(), n_tokens, kTopK});
    return out.download();
  }
};

TEST_P(CudaExperts, FewTokensHaveTheBitsOfMany) {
  const auto backend = make_cuda_backend({.device = 0, .generic_only = GetParam()});
  // Slots of kExperts times up to 6, 12 and 16, and of more: each kernel once.
  constexpr std::array<int, 3> kFew = {19, 37, 50};
  constexpr int kMany = 60;
  for (const DType dtype : {DType::kQ4_K, DType::kQ6_K, DType::kQ8_0}) {
    const OwnedTensor matrix(dtype, {kExperts, kOut, kIn}, 5, 0.1f);
    const Weight w = backend->import_weight(matrix.tensor());
    const auto spread = [](int t) { return t * 3; };
    const auto same = [](int) { return 4; };
    const auto expect_equal = [&](auto first) {
      const std::vector<float> many = products(*backend, w, kMany, first);
      for (const int n_tokens : kFew) {
        const std::vector<float> few = products(*backend, w, n_tokens, first);
        EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin())) << traits(dtype).name << ", " << n_tokens;
      }
    };
    expect_equal(spread);
    expect_equal(same);
  }
}

INSTANTIATE_TEST_SUITE_P(Cards, CudaExperts, testing::Bool(),
                         [](const auto& info) { return info.param ? "Generic" : "Best"; });

}  // namespace
}  // namespace glint::backend_test
