// SPDX-License-Identifier: Apache-2.0
//
// One op call that any backend can run, and how far its result may be from ref's. See op_cases.h for the table.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/backend/operands.h"

namespace glint::backend_test {

struct OpCase {
  std::string name;
  /// Uploads operands, runs, downloads the result.
  std::function<std::vector<float>(Backend&)> run;
  /// Of each value, given ref's: what f32 arithmetic in any order may be off by.
  std::function<std::vector<double>(const std::vector<float>& expected)> bound;
};

/// How a backend multiplies: with f32 values throughout, or with inputs and unpacked weights rounded to f16 (F32
/// weights excepted) and f32 sums.
enum class Products { kF32, kF16 };

/// relative * |expected| + absolute
inline auto relative_bound(double relative, double absolute) {
  return [=](const std::vector<float>& expected) {
    std::vector<double> bounds;
    for (float v : expected) bounds.push_back(relative * std::abs(static_cast<double>(v)) + absolute);
    return bounds;
  };
}

/// A view [n_rows, n_heads, width] with gaps between heads and rows, and the array it lies in.
class GappedRows {
 public:
  GappedRows(Backend& backend, int n_rows, int n_heads, int width, uint32_t seed, float scale = 1)
      : array_(backend, random_values(static_cast<size_t>(n_rows) * static_cast<size_t>(n_heads * (width + 3) + 5),
                                      seed, scale)),
        tensor_{array_.data(), n_rows, n_heads, width, n_heads * (width + 3) + 5, width + 3} {}
  Tensor tensor() const { return tensor_; }
  /// Gaps included: an op must leave them as they were.
  std::vector<float> download() const { return array_.download(); }

 private:
  DeviceFloats array_;
  Tensor tensor_;
};

}  // namespace glint::backend_test
