// SPDX-License-Identifier: Apache-2.0
//
// Eight floats in an AVX2 register; the meaning of every operation is ScalarVec8's (vec8_scalar.h). Included by
// kernels_avx2.cpp only, between GLINT_AVX2_BEGIN and GLINT_AVX2_END, so that nothing outside is compiled for AVX2.
// Tested by tests/unit/cpu/kernels_test.cpp: every kernel, bit for bit.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace glint::cpu {

struct Avx2Vec8 {
  __m256 v;

  static Avx2Vec8 zero() { return {_mm256_setzero_ps()}; }
  static Avx2Vec8 broadcast(float value) { return {_mm256_set1_ps(value)}; }
  static Avx2Vec8 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static __m256i first_lanes(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Avx2Vec8 load_first(const float* p, int n) { return {_mm256_maskload_ps(p, first_lanes(n))}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store_first(float* p, int n) const { _mm256_maskstore_ps(p, first_lanes(n), v); }

  // Members, as g++ 12 does not apply the region's target to friends.
  Avx2Vec8 operator+(Avx2Vec8 b) const { return {_mm256_add_ps(v, b.v)}; }
  Avx2Vec8 operator-(Avx2Vec8 b) const { return {_mm256_sub_ps(v, b.v)}; }
  Avx2Vec8 operator*(Avx2Vec8 b) const { return {_mm256_mul_ps(v, b.v)}; }
  Avx2Vec8 operator/(Avx2Vec8 b) const { return {_mm256_div_ps(v, b.v)}; }
  static Avx2Vec8 fma(Avx2Vec8 a, Avx2Vec8 b, Avx2Vec8 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static Avx2Vec8 max(Avx2Vec8 a, Avx2Vec8 b) { return {_mm256_max_ps(a.v, b.v)}; }
  static Avx2Vec8 min(Avx2Vec8 a, Avx2Vec8 b) { return {_mm256_min_ps(a.v, b.v)}; }
  static Avx2Vec8 abs(Avx2Vec8 a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
  static Avx2Vec8 select_less(Avx2Vec8 a, Avx2Vec8 b, Avx2Vec8 if_less, Avx2Vec8 otherwise) {
    return {_mm256_blendv_ps(otherwise.v, if_less.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
  }
  static Avx2Vec8 copy_sign(Avx2Vec8 magnitude, Avx2Vec8 sign) {
    const __m256 bit = _mm256_set1_ps(-0.0f);
    return {_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.v), _mm256_and_ps(bit, sign.v))};
  }
  static Avx2Vec8 swap_pairs(Avx2Vec8 a) { return {_mm256_permute_ps(a.v, 0b10110001)}; }
  static Avx2Vec8 scale_by_power(Avx2Vec8 a, Avx2Vec8 biased) {
    const __m256i n = _mm256_sub_epi32(_mm256_castps_si256(biased.v), _mm256_set1_epi32(0x4b400000));
    const __m256i half = _mm256_srai_epi32(n, 1);
    const __m256i bias = _mm256_set1_epi32(127);
    const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias), 23);
    return {_mm256_mul_ps(_mm256_mul_ps(a.v, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))};
  }

  float sum() const {
    const Avx2Vec8 v4[4] = {*this, *this, *this, *this};
    float out[4];
    sum4(v4, out);
    return out[0];
  }
  static void sum4(const Avx2Vec8 v[4], float out[4]) {
    const __m256 pairs01 = _mm256_hadd_ps(v[0].v, v[1].v);
    const __m256 pairs23 = _mm256_hadd_ps(v[2].v, v[3].v);
    const __m256 quads = _mm256_hadd_ps(pairs01, pairs23);  // low half: lanes 0-3 of v[0..3]; high half: lanes 4-7
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(quads), _mm256_extractf128_ps(quads, 1)));
  }
  float largest() const {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
};

}  // namespace glint::cpu
