// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the CPU backend share: random operands, the backends to compare, and comparison of bits.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "cpu/cpu_backend.h"
#include "gguf/synth/random_weights.h"

namespace glint::cpu_test {

inline constexpr double kEps = 0x1p-24;  // half a unit in the last place of 1: the error of one rounding

inline std::vector<float> random_floats(size_t n, uint32_t seed, float deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(n);
  for (float& v : values) v = normal(random);
  return values;
}

/// A weight with random blocks; owns its bytes.
class RandomWeight {
 public:
  RandomWeight(DType dtype, std::vector<int64_t> dims, uint64_t seed, float deviation = 0.1f) {
    tensor_ = {"w", dtype, std::move(dims), {}};
    bytes_.resize(static_cast<size_t>(row_bytes(dtype, tensor_.elements())));
    gguf::random_weights({.dtype = dtype, .n_bytes = bytes_.size(), .deviation = deviation, .seed = seed})(0, bytes_);
    tensor_.bytes = bytes_;
  }
  const HostTensor& tensor() const { return tensor_; }

 private:
  std::vector<std::byte> bytes_;
  HostTensor tensor_;
};

/// The CPU backend in every way that must not show in bits.
struct Variant {
  std::string name;
  std::unique_ptr<Backend> backend;
};

inline std::vector<Variant> cpu_variants() {
  std::vector<Variant> variants;
  for (const int n_threads : {1, 2, 3, 9}) {
    for (const bool scalar_only : {false, true}) {
      variants.push_back({fmt::format("{} threads, {}", n_threads, scalar_only ? "scalar" : "best"),
                          make_cpu_backend({.n_threads = n_threads, .scalar_only = scalar_only})});
    }
  }
  return variants;
}

/// Equal bits; names the first difference.
inline testing::AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " and " << b.size() << " values";
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return testing::AssertionFailure() << "value " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return testing::AssertionSuccess();
}

/// Every |a - b| within its bound.
inline testing::AssertionResult within(const std::vector<float>& a, const std::vector<float>& b,
                                       const std::vector<double>& bound) {
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(error <= bound[i])) {
      return testing::AssertionFailure() << "value " << i << ": " << a[i] << " and " << b[i] << " differ by " << error
                                         << ", bound " << bound[i];
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace glint::cpu_test
