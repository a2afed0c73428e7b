// SPDX-License-Identifier: Apache-2.0
//
// What tests of the blocks of dense models (gqa_test.cpp, glu_test.cpp) share: random operands, the numbers of rows of
// steps, and variants on cards of both kinds.
#pragma once

#include "cuda/cuda_backend.h"
#include "tests/unit/backend/operands.h"

namespace glint::backend_test {

inline constexpr float kNormEps = 1e-5f;
/// Of a step each; alone each row is a step.
inline const std::vector<int> kAscending = {1, 2, 3, 8, 9, 70}, kDescending = {70, 9, 8, 3, 2, 1};
inline constexpr int kRows = 1 + 2 + 3 + 8 + 9 + 70;

/// One rounding to f16 of a value: 2^-11 at most, uniform, so by the root of 3 less on average.
inline const double kHalfError = 0x1p-11 / std::sqrt(3.0);

/// |a - b| / |b - x| over all values: the error against what was added to x.
inline double relative_error(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& x) {
  EXPECT_EQ(a.size(), b.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += (static_cast<double>(b[i]) - x[i]) * (static_cast<double>(b[i]) - x[i]);
  }
  return std::isnan(error) ? HUGE_VAL : std::sqrt(error / norm);
}

/// A backend with weights of its own making, and scratch that is NaN before each step.
class Operands {
 public:
  explicit Operands(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}
  Backend& backend() const { return *backend_; }

  /// Gives inputs of unit variance outputs of unit variance.
  Weight matrix(DType dtype, int n_out, int n_in, bool has_bias) {
    Weight w = import(dtype, {n_out, n_in}, 1 / std::sqrt(static_cast<float>(n_in)));
    if (has_bias) w.bias = floats(random_values(static_cast<size_t>(n_out), ++seed_));
    return w;
  }
  Weight vector(int width) { return import(DType::kF32, {width}, 1); }
  float* floats(const std::vector<float>& values) {
    arrays_.push_back(std::make_unique<DeviceFloats>(*backend_, values));
    return arrays_.back()->data();
  }

  /// scratch(width) is for a step of n rows; gone with the next.
  void begin_step(int n_rows) {
    scratch_.clear();
    n_rows_ = n_rows;
  }
  Tensor scratch(int width) {
    scratch_.push_back(
        std::make_unique<DeviceFloats>(*backend_, std::vector<float>(static_cast<size_t>(n_rows_ * width), NAN)));
    return Tensor::matrix(scratch_.back()->data(), n_rows_, width);
  }
  bool is_untouched(Tensor scratch) const {
    std::vector<float> values(static_cast<size_t>(scratch.n_rows * scratch.width));
    backend_->download(values.data(), scratch.data, values.size() * sizeof(float));
    return std::ranges::all_of(values, [](float v) { return std::isnan(v); });
  }

 private:
  Weight import(DType dtype, std::vector<int64_t> dims, float deviation) {
    owned_.push_back(std::make_unique<OwnedTensor>(dtype, std::move(dims), ++seed_, deviation));
    return backend_->import_weight(owned_.back()->tensor());
  }

  std::unique_ptr<Backend> backend_;
  uint32_t seed_ = 0;
  int n_rows_ = 0;
  std::vector<std::unique_ptr<OwnedTensor>> owned_;
  std::vector<std::unique_ptr<DeviceFloats>> arrays_, scratch_;
};

/// What a step leaves.
struct Result {
  std::vector<float> x;
  bool normed_untouched = false, delta_untouched = false;
};

inline constexpr DType kF32 = DType::kF32, kF16 = DType::kF16, kBF16 = DType::kBF16, kQ4_K = DType::kQ4_K,
                       kQ5_K = DType::kQ5_K, kQ6_K = DType::kQ6_K, kQ8_0 = DType::kQ8_0, kQ5_0 = DType::kQ5_0,
                       kQ4_0 = DType::kQ4_0;

template <class Variant>
class OnCard : public testing::TestWithParam<std::tuple<Variant, bool>> {
 protected:
  void SetUp() override {
    if (cuda_devices().empty()) GTEST_SKIP() << "no CUDA card";
  }
  static const Variant& variant() { return std::get<0>(OnCard::GetParam()); }
  static std::unique_ptr<Backend> card() {
    return make_cuda_backend({.device = 0, .generic_only = std::get<1>(OnCard::GetParam())});
  }
  static std::vector<float> residual(int n_rows = kRows, uint32_t seed = 77) {
    return random_values(static_cast<size_t>(n_rows * variant().d_model), seed);
  }
};
inline const auto name_of = [](const auto& info) {
  return std::string(std::get<0>(info.param).name) + (std::get<1>(info.param) ? "Generic" : "");
};

}  // namespace glint::backend_test
