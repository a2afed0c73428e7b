// SPDX-License-Identifier: Apache-2.0
//
// Products of a few tokens that do not fit shared memory together, as a wide feed-forward's on cards with 99 KB: the
// same bits as one by one.
#include "cuda/cuda_backend.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

TEST(CudaMatvec, RowsTooLongForAllTokensAtOnce) {
  if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
  constexpr int kOut = 40, kIn = 10240, kTokens = 8;
  const auto backend = make_cuda_backend({.device = 0, .generic_only = true});
  for (const DType dtype : {DType::kQ4_K, DType::kQ8_0, DType::kF16}) {
    const OwnedTensor matrix(dtype, {kOut, kIn}, 5, 0.1f);
    const Weight w = backend->import_weight(matrix.tensor());
    const DeviceFloats x(*backend, random_values(size_t{kTokens} * kIn, 6));
    const DeviceFloats together(*backend, std::vector<float>(size_t{kTokens} * kOut, NAN));
    const DeviceFloats single(*backend, std::vector<float>(size_t{kTokens} * kOut, NAN));
    backend->matmul(Tensor::matrix(together.data(), kTokens, kOut), Tensor::matrix(x.data(), kTokens, kIn), w);
    for (int t = 0; t < kTokens; ++t) {
      backend->matmul(Tensor::matrix(single.data() + t * kOut, 1, kOut), Tensor::matrix(x.data() + t * kIn, 1, kIn), w);
    }
    EXPECT_EQ(together.download(), single.download()) << traits(dtype).name;
  }
}

}  // namespace
}  // namespace glint::backend_test
