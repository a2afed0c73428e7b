// SPDX-License-Identifier: Apache-2.0
//
// Row-wise kernels and the two functions they need, exp and tanh. Written once over a vector type V and instantiated by
// kernels_scalar.cpp and kernels_avx2.cpp. Coefficients: least-maximum-relative-error fits on the reduced range, then
// rounded to f32 one by one, refitting the rest. Tested by tests/unit/cpu/kernels_test.cpp.
#pragma once

#include <cstdint>
#include <limits>

#include "cpu/kernels.h"

namespace glint::cpu {

/// e^x, within 1 unit in the last place where the result is normal; overflows to infinity, underflows gradually to 0.
template <class V>
[[gnu::always_inline]] inline V exp(V x) {
  // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  // ln 2 is split into 9 leading bits, whose product with n is exact, and the rest.
  x = V::min(V::broadcast(89.0f), V::max(V::broadcast(-104.0f), x));  // NaN is the second operand and passes
  const V magic = V::broadcast(0x1.8p23f);
  const V biased = V::fma(x, V::broadcast(0x1.715476p0f), magic);
  const V n = biased - magic;
  V r = V::fma(n, V::broadcast(-0x1.63p-1f), x);
  r = V::fma(n, V::broadcast(0x1.bd0106p-13f), r);
  V p = V::broadcast(0x1.6a5228p-10f);
  p = V::fma(p, r, V::broadcast(0x1.12396cp-7f));
  p = V::fma(p, r, V::broadcast(0x1.5558aap-5f));
  p = V::fma(p, r, V::broadcast(0x1.555492p-3f));
  p = V::fma(p, r, V::broadcast(0x1.fffffcp-2f));
  p = V::fma(p, r * r, r) + V::broadcast(1.0f);
  return V::scale_by_power(p, biased);
}

/// tanh x, within 2 units in the last place.
template <class V>
[[gnu::always_inline]] inline V tanh(V x) {
  const V one = V::broadcast(1.0f);
  const V magnitude = V::abs(x);
  const V square = x * x;
  V p = V::broadcast(-0x1.750ce2p-8f);
  p = V::fma(p, square, V::broadcast(0x1.51f8cep-6f));
  p = V::fma(p, square, V::broadcast(-0x1.b835a4p-5f));
  p = V::fma(p, square, V::broadcast(0x1.1106f6p-3f));
  p = V::fma(p, square, V::broadcast(-0x1.555532p-2f));
  const V near_zero = V::fma(p * square, x, x);
  const V doubled = exp(magnitude + magnitude);
  const V elsewhere = V::copy_sign(one - V::broadcast(2.0f) / (doubled + one), x);
  return V::select_less(magnitude, V::broadcast(0.625f), near_zero, elsewhere);
}

/// x * sigmoid(slope * x)
template <class V>
[[gnu::always_inline]] inline V swish(V x, V slope) {
  const V one = V::broadcast(1.0f);
  return x / (one + exp(V::zero() - slope * x));
}

/// Calls step.apply<short>(k, n) for each eight of the n_total elements, the last one short. Steps are structs, as g++
/// would not compile a lambda for the region's instruction set.
template <class Step>
[[gnu::always_inline]] inline void for_each_vector(int64_t n_total, const Step& step) {
  int64_t k = 0;
  for (; k + 8 <= n_total; k += 8) step.template apply<false>(k, 8);
  if (k < n_total) step.template apply<true>(k, static_cast<int>(n_total - k));
}

template <class V, bool kShort>
V load_step(const float* p, int n) {
  if constexpr (kShort) return V::load_first(p, n);
  return V::load(p);
}

template <class V, bool kShort>
void store_step(V v, float* p, int n) {
  if constexpr (kShort) {
    v.store_first(p, n);
  } else {
    v.store(p);
  }
}

template <class V>
struct AddScaledStep {
  float* out;
  const float* x;
  V factor;
  template <bool kShort>
  [[gnu::always_inline]] void apply(int64_t k, int n) const {
    store_step<V, kShort>(V::fma(factor, load_step<V, kShort>(x + k, n), load_step<V, kShort>(out + k, n)), out + k, n);
  }
};

template <class V>
float multiply_add_burst(int64_t n, float factor, float summand) {
  constexpr int kVectors = kBurstLanes / 8;
  V sums[kVectors];
  GLINT_UNROLL
  for (int j = 0; j < kVectors; ++j) sums[j] = V::broadcast(static_cast<float>(j));
  for (int64_t i = 0; i < n; ++i) {
    GLINT_UNROLL
    for (int j = 0; j < kVectors; ++j) sums[j] = V::fma(sums[j], V::broadcast(factor), V::broadcast(summand));
  }
  V total = V::zero();
  GLINT_UNROLL
  for (int j = 0; j < kVectors; ++j) total = total + sums[j];
  return total.sum();
}

template <class V>
void add_scaled(float* out, const float* x, int64_t n, float factor) {
  for_each_vector(n, AddScaledStep<V>{out, x, V::broadcast(factor)});
}

template <class V>
struct AddStep {
  float* out;
  const float* x;
  template <bool kShort>
  [[gnu::always_inline]] void apply(int64_t k, int n) const {
    store_step<V, kShort>(load_step<V, kShort>(out + k, n) + load_step<V, kShort>(x + k, n), out + k, n);
  }
};

template <class V>
void add(float* out, const float* x, int64_t n) {
  for_each_vector(n, AddStep<V>{out, x});
}

template <class V>
struct ScaleStep {
  float* x;
  V factor;
  template <bool kShort>
  [[gnu::always_inline]] void apply(int64_t k, int n) const {
    store_step<V, kShort>(load_step<V, kShort>(x + k, n) * factor, x + k, n);
  }
};

template <class V>
void scale(float* x, int64_t n, float factor) {
  for_each_vector(n, ScaleStep<V>{x, V::broadcast(factor)});
}

template <class V>
struct SoftcapStep {
  float* x;
  V factor;
  V cap;
  template <bool kShort>
  [[gnu::always_inline]] void apply(int64_t k, int n) const {
    store_step<V, kShort>(cap * tanh(load_step<V, kShort>(x + k, n) * factor / cap), x + k, n);
  }
};

template <class V>
void scale_softcap(float* x, int64_t n, float factor, float softcap) {
  if (softcap > 0) {
    for_each_vector(n, SoftcapStep<V>{x, V::broadcast(factor), V::broadcast(softcap)});
  } else {
    scale<V>(x, n, factor);
  }
}

template <class V>
struct ScaleRowsStep {
  float* out;
  const float* x;
  V factor;
  const float* w;
  template <bool kShort>
  [[gnu::always_inline]] void apply(int64_t k, int n) const {
    store_step<V, kShort>(load_step<V, kShort>(x + k, n) * factor * load_step<V, kShort>(w + k, n), out + k, n);
  }
};

template <class V>
void scale_rows(float* out, const float* x, int64_t n, float factor, const float* w) {
  for_each_vector(n, ScaleRowsStep<V>{out, x, V::broadcast(factor), w});
}

/// Four vectors of sums, as one would wait for each addition; the rest of fewer than 32 goes to the first.
template <class V>
float sum_of_squares(const float* x, int64_t n) {
  V a = V::zero();
  V b = V::zero();
  V c = V::zero();
  V d = V::zero();
  int64_t k = 0;
  for (; k + 32 <= n; k += 32) {
    const V a_part = V::load(x + k);
    const V b_part = V::load(x + k + 8);
    const V c_part = V::load(x + k + 16);
    const V d_part = V::load(x + k + 24);
    a = V::fma(a_part, a_part, a);
    b = V::fma(b_part, b_part, b);
    c = V::fma(c_part, c_part, c);
    d = V::fma(d_part, d_part, d);
  }
  for (; k < n; k += 8) {
    const V part = n - k >= 8 ? V::load(x + k) : V::load_first(x + k, static_cast<int>(n - k));
    a = V::fma(part, part, a);
  }
  return ((a + b) + (c + d)).sum();
}

template <class V>
float largest(const float* x, int64_t n) {
  const float lowest = -std::numeric_limits<float>::infinity();
  V m = V::broadcast(lowest);
  int64_t k = 0;
  for (; k + 8 <= n; k += 8) m = V::max(V::load(x + k), m);  // keeps m where x is NaN
  float result = m.largest();
  for (; k < n; ++k) result = x[k] > result ? x[k] : result;
  return result;
}

template <class V>
float exp_sum(float* x, int64_t n, float shift) {
  const V offset = V::broadcast(shift);
  V sum = V::zero();
  int64_t k = 0;
  for (; k + 8 <= n; k += 8) {
    const V e = exp(V::load(x + k) - offset);
    e.store(x + k);
    sum = sum + e;
  }
  if (k < n) {
    const int left = static_cast<int>(n - k);
    exp(V::load_first(x + k, left) - offset).store_first(x + k, left);
    sum = sum + V::load_first(x + k, left);
  }
  return sum.sum();
}

/// cosine and sine: [n_dims], see Kernels::rotate_halves.
template <class V>
void rotate_halves(float* x, const float* cosine, const float* sine, int n_dims) {
  const int half = n_dims / 2;
  for (int i = 0; i < half; i += 8) {
    const int n = half - i < 8 ? half - i : 8;
    const V a = V::load_first(x + i, n);
    const V b = V::load_first(x + half + i, n);
    V::fma(a, V::load_first(cosine + i, n), b * V::load_first(sine + i, n)).store_first(x + i, n);
    V::fma(b, V::load_first(cosine + half + i, n), a * V::load_first(sine + half + i, n)).store_first(x + half + i, n);
  }
}

template <class V>
void rotate_pairs(float* x, const float* cosine, const float* sine, int n_dims) {
  for (int i = 0; i < n_dims; i += 8) {
    const int n = n_dims - i < 8 ? n_dims - i : 8;
    const V v = V::load_first(x + i, n);
    V::fma(v, V::load_first(cosine + i, n), V::swap_pairs(v) * V::load_first(sine + i, n)).store_first(x + i, n);
  }
}

template <class V, Activation kActivation>
struct GluStep {
  float* gate;
  const float* up;
  template <bool kShort>
  [[gnu::always_inline]] void apply(int64_t k, int n) const {
    V g = load_step<V, kShort>(gate + k, n);
    V u = load_step<V, kShort>(up + k, n);
    if constexpr (kActivation == Activation::kSilu) {
      g = swish(g, V::broadcast(1.0f));
    } else if constexpr (kActivation == Activation::kGeluTanh) {
      // (1 + tanh z) / 2 = sigmoid(2 z); z = sqrt(2 / pi) (g + 0.044715 g^3) = g * slope / 2
      const V slope = V::broadcast(0x1.988454p0f) * V::fma(V::broadcast(0.044715f), g * g, V::broadcast(1.0f));
      g = swish(g, slope);
    } else {
      g = swish(V::min(g, V::broadcast(7.0f)), V::broadcast(1.702f));
      u = V::max(V::broadcast(-7.0f), V::min(u, V::broadcast(7.0f))) + V::broadcast(1.0f);
    }
    store_step<V, kShort>(g * u, gate + k, n);
  }
};

template <class V>
void glu(float* gate, const float* up, int64_t n, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return for_each_vector(n, GluStep<V, Activation::kSilu>{gate, up});
    case Activation::kGeluTanh:
      return for_each_vector(n, GluStep<V, Activation::kGeluTanh>{gate, up});
    case Activation::kGptOssSwiglu:
      return for_each_vector(n, GluStep<V, Activation::kGptOssSwiglu>{gate, up});
  }
}

}  // namespace glint::cpu
