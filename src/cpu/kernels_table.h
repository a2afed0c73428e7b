// SPDX-License-Identifier: Apache-2.0
//
// The table of kernels over one vector type; the last line of kernels_scalar.cpp and kernels_avx2.cpp.
#pragma once

#include "cpu/kernels.h"
#include "cpu/kernels_maths.h"
#include "cpu/kernels_tile.h"

namespace glint::cpu {

template <class V>
constexpr Kernels kernel_table() {
  return {
      .multiply_panel = multiply_panel<V>,
      .accumulate_values = accumulate_values<V>,
      .largest = largest<V>,
      .exp_sum = exp_sum<V>,
      .scale_softcap = scale_softcap<V>,
      .sum_of_squares = sum_of_squares<V>,
      .scale_rows = scale_rows<V>,
      .add_scaled = add_scaled<V>,
      .add = add<V>,
      .scale = scale<V>,
      .rotate_halves = rotate_halves<V>,
      .rotate_pairs = rotate_pairs<V>,
      .multiply_add_burst = multiply_add_burst<V>,
      .glu = glu<V>,
  };
}

}  // namespace glint::cpu
