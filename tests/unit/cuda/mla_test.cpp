// SPDX-License-Identifier: Apache-2.0
//
// MLA as a block at the real head sizes of GLM-4.7-Flash: the CUDA backend's fast ways (absorbed for few rows, expanded
// for many) against ref's plain body, at sizes around every tile's edge, and bit for bit in pieces.
#include "cuda/cuda_backend.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {
namespace {

constexpr int kModel = 128, kHeads = 4, kQRank = 64, kKvRank = 512, kNope = 192, kRope = 64, kV = 256;
constexpr int kRow = kKvRank + kRope;

/// A backend with the weights of one block, its cache and its scratch.
class Block {
 public:
  Block(std::unique_ptr<Backend> backend, int n_ctx) : backend_(std::move(backend)), n_ctx_(n_ctx) {
    weights_.q_a = import(DType::kQ8_0, {kQRank, kModel}, 1, 0.1f);
    weights_.q_b = import(DType::kQ8_0, {kHeads * (kNope + kRope), kQRank}, 2, 0.2f);
    weights_.kv_a = import(DType::kQ8_0, {kRow, kModel}, 3, 0.1f);
    weights_.k_b = import(DType::kQ5_0, {kHeads, kKvRank, kNope}, 4, 0.1f);
    weights_.v_b = import(DType::kQ4_K, {kHeads, kV, kKvRank}, 5, 0.1f);
    weights_.output = import(DType::kQ4_K, {kModel, kHeads * kV}, 6, 0.05f);
    weights_.q_a_norm = import(DType::kF32, {kQRank}, 7, 1);
    weights_.kv_a_norm = import(DType::kF32, {kKvRank}, 8, 1);
    norm_ = import(DType::kF32, {kModel}, 9, 1);
    backend_->adapt(weights_);
    std::vector<float> frequencies(kRope / 2);
    for (int i = 0; i < kRope / 2; ++i)
      frequencies[static_cast<size_t>(i)] = std::pow(10000.0f, -2.0f * static_cast<float>(i) / kRope);
    frequencies_ = std::make_unique<DeviceFloats>(*backend_, frequencies);
    const int n_pages = (n_ctx + kPageTokens - 1) / kPageTokens;
    cache_bytes_ = std::make_unique<DeviceArray<uint8_t>>(
        *backend_, std::vector<uint8_t>(static_cast<size_t>(n_pages * kPageTokens * kRow * 2), 0xff));
    cache_ = {.k = cache_bytes_->data(),
              .v = nullptr,
              .k_dtype = DType::kF16,
              .v_dtype = DType::kF16,
              .n_kv = 1,
              .d_k = kRow,
              .d_v = kKvRank};
    std::vector<int32_t> pages(static_cast<size_t>(n_pages));
    for (int i = 0; i < n_pages; ++i) pages[static_cast<size_t>(i)] = n_pages - 1 - i;
    pages_ = std::make_unique<DeviceInts>(*backend_, pages);
  }

  /// Rows [from, from + count) of the residual `x` [*, kModel] after the block.
  std::vector<float> run(const std::vector<float>& x, int from, int count) {
    const auto scratch_tensor = [&](int width) {
      buffers_.push_back(
          std::make_unique<DeviceFloats>(*backend_, std::vector<float>(static_cast<size_t>(count * width), NAN)));
      return Tensor::matrix(buffers_.back()->data(), count, width);
    };
    BlockScratch scratch{};
    scratch.normed = scratch_tensor(kModel);
    scratch.delta = scratch_tensor(kModel);
    scratch.q = scratch_tensor(kHeads * (kNope + kRope));
    scratch.attended = scratch_tensor(kHeads * kV);
    scratch.q_low = scratch_tensor(kQRank);
    scratch.latent = scratch_tensor(kRow);
    scratch.q_latent = scratch_tensor(kHeads * kRow);
    scratch.o_latent = scratch_tensor(kHeads * kKvRank);
    std::vector<int32_t> positions(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) positions[static_cast<size_t>(i)] = from + i;
    const DeviceInts device_positions(*backend_, positions);
    const DeviceInts sequences(*backend_, std::vector<int32_t>(static_cast<size_t>(count), 0));
    const Segment segment{.sequence = 0, .first_row = 0, .n_rows = count, .first_position = from};
    const Batch batch{.n_tokens = count,
                      .ids = nullptr,
                      .positions = device_positions.data(),
                      .sequences = sequences.data(),
                      .page_table = pages_->data(),
                      .max_pages = (n_ctx_ + kPageTokens - 1) / kPageTokens,
                      .host_segments = {&segment, 1}};
    const DeviceFloats residual(*backend_, {x.begin() + static_cast<std::ptrdiff_t>(from) * kModel,
                                            x.begin() + static_cast<std::ptrdiff_t>(from + count) * kModel});
    const MlaShape shape{.n_heads = kHeads,
                         .q_rank = kQRank,
                         .kv_rank = kKvRank,
                         .d_nope = kNope,
                         .d_rope = kRope,
                         .d_v = kV,
                         .scale = 1.0f / 16,
                         .eps = 1e-5f};
    const RopeParams rope{.n_dims = kRope, .interleaved = true, .scale = 1, .inverse_frequency = frequencies_->data()};
    backend_->mla_block(Tensor::matrix(residual.data(), count, kModel), {batch, 1e-5f, norm_, {}, scratch}, shape,
                        weights_, cache_, rope);
    std::vector<float> result = residual.download();
    buffers_.clear();
    return result;
  }
  std::vector<float> run_in(const std::vector<float>& x, const std::vector<int>& pieces) {
    std::vector<float> all;
    int at = 0;
    for (int piece : pieces) {
      const std::vector<float> part = run(x, at, piece);
      all.insert(all.end(), part.begin(), part.end());
      at += piece;
    }
    return all;
  }

 private:
  Weight import(DType dtype, std::vector<int64_t> dims, uint64_t seed, float deviation) {
    owned_.push_back(std::make_unique<OwnedTensor>(dtype, std::move(dims), seed, deviation));
    return backend_->import_weight(owned_.back()->tensor());
  }

  std::unique_ptr<Backend> backend_;
  int n_ctx_;
  std::vector<std::unique_ptr<OwnedTensor>> owned_;
  MlaWeights weights_;
  Weight norm_;
  std::unique_ptr<DeviceFloats> frequencies_;
  std::unique_ptr<DeviceArray<uint8_t>> cache_bytes_;
  std::unique_ptr<DeviceInts> pages_;
  KvLayer cache_;
  std::vector<std::unique_ptr<DeviceFloats>> buffers_;
};

std::vector<float> residual(int n) {
  return random_values(static_cast<size_t>(n * kModel), 77);
}

/// |a - b| / |b - x| over all values: the error against what was added to x.
double relative_error(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& x) {
  EXPECT_EQ(a.size(), b.size());
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += (static_cast<double>(b[i]) - x[i]) * (static_cast<double>(b[i]) - x[i]);
  }
  return std::isnan(error) ? HUGE_VAL : std::sqrt(error / norm);
}

class CudaMla : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
  }
  static Block cuda(int n_ctx) { return Block(make_cuda_backend({.device = 0, .generic_only = GetParam()}), n_ctx); }
};

/// Five roundings to f16 of independent values (2^-11 / sqrt(3) each at most) on the way, times the growth through
/// norms and softmax of less than four.
constexpr double kTolerance = 4 * 2.3 * 0x1p-11 / 1.7;

TEST_P(CudaMla, AgreesWithRef) {
  for (const std::vector<int>& pieces : std::vector<std::vector<int>>{
           {1}, {2, 1}, {7}, {8, 1}, {9, 1}, {63, 2}, {65, 1, 8}, {129}, {5, 70}, {64, 65, 1}}) {
    int n = 0;
    for (int piece : pieces) n += piece;
    SCOPED_TRACE(testing::PrintToString(pieces));
    const std::vector<float> x = residual(n);
    Block ref(make_ref_backend(), n);
    Block fast = cuda(n);
    const double error = relative_error(fast.run_in(x, pieces), ref.run_in(x, {n}), x);
    EXPECT_LE(error, kTolerance);
  }
}

TEST_P(CudaMla, PiecesOfAPromptChangeNoBit) {
  constexpr int kTokens = 200;
  const std::vector<float> x = residual(kTokens);
  Block whole = cuda(kTokens);
  Block cut = cuda(kTokens);
  EXPECT_EQ(whole.run_in(x, {kTokens}), cut.run_in(x, {65, 71, 64}));
  Block one = cuda(kTokens);
  Block several = cuda(kTokens);
  EXPECT_EQ(one.run_in(x, std::vector<int>(12, 1)), several.run_in(x, {8, 1, 3}));
}

/// Alone a row's context is split over many blocks, with many others a block adds up runs of splits itself.
TEST_P(CudaMla, ARowIsTheSameAloneAndAmongMany) {
  constexpr int kBefore = 300, kRows = 40;
  const std::vector<float> x = residual(kBefore + kRows);
  Block alone = cuda(kBefore + kRows);
  Block together = cuda(kBefore + kRows);
  std::vector<int> pieces(1 + kRows, 1);
  pieces[0] = kBefore;
  EXPECT_EQ(alone.run_in(x, pieces), together.run_in(x, {kBefore, kRows}));
}

INSTANTIATE_TEST_SUITE_P(Cards, CudaMla, testing::Bool(),
                         [](const auto& info) { return info.param ? "Generic" : "Best"; });

}  // namespace
}  // namespace glint::backend_test
