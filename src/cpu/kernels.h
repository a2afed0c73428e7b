// SPDX-License-Identifier: Apache-2.0
//
// The inner loops of the CPU backend as a table of functions, one table for each level of instruction set. Every table
// gives the same bits: the kernels are written once (kernels_*.h) over eight-float vectors and fix their own order of
// summation. Callers see pointers and counts only; threads, formats and caches are their business.
//
// The canonical dot product: lane l of eight adds elements l, l + 8, l + 16, ... in that order, each with one fused
// multiply-add; the last, short step is filled with zeros; then ((0+1)+(2+3)) + ((4+5)+(6+7)).
// Tested by tests/unit/cpu/kernels_test.cpp.
#pragma once

#include <cstdint>

#include "backend/params.h"
#include "base/cpu_info.h"

// Code between these is compiled for AVX2, FMA and F16C whatever the build's flags, and may only run where they exist.
// Standard headers must be included before, or their inline functions would be compiled so for the whole program.
#if defined(__x86_64__)
#define GLINT_HAS_AVX2_KERNELS 1
#if defined(__clang__)
#define GLINT_AVX2_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,f16c\"))), apply_to = function)")
#define GLINT_AVX2_END _Pragma("clang attribute pop")
#else
#define GLINT_AVX2_BEGIN _Pragma("GCC push_options") _Pragma("GCC target(\"avx2,fma,f16c\")")
#define GLINT_AVX2_END _Pragma("GCC pop_options")
#endif
#else
#define GLINT_HAS_AVX2_KERNELS 0
#endif

// Unrolls the next loop fully; its count is a small constant and its body indexes registers.
#if defined(__clang__)
#define GLINT_UNROLL _Pragma("unroll")
#else
#define GLINT_UNROLL _Pragma("GCC unroll 16")
#endif

namespace glint::cpu {

/// Rows of a panel: two register tiles of 4 rows, or one of 8 for a single token.
inline constexpr int kPanelRows = 8;

/// Up to kPanelRows rows of weights, or a piece of them: columns [k_begin, k_begin + n).
struct Panel {
  const float* rows[kPanelRows];  // each n floats; entries from n_rows on repeat a valid row
  int n_rows = 0;
  int64_t k_begin = 0;
  int64_t n = 0;
  bool first = true;  // start sums at zero; otherwise at `lanes`
  bool last = true;   // finish sums into `out`; otherwise leave them in `lanes`
};

inline constexpr int kBurstLanes = 12 * 8;

struct Kernels {
  /// out[t][row_begin + r] = panel row r . x[t] + bias[r], for t < n_tokens; or a part of that sum, see Panel.
  /// lanes: [n_tokens, kPanelRows, 8], not touched if the panel is both first and last. bias: [n_rows] or null.
  void (*multiply_panel)(const Panel& panel, const float* const* x, int n_tokens, float* const* out, int64_t row_begin,
                         const float* bias, float* lanes);

  /// out[r] = out[r] * factor[r] + sum over i in [0, n_values) of p[r][i] * value i, in that order, each step fused;
  /// for r < n_rows. values: value i at i * stride; out rows and values are `width` long.
  void (*accumulate_values)(const float* values, int64_t stride, int n_values, const float* const* p, float* const* out,
                            const float* factor, int n_rows, int width);

  /// The largest value; NaN is passed over, and -infinity is the result if nothing is left.
  float (*largest)(const float* x, int64_t n);
  /// x = exp(x - shift); returns the sum of the results, in canonical order.
  float (*exp_sum)(float* x, int64_t n, float shift);
  /// x = scale * x, then softcap * tanh(x / softcap) where softcap > 0.
  void (*scale_softcap)(float* x, int64_t n, float scale, float softcap);
  float (*sum_of_squares)(const float* x, int64_t n);
  /// out = x * factor * w; out may be x.
  void (*scale_rows)(float* out, const float* x, int64_t n, float factor, const float* w);
  /// out += factor * x, fused.
  void (*add_scaled)(float* out, const float* x, int64_t n, float factor);
  /// out += x
  void (*add)(float* out, const float* x, int64_t n);
  /// x *= factor
  void (*scale)(float* x, int64_t n, float factor);
  /// Rotates x[i] with its partner (x[i +- n_dims / 2], or the other of its pair): x[i] * cosine[i] + partner *
  /// sine[i]. cosine, sine: [n_dims]; sines of the first partners are negated.
  void (*rotate_halves)(float* x, const float* cosine, const float* sine, int n_dims);
  void (*rotate_pairs)(float* x, const float* cosine, const float* sine, int n_dims);
  /// n times kBurstLanes multiply-adds that wait for nothing but themselves: what the arithmetic can do at best.
  float (*multiply_add_burst)(int64_t n, float factor, float summand);
  /// gate = act(gate) * up
  void (*glu)(float* gate, const float* up, int64_t n, Activation activation);
};

const Kernels& scalar_kernels();
const Kernels& avx2_kernels();  // the scalar ones where the program was built for another processor family
const Kernels& kernels(CpuLevel level);

}  // namespace glint::cpu
