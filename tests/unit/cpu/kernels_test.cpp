// SPDX-License-Identifier: Apache-2.0
//
// Kernels: the scalar and the AVX2 table give the same bits, exp and tanh keep their stated error, and sums have the
// canonical order. On a processor without AVX2 both tables are the scalar one.
#include "cpu/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/unit/cpu/cpu_test_support.h"

namespace glint::cpu {
namespace {

using cpu_test::random_floats;
using cpu_test::same_bits;

const Kernels& fast() {
  return kernels(cpu_level());
}

const int kLengths[] = {1, 2, 7, 8, 9, 15, 16, 31, 32, 33, 64, 100, 257};

/// The canonical dot product, as kernels.h words it.
float canonical_dot(const float* w, const float* x, int n) {
  float lanes[8] = {};
  for (int i = 0; i < n; ++i) lanes[i % 8] = std::fma(w[i], x[i], lanes[i % 8]);
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

TEST(Kernels, PanelsAreCanonicalDotProducts) {
  for (const int n : kLengths) {
    for (const int n_rows : {1, 3, 4, 5, 8}) {
      for (const int n_tokens : {1, 2, 3, 4, 5, 7}) {
        const auto w = random_floats(static_cast<size_t>(n * n_rows), 1);
        const auto x = random_floats(static_cast<size_t>(n * n_tokens), 2);
        const auto bias = random_floats(static_cast<size_t>(n_rows), 3);
        std::vector<float> expected;
        for (int t = 0; t < n_tokens; ++t) {
          for (int r = 0; r < n_rows; ++r) {
            expected.push_back(canonical_dot(&w[static_cast<size_t>(r * n)], &x[static_cast<size_t>(t * n)], n) +
                               bias[static_cast<size_t>(r)]);
          }
        }
        for (const Kernels* table : {&scalar_kernels(), &fast()}) {
          // Whole, and in two pieces whose sums wait in lanes; the first piece is a multiple of 8.
          for (const int split : {n, n < 16 ? n : n / 16 * 8}) {
            std::vector<float> out(expected.size(), -1);
            std::vector<float> lanes(static_cast<size_t>(n_tokens * kPanelRows * 8));
            std::vector<const float*> inputs;
            std::vector<float*> outputs;
            for (int t = 0; t < n_tokens; ++t) {
              inputs.push_back(&x[static_cast<size_t>(t * n)]);
              outputs.push_back(&out[static_cast<size_t>(t * n_rows)]);
            }
            for (int begin = 0; begin < n; begin += begin == 0 ? split : n) {
              Panel panel;
              panel.n_rows = n_rows;
              panel.k_begin = begin;
              panel.n = begin == 0 ? split : n - split;  // two pieces at most
              panel.first = begin == 0;
              panel.last = begin + panel.n == n;
              for (int r = 0; r < kPanelRows; ++r)
                panel.rows[r] = &w[static_cast<size_t>(std::min(r, n_rows - 1) * n)] + begin;
              table->multiply_panel(panel, inputs.data(), n_tokens, outputs.data(), 0, bias.data(), lanes.data());
            }
            EXPECT_TRUE(same_bits(out, expected)) << n << " x " << n_rows << " rows x " << n_tokens << " tokens";
          }
        }
      }
    }
  }
}

TEST(Kernels, ValuesAreAddedInOrder) {
  for (const int width : {1, 5, 8, 16, 24, 40, 64, 65, 80, 128}) {
    for (const int n_rows : {1, 2, 3, 4, 5, 9}) {
      for (const int n_values : {0, 1, 7, 64}) {
        const int stride = width + 3;
        const auto values = random_floats(static_cast<size_t>(stride * std::max(n_values, 1)), 1);
        const auto weights = random_floats(static_cast<size_t>(n_rows * 64), 2);
        const auto start = random_floats(static_cast<size_t>(n_rows * width), 3);
        const auto factors = random_floats(static_cast<size_t>(n_rows), 4);
        std::vector<float> expected(start.size());
        for (int r = 0; r < n_rows; ++r) {
          for (int c = 0; c < width; ++c) {
            float sum = start[static_cast<size_t>(r * width + c)] * factors[static_cast<size_t>(r)];
            for (int i = 0; i < n_values; ++i) {
              sum =
                  std::fma(weights[static_cast<size_t>(r * 64 + i)], values[static_cast<size_t>(i * stride + c)], sum);
            }
            expected[static_cast<size_t>(r * width + c)] = sum;
          }
        }
        for (const Kernels* table : {&scalar_kernels(), &fast()}) {
          std::vector<float> out = start;
          std::vector<const float*> p;
          std::vector<float*> rows;
          for (int r = 0; r < n_rows; ++r) {
            p.push_back(&weights[static_cast<size_t>(r * 64)]);
            rows.push_back(&out[static_cast<size_t>(r * width)]);
          }
          table->accumulate_values(values.data(), stride, n_values, p.data(), rows.data(), factors.data(), n_rows,
                                   width);
          EXPECT_TRUE(same_bits(out, expected)) << width << " wide, " << n_rows << " rows, " << n_values << " values";
        }
      }
    }
  }
}

TEST(Kernels, RowKernelsHaveTheSameBitsOnBothPaths) {
  for (const int n : kLengths) {
    const auto size = static_cast<size_t>(n);
    const auto x = random_floats(size, 1, 5);
    const auto y = random_floats(size, 2);
    const auto run = [&](const Kernels& k) {
      std::vector<float> all;
      const auto keep = [&](const std::vector<float>& values) { all.insert(all.end(), values.begin(), values.end()); };
      all.push_back(k.largest(x.data(), n));
      all.push_back(k.sum_of_squares(x.data(), n));
      std::vector<float> v = x;
      all.push_back(k.exp_sum(v.data(), n, 3.5f));
      keep(v);
      for (const float softcap : {0.0f, 2.5f}) {
        v = x;
        k.scale_softcap(v.data(), n, 0.7f, softcap);
        keep(v);
      }
      k.scale_rows(v.data(), x.data(), n, 1.3f, y.data());
      keep(v);
      v = x;
      k.add_scaled(v.data(), y.data(), n, 0.3f);
      k.add(v.data(), y.data(), n);
      k.scale(v.data(), n, 1.1f);
      keep(v);
      for (const auto activation : {Activation::kSilu, Activation::kGeluTanh, Activation::kGptOssSwiglu}) {
        v = x;
        k.glu(v.data(), y.data(), n, activation);
        keep(v);
      }
      if (n % 2 == 0) {
        v = x;
        k.rotate_halves(v.data(), y.data(), x.data(), n);
        k.rotate_pairs(v.data(), y.data(), x.data(), n);
        keep(v);
      }
      return all;
    };
    EXPECT_TRUE(same_bits(run(scalar_kernels()), run(fast()))) << n;
  }
}

/// Distance in units in the last place of the nearest float to the exact value.
double ulps(float value, double exact) {
  const float nearest = std::abs(static_cast<float>(exact));
  const double ulp = static_cast<double>(std::nextafter(nearest, std::numeric_limits<float>::infinity())) - nearest;
  return std::abs(value - exact) / ulp;
}

TEST(Kernels, ExpIsWithinOneUnitInTheLastPlace) {
  std::vector<float> x;
  for (double v = -104; v < 88.72; v += 0.000731) x.push_back(static_cast<float>(v));
  for (double v = -1e-3; v < 1e-3; v += 1.7e-7) x.push_back(static_cast<float>(v));
  std::vector<float> y = x;
  fast().exp_sum(y.data(), static_cast<int64_t>(y.size()), 0);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, ulps(y[i], std::exp(static_cast<double>(x[i]))));
  EXPECT_LE(worst, 1.0);
}

TEST(Kernels, ExpAtTheEdges) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Kernels* table : {&scalar_kernels(), &fast()}) {
    std::vector<float> x = {0.0f, -0.0f, infinity, -infinity, 89.0f, 1000.0f, -104.0f, -1e30f, std::nanf("")};
    table->exp_sum(x.data(), static_cast<int64_t>(x.size()), 0);
    EXPECT_EQ(x[0], 1.0f);
    EXPECT_EQ(x[1], 1.0f);
    EXPECT_EQ(x[2], infinity);
    EXPECT_EQ(x[3], 0.0f);
    EXPECT_EQ(x[4], infinity);
    EXPECT_EQ(x[5], infinity);
    EXPECT_EQ(x[6], 0.0f);
    EXPECT_EQ(x[7], 0.0f);
    EXPECT_TRUE(std::isnan(x[8]));
  }
}

TEST(Kernels, TanhIsWithinTwoUnitsInTheLastPlace) {
  std::vector<float> x;
  for (double v = -12; v < 12; v += 0.0000931) x.push_back(static_cast<float>(v));
  for (double v = 1e-38; v < 1; v *= 1.01) x.push_back(static_cast<float>(v));
  std::vector<float> y = x;
  fast().scale_softcap(y.data(), static_cast<int64_t>(y.size()), 1, 1);  // a cap of 1 is tanh itself
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, ulps(y[i], std::tanh(static_cast<double>(x[i]))));
  EXPECT_LE(worst, 2.0);
  std::vector<float> edges = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::nanf("")};
  fast().scale_softcap(edges.data(), 3, 1, 1);
  EXPECT_EQ(edges[0], 1.0f);
  EXPECT_EQ(edges[1], -1.0f);
  EXPECT_TRUE(std::isnan(edges[2]));
}

TEST(Kernels, LargestPassesOverNan) {
  const float nan = std::nanf("");
  for (const Kernels* table : {&scalar_kernels(), &fast()}) {
    for (const size_t n : {1u, 3u, 8u, 9u, 40u}) {
      std::vector<float> x(n, nan);
      EXPECT_EQ(table->largest(x.data(), static_cast<int64_t>(n)), -std::numeric_limits<float>::infinity());
      for (size_t i = 0; i < n; ++i) {
        x.assign(n, nan);
        x[i] = -7;
        EXPECT_EQ(table->largest(x.data(), static_cast<int64_t>(n)), -7.0f);
      }
    }
  }
}

}  // namespace
}  // namespace glint::cpu
