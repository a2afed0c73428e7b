// SPDX-License-Identifier: Apache-2.0
//
// One table of op calls that every backend must agree on with ref: all weight and cache formats, odd sizes, strided
// views, several sequences in one batch. Run by tests/unit/backend (ref: repeatable, finite) and by the tests of every
// other backend.
#pragma once

#include "tests/unit/backend/op_cases_attention.h"
#include "tests/unit/backend/op_cases_products.h"
#include "tests/unit/backend/op_cases_rows.h"

namespace glint::backend_test {

inline std::vector<OpCase> op_cases(Products products = Products::kF32) {
  std::vector<OpCase> all;
  add_product_cases(all, products);
  add_attention_cases(all, products);
  add_row_cases(all, products);
  return all;
}

}  // namespace glint::backend_test
