// SPDX-License-Identifier: Apache-2.0
//
// Eight floats in plain C++: what Avx2Vec8 (vec8_avx2.h) does in one instruction, lane by lane and with the same
// rounding, NaN and signed-zero behaviour. Kernels are written once over either, which is why the scalar and the AVX2
// paths give the same bits. Slow where the machine has no fused multiply-add, but exact.
// Tested by tests/unit/cpu/kernels_test.cpp.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace glint::cpu {

struct ScalarVec8 {
  float lane[8];

  static ScalarVec8 zero() { return {}; }
  static ScalarVec8 broadcast(float value) {
    ScalarVec8 r;
    for (float& l : r.lane) l = value;
    return r;
  }
  static ScalarVec8 load(const float* p) {
    ScalarVec8 r;
    for (int i = 0; i < 8; ++i) r.lane[i] = p[i];
    return r;
  }
  /// The first n (0 to 8) floats; the other lanes are 0 and their memory is not touched.
  static ScalarVec8 load_first(const float* p, int n) {
    ScalarVec8 r = zero();
    for (int i = 0; i < n; ++i) r.lane[i] = p[i];
    return r;
  }
  void store(float* p) const {
    for (int i = 0; i < 8; ++i) p[i] = lane[i];
  }
  void store_first(float* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }

  template <class F>
  static ScalarVec8 map(ScalarVec8 a, ScalarVec8 b, F f) {
    ScalarVec8 r;
    for (int i = 0; i < 8; ++i) r.lane[i] = f(a.lane[i], b.lane[i]);
    return r;
  }
  friend ScalarVec8 operator+(ScalarVec8 a, ScalarVec8 b) {
    return map(a, b, [](float x, float y) { return x + y; });
  }
  friend ScalarVec8 operator-(ScalarVec8 a, ScalarVec8 b) {
    return map(a, b, [](float x, float y) { return x - y; });
  }
  friend ScalarVec8 operator*(ScalarVec8 a, ScalarVec8 b) {
    return map(a, b, [](float x, float y) { return x * y; });
  }
  friend ScalarVec8 operator/(ScalarVec8 a, ScalarVec8 b) {
    return map(a, b, [](float x, float y) { return x / y; });
  }
  /// a * b + c, rounded once.
  static ScalarVec8 fma(ScalarVec8 a, ScalarVec8 b, ScalarVec8 c) {
    ScalarVec8 r;
    for (int i = 0; i < 8; ++i) r.lane[i] = std::fma(a.lane[i], b.lane[i], c.lane[i]);
    return r;
  }
  /// The second operand where either is NaN.
  static ScalarVec8 max(ScalarVec8 a, ScalarVec8 b) {
    return map(a, b, [](float x, float y) { return x > y ? x : y; });
  }
  static ScalarVec8 min(ScalarVec8 a, ScalarVec8 b) {
    return map(a, b, [](float x, float y) { return x < y ? x : y; });
  }
  static ScalarVec8 abs(ScalarVec8 a) {
    for (float& l : a.lane) l = std::fabs(l);
    return a;
  }
  /// Lane by lane: a < b ? if_less : otherwise.
  static ScalarVec8 select_less(ScalarVec8 a, ScalarVec8 b, ScalarVec8 if_less, ScalarVec8 otherwise) {
    ScalarVec8 r;
    for (int i = 0; i < 8; ++i) r.lane[i] = a.lane[i] < b.lane[i] ? if_less.lane[i] : otherwise.lane[i];
    return r;
  }
  /// magnitude with the sign of `sign`.
  static ScalarVec8 copy_sign(ScalarVec8 magnitude, ScalarVec8 sign) {
    return map(magnitude, sign, [](float m, float s) { return std::copysign(m, s); });
  }
  /// Lanes 1 0 3 2 5 4 7 6.
  static ScalarVec8 swap_pairs(ScalarVec8 a) {
    ScalarVec8 r;
    for (int i = 0; i < 8; ++i) r.lane[i] = a.lane[i ^ 1];
    return r;
  }
  /// a * 2^n where n = bits(biased) - bits(1.5 * 2^23), for n in [-252, 254]: two factors, so that subnormal results
  /// are rounded once and right.
  static ScalarVec8 scale_by_power(ScalarVec8 a, ScalarVec8 biased) {
    for (int i = 0; i < 8; ++i) {
      const int32_t n = std::bit_cast<int32_t>(biased.lane[i]) - 0x4b400000;
      const int32_t half = n >> 1;
      const float first = std::bit_cast<float>((half + 127) << 23);
      const float second = std::bit_cast<float>((n - half + 127) << 23);
      a.lane[i] = a.lane[i] * first * second;
    }
    return a;
  }

  /// The canonical sum of lanes: ((0+1)+(2+3)) + ((4+5)+(6+7)).
  float sum() const {
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
  }
  /// out[i] = v[i].sum() for four vectors.
  static void sum4(const ScalarVec8 v[4], float out[4]) {
    for (int i = 0; i < 4; ++i) out[i] = v[i].sum();
  }
  /// The largest lane; unspecified if a lane is NaN.
  float largest() const {
    float r = lane[0];
    for (float l : lane) r = r > l ? r : l;
    return r;
  }
};

}  // namespace glint::cpu
