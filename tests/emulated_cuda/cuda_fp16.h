// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for <cuda_fp16.h>: half-precision values with one rounding an operation, as the card does it. A sum or
// product of halves is exact in double (a fused multiply-add very nearly), so rounding double to half once is right.
#pragma once

#include <cstdint>

#include "base/half.h"
#include "cuda_runtime.h"

struct __half {
  uint16_t bits;
};
struct alignas(4) __half2 {
  __half x, y;
};
using half = __half;
using half2 = __half2;

namespace emulated {
inline double value(__half h) {
  return glint::f16_to_f32(h.bits);
}
/// Rounds to odd at 24 bits first, so that the second rounding cannot err.
inline __half round_half(double x) {
  float near = static_cast<float>(x);
  if (static_cast<double>(near) != x && x - x == 0 && near - near == 0) {
    uint32_t bits = std::bit_cast<uint32_t>(near);
    if (std::abs(static_cast<double>(near)) > std::abs(x)) --bits;
    near = std::bit_cast<float>(bits | 1);
  }
  return {glint::f32_to_f16(near)};
}
}  // namespace emulated

inline __half __float2half_rn(float x) {
  return {glint::f32_to_f16(x)};
}
inline __half __float2half(float x) {
  return {glint::f32_to_f16(x)};
}
inline float __half2float(__half h) {
  return glint::f16_to_f32(h.bits);
}
inline __half2 __halves2half2(__half x, __half y) {
  return {x, y};
}
inline __half2 __floats2half2_rn(float x, float y) {
  return {__float2half_rn(x), __float2half_rn(y)};
}
inline __half2 __float2half2_rn(float x) {
  return __floats2half2_rn(x, x);
}
inline float2 __half22float2(__half2 h) {
  return {__half2float(h.x), __half2float(h.y)};
}
inline __half2 __half2half2(__half h) {
  return {h, h};
}
inline __half2 __low2half2(__half2 h) {
  return {h.x, h.x};
}
inline __half2 __high2half2(__half2 h) {
  return {h.y, h.y};
}
inline __half __low2half(__half2 h) {
  return h.x;
}
inline __half __high2half(__half2 h) {
  return h.y;
}
inline float __low2float(__half2 h) {
  return __half2float(h.x);
}
inline float __high2float(__half2 h) {
  return __half2float(h.y);
}
inline __half __ushort_as_half(unsigned short bits) {
  return {bits};
}
inline unsigned short __half_as_ushort(__half h) {
  return h.bits;
}
inline __half2 __hadd2(__half2 a, __half2 b) {
  using namespace emulated;
  return {round_half(value(a.x) + value(b.x)), round_half(value(a.y) + value(b.y))};
}
inline __half2 __hsub2(__half2 a, __half2 b) {
  using namespace emulated;
  return {round_half(value(a.x) - value(b.x)), round_half(value(a.y) - value(b.y))};
}
inline __half2 __hmul2(__half2 a, __half2 b) {
  using namespace emulated;
  return {round_half(value(a.x) * value(b.x)), round_half(value(a.y) * value(b.y))};
}
inline __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
  using namespace emulated;
  return {round_half(value(a.x) * value(b.x) + value(c.x)), round_half(value(a.y) * value(b.y) + value(c.y))};
}
inline __half __hmul(__half a, __half b) {
  return emulated::round_half(emulated::value(a) * emulated::value(b));
}
inline __half2 __hneg2(__half2 a) {
  return {{static_cast<uint16_t>(a.x.bits ^ 0x8000)}, {static_cast<uint16_t>(a.y.bits ^ 0x8000)}};
}
