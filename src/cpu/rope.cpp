// SPDX-License-Identifier: Apache-2.0
//
// Tables of cosines and sines, and the rotation of every head by them. Tested by tests/unit/cpu/cpu_backend_test.cpp.
#include "cpu/rope.h"

#include <algorithm>
#include <cmath>

namespace glint::cpu {

bool Rope::Table::is_for(std::span<const int32_t> row_positions, const RopeParams& params) const {
  const std::span frequencies(params.inverse_frequency, static_cast<size_t>(params.n_dims / 2));
  return scale == params.scale && interleaved == params.interleaved && std::ranges::equal(positions, row_positions) &&
         std::ranges::equal(inverse_frequency, frequencies);
}

void Rope::Table::make(std::span<const int32_t> row_positions, const RopeParams& params, Workers& workers) {
  const int n_dims = params.n_dims;
  const int half = n_dims / 2;
  positions.assign(row_positions.begin(), row_positions.end());
  inverse_frequency.assign(params.inverse_frequency, params.inverse_frequency + half);
  scale = params.scale;
  interleaved = params.interleaved;
  cosine.resize(positions.size() * static_cast<size_t>(n_dims));
  sine.resize(cosine.size());
  workers.share(static_cast<int64_t>(positions.size()), 40.0 * half, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float* row_cosine = cosine.data() + row * n_dims;
      float* row_sine = sine.data() + row * n_dims;
      for (int i = 0; i < half; ++i) {
        const float angle =
            static_cast<float>(positions[static_cast<size_t>(row)]) * inverse_frequency[static_cast<size_t>(i)];
        const int first = interleaved ? 2 * i : i;
        const int second = interleaved ? 2 * i + 1 : i + half;
        row_cosine[first] = row_cosine[second] = static_cast<float>(std::cos(static_cast<double>(angle))) * scale;
        row_sine[second] = static_cast<float>(std::sin(static_cast<double>(angle))) * scale;
        row_sine[first] = -row_sine[second];
      }
    }
  });
}

const Rope::Table& Rope::table_for(std::span<const int32_t> positions, const RopeParams& params, Workers& workers) {
  for (const Table& table : tables_) {
    if (table.is_for(positions, params)) return table;
  }
  Table& table = tables_[oldest_];
  oldest_ = (oldest_ + 1) % tables_.size();
  table.make(positions, params, workers);
  return table;
}

void Rope::run(const Tensor& x, const int32_t* positions, const RopeParams& params, Workers& workers) {
  GLINT_CHECK(params.n_dims % 2 == 0 && params.n_dims <= x.width);
  if (x.n_rows == 0 || params.n_dims == 0) return;
  const Table& table = table_for({positions, static_cast<size_t>(x.n_rows)}, params, workers);
  const auto rotate = params.interleaved ? workers.kernels.rotate_pairs : workers.kernels.rotate_halves;
  workers.share(x.n_rows, 0.3 * x.n_heads * params.n_dims, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* cosine = table.cosine.data() + row * params.n_dims;
      const float* sine = table.sine.data() + row * params.n_dims;
      for (int h = 0; h < x.n_heads; ++h) rotate(x.head(static_cast<int>(row), h), cosine, sine, params.n_dims);
    }
  });
}

}  // namespace glint::cpu
