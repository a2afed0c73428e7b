// SPDX-License-Identifier: Apache-2.0
//
// Register tiles: dot products of a few weight rows with a few tokens, and weighted sums of value rows. Written once
// over a vector type V (vec8_scalar.h, vec8_avx2.h) and instantiated by kernels_scalar.cpp and kernels_avx2.cpp.
// Every output has one accumulator that is carried in order, so the shape of a tile never shows in its bits.
// Tested by tests/unit/cpu/kernels_test.cpp.
#pragma once

#include <cstdint>

#include "cpu/kernels.h"

namespace glint::cpu {

/// Sums of kRows rows by kTokens tokens. On AVX2 4 x 3 holds 12 accumulators, 3 vectors of x and one of weights: 7
/// loads for 12 multiply-adds, and enough chains to hide their latency. 8 x 1 does the same for a single token.
template <class V, int kRows, int kTokens>
struct DotTile {  // its functions are inlined, or the sums would not stay in registers
  V sums[kTokens][kRows];

  [[gnu::always_inline]] void start() {
    GLINT_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      GLINT_UNROLL
      for (int r = 0; r < kRows; ++r) sums[t][r] = V::zero();
    }
  }

  [[gnu::always_inline]] void load(const float* lanes) {
    GLINT_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      GLINT_UNROLL
      for (int r = 0; r < kRows; ++r) sums[t][r] = V::load(lanes + (t * kPanelRows + r) * 8);
    }
  }

  [[gnu::always_inline]] void store(float* lanes) const {
    GLINT_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      GLINT_UNROLL
      for (int r = 0; r < kRows; ++r) sums[t][r].store(lanes + (t * kPanelRows + r) * 8);
    }
  }

  [[gnu::always_inline]] void add_products(const float* const* rows, const float* const* x, int64_t k_begin,
                                           int64_t n) {
    const float* w[kRows];
    const float* v[kTokens];
    GLINT_UNROLL
    for (int r = 0; r < kRows; ++r) w[r] = rows[r];
    GLINT_UNROLL
    for (int t = 0; t < kTokens; ++t) v[t] = x[t] + k_begin;
    int64_t k = 0;
    for (; k + 8 <= n; k += 8) {
      V x_part[kTokens];
      GLINT_UNROLL
      for (int t = 0; t < kTokens; ++t) x_part[t] = V::load(v[t] + k);
      GLINT_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const V weights = V::load(w[r] + k);
        GLINT_UNROLL
        for (int t = 0; t < kTokens; ++t) sums[t][r] = V::fma(weights, x_part[t], sums[t][r]);
      }
    }
    if (k == n) return;
    const int left = static_cast<int>(n - k);
    GLINT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const V weights = V::load_first(w[r] + k, left);
      GLINT_UNROLL
      for (int t = 0; t < kTokens; ++t) sums[t][r] = V::fma(weights, V::load_first(v[t] + k, left), sums[t][r]);
    }
  }

  /// n_valid of the kRows are wanted.
  [[gnu::always_inline]] void finish(float* const* out, int64_t row_begin, const float* bias, int n_valid) const {
    GLINT_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      float totals[kRows];
      GLINT_UNROLL
      for (int r = 0; r < kRows; r += 4) V::sum4(&sums[t][r], totals + r);
      float* destination = out[t] + row_begin;
      for (int r = 0; r < n_valid; ++r) destination[r] = bias == nullptr ? totals[r] : totals[r] + bias[r];
    }
  }
};

template <class V, int kRows, int kTokens>
void multiply_tile(const Panel& panel, int row, const float* const* x, float* const* out, int64_t row_begin,
                   const float* bias, float* lanes) {
  DotTile<V, kRows, kTokens> tile;
  if (panel.first) {
    tile.start();
  } else {
    tile.load(lanes + row * 8);
  }
  tile.add_products(panel.rows + row, x, panel.k_begin, panel.n);
  if (panel.last) {
    const int n_valid = panel.n_rows - row < kRows ? panel.n_rows - row : kRows;
    tile.finish(out, row_begin + row, bias == nullptr ? nullptr : bias + row, n_valid);
  } else {
    tile.store(lanes + row * 8);
  }
}

/// Where the lanes of token t are kept; null where they need no keeping (adding to null is undefined).
inline float* lanes_of(float* lanes, int t) {
  return lanes == nullptr ? nullptr : lanes + static_cast<int64_t>(t) * kPanelRows * 8;
}

template <class V>
void multiply_panel(const Panel& panel, const float* const* x, int n_tokens, float* const* out, int64_t row_begin,
                    const float* bias, float* lanes) {
  int t = 0;
  while (n_tokens - t >= 2) {
    const int step = n_tokens - t >= 3 ? 3 : 2;
    float* tile_lanes = lanes_of(lanes, t);
    for (int row = 0; row < panel.n_rows; row += 4) {
      if (step == 3) {
        multiply_tile<V, 4, 3>(panel, row, x + t, out + t, row_begin, bias, tile_lanes);
      } else {
        multiply_tile<V, 4, 2>(panel, row, x + t, out + t, row_begin, bias, tile_lanes);
      }
    }
    t += step;
  }
  if (t < n_tokens) {
    multiply_tile<V, 8, 1>(panel, 0, x + t, out + t, row_begin, bias, lanes_of(lanes, t));
  }
}

/// kVectors * 8 columns of kRows weighted sums.
template <class V, int kRows, int kVectors>
void accumulate_tile(const float* values, int64_t stride, int n_values, const float* const* p, float* const* out,
                     const float* factor, int column) {
  V sums[kRows][kVectors];
  GLINT_UNROLL
  for (int r = 0; r < kRows; ++r) {
    GLINT_UNROLL
    for (int c = 0; c < kVectors; ++c) sums[r][c] = V::load(out[r] + column + c * 8) * V::broadcast(factor[r]);
  }
  const float* value = values + column;
  for (int i = 0; i < n_values; ++i, value += stride) {
    V parts[kVectors];
    GLINT_UNROLL
    for (int c = 0; c < kVectors; ++c) parts[c] = V::load(value + c * 8);
    GLINT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const V weight = V::broadcast(p[r][i]);
      GLINT_UNROLL
      for (int c = 0; c < kVectors; ++c) sums[r][c] = V::fma(weight, parts[c], sums[r][c]);
    }
  }
  GLINT_UNROLL
  for (int r = 0; r < kRows; ++r) {
    GLINT_UNROLL
    for (int c = 0; c < kVectors; ++c) sums[r][c].store(out[r] + column + c * 8);
  }
}

/// The last `left` (1 to 7) columns of one row.
template <class V>
void accumulate_rest(const float* values, int64_t stride, int n_values, const float* p, float* out, float factor,
                     int column, int left) {
  V sum = V::load_first(out + column, left) * V::broadcast(factor);
  for (int i = 0; i < n_values; ++i) {
    sum = V::fma(V::broadcast(p[i]), V::load_first(values + i * stride + column, left), sum);
  }
  sum.store_first(out + column, left);
}

/// One row at a time, 8 vectors wide: as many chains as hide a multiply-add's latency.
template <class V>
void accumulate_row(const float* values, int64_t stride, int n_values, const float* p, float* out, float factor,
                    int width) {
  int column = 0;
  for (; column + 64 <= width; column += 64) {
    accumulate_tile<V, 1, 8>(values, stride, n_values, &p, &out, &factor, column);
  }
  for (; column + 8 <= width; column += 8) {
    accumulate_tile<V, 1, 1>(values, stride, n_values, &p, &out, &factor, column);
  }
  if (column < width) accumulate_rest<V>(values, stride, n_values, p, out, factor, column, width - column);
}

template <class V>
void accumulate_values(const float* values, int64_t stride, int n_values, const float* const* p, float* const* out,
                       const float* factor, int n_rows, int width) {
  // Columns outside, so that a strip of the values stays in the first-level cache for all rows.
  const int n_tiled = n_rows - n_rows % 4;
  int column = 0;
  for (; column + 16 <= width; column += 16) {
    for (int r = 0; r < n_tiled; r += 4) {
      accumulate_tile<V, 4, 2>(values, stride, n_values, p + r, out + r, factor + r, column);
    }
  }
  for (int r = 0; r < n_tiled; ++r) {
    accumulate_row<V>(values + column, stride, n_values, p[r], out[r] + column, factor[r], width - column);
  }
  for (int r = n_tiled; r < n_rows; ++r) accumulate_row<V>(values, stride, n_values, p[r], out[r], factor[r], width);
}

}  // namespace glint::cpu
