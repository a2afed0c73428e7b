// SPDX-License-Identifier: Apache-2.0
//
// Products with weights of the reference backend: small ones by hand, and every format against its own dequantization.
#include <gmock/gmock.h>

#include "base/check.h"
#include "tensor/dequantize.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

using testing::ElementsAre;

class RefProducts : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend = make_ref_backend();
};

TEST_F(RefProducts, MatmulByHand) {
  const OwnedTensor owned({3, 2}, {1, 2, 3, 4, 5, 6});
  Weight w = backend->import_weight(owned.tensor());
  std::vector<float> x = {1, 10, -1, 0.5f};
  std::vector<float> out(6);
  backend->matmul(Tensor::matrix(out.data(), 2, 3), Tensor::matrix(x.data(), 2, 2), w);
  EXPECT_THAT(out, ElementsAre(21, 43, 65, 0, -1, -2));
  const std::vector<float> bias = {100, 200, 300};
  w.bias = bias.data();
  backend->matmul(Tensor::matrix(out.data(), 2, 3), Tensor::matrix(x.data(), 2, 2), w);
  EXPECT_THAT(out, ElementsAre(121, 243, 365, 100, 199, 298));
}

TEST_F(RefProducts, MatmulReadsAndWritesViews) {
  const OwnedTensor owned({2, 2}, {1, 2, 3, 4});
  std::vector<float> x = {9, 1, 10, 9, 9, 2, 20, 9};
  std::vector<float> out(6, -1);
  backend->matmul(Tensor::matrix(out.data(), 2, 3).columns(1, 2), Tensor::matrix(x.data(), 2, 4).columns(1, 2),
                  backend->import_weight(owned.tensor()));
  EXPECT_THAT(out, ElementsAre(-1, 21, 43, -1, 42, 86));
}

/// A sum that f32 accumulation gets wrong in any order: 2^24 + 1 + 1 + ... needs double.
TEST_F(RefProducts, SumsInDouble) {
  std::vector<float> ones(257, 1);
  const OwnedTensor owned({1, 257}, ones);
  std::vector<float> x(257, 1);
  x[0] = 0x1p24f;
  float out = 0;
  backend->matmul(Tensor::matrix(&out, 1, 1), Tensor::matrix(x.data(), 1, 257), backend->import_weight(owned.tensor()));
  EXPECT_EQ(out, 0x1p24f + 256);
}

TEST_F(RefProducts, HeadsHaveTheirOwnMatrix) {
  const OwnedTensor owned({2, 1, 2}, {1, 2, 10, 20});
  std::vector<float> x = {1, 1, 1, 1, 2, 0, 0, 2};  // [2 tokens, 2 heads, 2]
  std::vector<float> out(4);
  backend->matmul_heads(Tensor::matrix(out.data(), 2, 2).split_heads(2), Tensor::matrix(x.data(), 2, 4).split_heads(2),
                        backend->import_weight(owned.tensor()));
  EXPECT_THAT(out, ElementsAre(3, 30, 2, 40));
}

TEST_F(RefProducts, ExpertsByTokenAndBySlot) {
  const OwnedTensor owned({3, 1, 2}, {1, 0, 0, 1, 1, 1});
  Weight w = backend->import_weight(owned.tensor());
  const std::vector<float> bias = {100, 200, 300};
  w.bias = bias.data();
  std::vector<int32_t> experts = {2, 0, 1, 2};
  std::vector<float> weights(4);
  const Routing routing{experts.data(), weights.data(), 2, 2};
  std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> out(4);
  backend->matmul_experts(Tensor::matrix(out.data(), 4, 1), Tensor::matrix(x.data(), 2, 2), w, routing);
  EXPECT_THAT(out, ElementsAre(303, 101, 204, 307));
  backend->matmul_experts(Tensor::matrix(out.data(), 4, 1), Tensor::matrix(x.data(), 4, 2), w, routing);
  EXPECT_THAT(out, ElementsAre(303, 103, 206, 315));
  experts[1] = 3;
  EXPECT_THROW(backend->matmul_experts(Tensor::matrix(out.data(), 4, 1), Tensor::matrix(x.data(), 2, 2), w, routing),
               InternalError);
}

TEST_F(RefProducts, EveryFormatEqualsItsDequantization) {
  constexpr int kOut = 5, kIn = 512;
  std::vector<float> x = random_values(3 * kIn, 1);
  for (const DType dtype : weight_dtypes()) {
    const OwnedTensor owned(dtype, {kOut, kIn}, 2);
    std::vector<float> values(kOut * kIn);
    dequantize(dtype, owned.tensor().bytes.data(), kOut * kIn, values.data());
    std::vector<float> out(3 * kOut);
    backend->matmul(Tensor::matrix(out.data(), 3, kOut), Tensor::matrix(x.data(), 3, kIn),
                    backend->import_weight(owned.tensor()));
    for (int t = 0; t < 3; ++t) {
      for (int o = 0; o < kOut; ++o) {
        double sum = 0;
        for (int i = 0; i < kIn; ++i)
          sum += static_cast<double>(values[static_cast<size_t>(o * kIn + i)]) * x[static_cast<size_t>(t * kIn + i)];
        EXPECT_EQ(out[static_cast<size_t>(t * kOut + o)], static_cast<float>(sum)) << traits(dtype).name;
      }
    }
  }
}

}  // namespace
}  // namespace glint::backend_test
