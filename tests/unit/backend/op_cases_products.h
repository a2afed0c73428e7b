// SPDX-License-Identifier: Apache-2.0
//
// Rows of the op table: products with weights. See op_cases.h.
#pragma once

#include "tensor/dequantize.h"
#include "tests/unit/backend/op_case.h"

namespace glint::backend_test {

/// Operands of a product: `count` matrices, and for each output row the matrix and the input row that make it.
struct Product {
  DType dtype;
  int count, n_out, n_in;
  int n_rows;  // of x
  bool bias;
  std::vector<std::pair<int, int>> outputs;  // (matrix, row of x)

  OwnedTensor weight() const { return OwnedTensor(dtype, {count, n_out, n_in}, 11); }
  std::vector<float> x() const { return random_values(static_cast<size_t>(n_rows) * static_cast<size_t>(n_in), 12); }
  std::vector<float> bias_values() const { return random_values(static_cast<size_t>(count * n_out), 13); }

  /// n_in products and sums, a bias and a rounding: each at most kEps of the sum of magnitudes. With f16 products the
  /// input is off by 2^-11 of itself; the weight by two roundings, of a scale and of a value, of at most twice the
  /// largest weight, which is as large as an offset that is taken off can be.
  std::vector<double> bound(Products products) const {
    const double half = products == Products::kF16 && dtype != DType::kF32 ? 0x1p-11 : 0;
    const OwnedTensor owned = weight();
    const HostTensor tensor = owned.tensor();
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    dequantize(dtype, tensor.bytes.data(), tensor.elements(), values.data());
    double largest = 0;
    for (float v : values) largest = std::max(largest, std::abs(static_cast<double>(v)));
    const std::vector<float> input = x();
    std::vector<double> bounds;
    for (const auto& [matrix, row] : outputs) {
      for (int o = 0; o < n_out; ++o) {
        double sum = bias ? 1 : 0;
        double inputs = 0;
        for (int i = 0; i < n_in; ++i) {
          const auto w = static_cast<size_t>(matrix * n_out + o) * static_cast<size_t>(n_in) + static_cast<size_t>(i);
          const double value = input[static_cast<size_t>(row * n_in + i)];
          sum += std::abs(values[w] * value);
          inputs += std::abs(value);
        }
        bounds.push_back((n_in + 4) * kEps * sum + half * (sum + 4 * largest * inputs));
      }
    }
    return bounds;
  }
};

/// Imports the weight and its bias, calls `op`, returns [outputs, n_out].
template <class Op>
OpCase product_case(std::string name, Product p, Products products, Op op) {
  OpCase result;
  result.name = std::move(name);
  result.run = [p, op](Backend& backend) {
    const OwnedTensor owned = p.weight();
    const DeviceFloats x(backend, p.x());
    const DeviceFloats bias(backend, p.bias_values());
    const DeviceFloats out(backend, std::vector<float>(p.outputs.size() * static_cast<size_t>(p.n_out), -1));
    Weight w = backend.import_weight(owned.tensor());
    if (p.bias) w.bias = bias.data();
    op(backend, out.data(), x.data(), w);
    return out.download();
  };
  result.bound = [p, products](const std::vector<float>&) { return p.bound(products); };
  return result;
}

inline std::string dtype_label(DType dtype) {
  return std::string(traits(dtype).name);
}

inline OpCase matmul_case(DType dtype, int n_out, int n_in, int n_tokens, bool bias, Products products) {
  Product p{dtype, 1, n_out, n_in, n_tokens, bias, {}};
  for (int t = 0; t < n_tokens; ++t) p.outputs.emplace_back(0, t);
  return product_case(
      fmt::format("matmul_{}_{}x{}_{}{}", dtype_label(dtype), n_out, n_in, n_tokens, bias ? "_bias" : ""), p, products,
      [=](Backend& backend, float* out, float* x, const Weight& w) {
        backend.matmul(Tensor::matrix(out, n_tokens, n_out), Tensor::matrix(x, n_tokens, n_in), w);
      });
}

inline OpCase matmul_heads_case(DType dtype, int n_heads, int n_out, int n_in, int n_tokens, Products products) {
  Product p{dtype, n_heads, n_out, n_in, n_tokens * n_heads, false, {}};
  for (int i = 0; i < n_tokens * n_heads; ++i) p.outputs.emplace_back(i % n_heads, i);
  return product_case(fmt::format("matmul_heads_{}_{}_{}x{}_{}", dtype_label(dtype), n_heads, n_out, n_in, n_tokens), p,
                      products, [=](Backend& backend, float* out, float* x, const Weight& w) {
                        backend.matmul_heads(Tensor::matrix(out, n_tokens, n_heads * n_out).split_heads(n_heads),
                                             Tensor::matrix(x, n_tokens, n_heads * n_in).split_heads(n_heads), w);
                      });
}

/// `row_per_slot`: x has a row for every chosen expert, as the down projection's.
inline OpCase matmul_experts_case(DType dtype, int n_out, int n_in, int n_tokens, bool row_per_slot,
                                  Products products) {
  constexpr int kExperts = 7, kTopK = 3;
  std::vector<int32_t> experts;
  for (int slot = 0; slot < n_tokens * kTopK; ++slot)
    experts.push_back((slot / kTopK * 2 + slot % kTopK * 3) % kExperts);
  Product p{dtype, kExperts, n_out, n_in, row_per_slot ? n_tokens * kTopK : n_tokens, true, {}};
  for (int slot = 0; slot < n_tokens * kTopK; ++slot)
    p.outputs.emplace_back(experts[static_cast<size_t>(slot)], row_per_slot ? slot : slot / kTopK);
  const std::string name = fmt::format("matmul_experts_{}_{}x{}_{}_by_{}", dtype_label(dtype), n_out, n_in, n_tokens,
                                       row_per_slot ? "slot" : "token");
  return product_case(name, p, products, [=](Backend& backend, float* out, float* x, const Weight& w) {
    const DeviceInts chosen(backend, experts);
    const DeviceFloats weights(backend, std::vector<float>(experts.size(), 1));
    const int n_x = row_per_slot ? n_tokens * kTopK : n_tokens;
    backend.matmul_experts(Tensor::matrix(out, n_tokens * kTopK, n_out), Tensor::matrix(x, n_x, n_in), w,
                           {chosen.data(), weights.data(), n_tokens, kTopK});
  });
}

inline void add_product_cases(std::vector<OpCase>& all, Products products) {
  for (const DType dtype : weight_dtypes()) {
    const int block = traits(dtype).block_elements;
    for (const int n_tokens : {1, 2, 33}) {
      all.push_back(matmul_case(dtype, 37, block == 1 ? 259 : 2 * block, n_tokens, n_tokens == 2, products));
    }
    all.push_back(matmul_case(dtype, 1, block, 3, false, products));
    all.push_back(matmul_experts_case(dtype, 9, block == 1 ? 50 : block, 1, false, products));
    all.push_back(matmul_experts_case(dtype, 9, block == 1 ? 50 : block, 17, true, products));
  }
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_K}) {
    const int n_in = dtype == DType::kQ4_K ? 256 : 64;
    all.push_back(matmul_heads_case(dtype, 5, 48, n_in, 1, products));
    all.push_back(matmul_heads_case(dtype, 3, 17, n_in, 6, products));
  }
  all.push_back(matmul_case(DType::kF32, 1, 1, 1, false, products));
  all.push_back(matmul_case(DType::kQ8_0, 130, 2048, 65, false, products));
}

}  // namespace glint::backend_test
