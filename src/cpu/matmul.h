// SPDX-License-Identifier: Apache-2.0
//
// Products of weight matrices with rows of activations, for all of matmul, matmul_heads and matmul_experts: a list of
// matrices of one shape, each with the rows it multiplies. Called by cpu_backend.cpp; knows no op or model.
// Tested by tests/unit/cpu/matmul_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/params.h"
#include "cpu/workers.h"

namespace glint::cpu {

/// Matrix `matrix` of the weight times rows [first_row, first_row + n_rows) of the product.
struct RowGroup {
  int matrix = 0;
  int first_row = 0;
  int n_rows = 0;
};

/// out[r] = x[r] . weight[group of r]^T + bias, for the rows of all groups. Every output is one canonical dot product
/// (kernels.h), whatever the groups and threads.
struct Product {
  const Weight& weight;
  std::span<const RowGroup> groups;
  const float* const* x;  // rows of n_in floats
  float* const* out;      // rows of n_out floats
};

void multiply(const Product& product, Workers& workers);

}  // namespace glint::cpu
