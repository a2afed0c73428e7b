// SPDX-License-Identifier: Apache-2.0
//
// Products of a step's tokens with matrices of few rows (matmul_short.cu), and of more: the bits of one token at a time,
// whose kernel is another, for one to many tiles along the columns, whole and cut, stacked and not, with room for a
// deep ring of tokens and a shallow one.
#include "cuda/cuda_backend.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

struct Shape {
  int count, n_out, n_in;
};

/// Rows of x, each of `count` parts, times the stacked matrices; `together` of them in a launch.
std::vector<float> products(Backend& backend, const Weight& w, const Shape& shape, int n_tokens, int together) {
  const int64_t d_in = int64_t{shape.count} * shape.n_in;
  const int64_t d_out = int64_t{shape.count} * shape.n_out;
  const DeviceFloats x(backend, random_values(static_cast<size_t>(n_tokens * d_in), 6));
  const DeviceFloats out(backend, std::vector<float>(static_cast<size_t>(n_tokens * d_out), NAN));
  for (int first = 0; first < n_tokens; first += together) {
    const auto part = [&](float* data, int64_t width) {
      return Tensor::matrix(data + first * width, std::min(together, n_tokens - first), static_cast<int>(width))
          .split_heads(shape.count);
    };
    backend.matmul_heads(part(out.data(), d_out), part(x.data(), d_in), w);
  }
  return out.download();
}

class CudaShort : public testing::TestWithParam<bool> {};

TEST_P(CudaShort, HasTheBitsOfOneTokenAtATime) {
  if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
  const auto backend = make_cuda_backend({.device = 0, .generic_only = GetParam()});
  for (const DType dtype : {DType::kQ4_K, DType::kQ5_0, DType::kQ6_K, DType::kQ8_0, DType::kF16}) {
    const bool has_blocks_of_256 = traits(dtype).block_elements == 256;
    // 192 and 320 are no whole tiles; 5120 takes several turns; 900 rows are enough for the emulated card to stream.
    for (const Shape shape : {Shape{3, 40, has_blocks_of_256 ? 256 : 192}, Shape{1, 300, has_blocks_of_256 ? 512 : 320},
                              Shape{1, 72, 768}, Shape{1, 40, 5120}, Shape{1, 900, 512}}) {
      const OwnedTensor matrix(dtype, {shape.count, shape.n_out, shape.n_in}, 5, 0.1f);
      const Weight w = backend->import_weight(matrix.tensor());
      constexpr int kMost = 70;
      const std::vector<float> alone = products(*backend, w, shape, kMost, 1);
      for (const int n_tokens : {3, 8, 9, 16, 17, 33, kMost}) {
        const std::vector<float> found = products(*backend, w, shape, n_tokens, n_tokens);
        EXPECT_TRUE(std::equal(found.begin(), found.end(), alone.begin()))
            << traits(dtype).name << ' ' << shape.count << 'x' << shape.n_out << 'x' << shape.n_in << ", " << n_tokens;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cards, CudaShort, testing::Bool(),
                         [](const auto& info) { return info.param ? "Generic" : "Best"; });

}  // namespace
}  // namespace glint::backend_test
